#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! `success` and `fail` on a server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::world::{ERRORS, GUESTS, Server, User, cookie, ignore};
use crate::common::{Client, eventually, soon};
use passport_socketio::{Candidate, Failure, MaybeAuth, Reject};
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use tokio::sync::Notify;
use tokio::time::sleep;

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Notes when it is dropped.
struct Waiting(Log);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.note("given up");
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_hook_that_never_ends_is_dropped_and_leaves_no_state() {
    for layer in [false, true] {
        let log = Log::default();
        let hook = {
            let log = log.clone();
            async move |_: Candidate<User>| {
                let _waiting = Waiting(log);
                std::future::pending().await
            }
        };
        let server = Server::with(layer, |builder| builder.success(hook));
        server.io.ns("/", ignore.with(server.auth.required()));
        let mut client = Client::of(&server.app, "ann").await;
        client.send("0").await;
        // `success` is given up after 5 minutes; the heartbeat closes the client's connection before.
        sleep(Duration::from_secs(301)).await;
        assert_eq!(log.read(), ["given up"]);
        assert!(server.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_connected_only_after_success_agrees() {
    for layer in [false, true] {
        let (asked, agree, log) =
            (Arc::new(Notify::new()), Arc::new(Notify::new()), Log::default());
        let hook = {
            let (asked, agree, log) = (asked.clone(), agree.clone(), log.clone());
            async move |_: Candidate<User>| {
                asked.notify_one();
                agree.notified().await;
                log.note("agreed");
                Ok(())
            }
        };
        let server = Server::with(layer, |builder| builder.success(hook));
        let on_connect = {
            let log = log.clone();
            async move || log.note("connected")
        };
        server.io.ns("/", on_connect.with(server.auth.required()));

        let mut client = Client::of(&server.app, "ann").await;
        client.send("0").await;
        soon(asked.notified()).await;
        assert!(server.io.sockets().is_empty());
        assert!(server.live.online().is_empty());
        agree.notify_one();
        client.connected("/").await.unwrap();
        eventually("the handler runs", || log.read().len() == 2).await;
        assert_eq!(log.read(), ["agreed", "connected"]);
    }
}

#[tokio::test(start_paused = true)]
async fn success_is_called_once_for_each_connect_with_its_namespace() {
    for layer in [false, true] {
        let log = Log::default();
        let hook = {
            let log = log.clone();
            async move |candidate: Candidate<User>| {
                log.note(format!("{} {}", candidate.user().name, candidate.namespace()));
                Ok(())
            }
        };
        let server = Server::with(layer, |builder| builder.success(hook));
        server.io.ns("/", ignore.with(server.auth.required()));
        server.io.ns("/lobby", ignore.with(server.auth.optional()));
        let rooms = ignore.with(server.auth.required());
        server.io.dyn_ns("/room/{id}", rooms).unwrap();

        let mut ann = Client::of(&server.app, "ann").await;
        for ns in ["/", "/lobby", "/room/1", "/room/2"] {
            ann.connect(ns).await.unwrap();
        }
        let mut guest = Client::anonymous(&server.app).await;
        guest.connect("/lobby").await.unwrap();
        ann.leave("/lobby").await;
        ann.connect("/lobby").await.unwrap();
        assert_eq!(log.read(), ["ann /", "ann /lobby", "ann /room/1", "ann /room/2", "ann /lobby"]);
    }
}

#[tokio::test(start_paused = true)]
async fn success_can_admit_a_user_to_one_namespace_and_refuse_another() {
    for layer in [false, true] {
        let server = Server::with(layer, |builder| {
            builder.success(async |candidate: Candidate<User>| match candidate.namespace() {
                "/admin" => Err(Reject::new("admins only")),
                _ => Ok(()),
            })
        });
        server.io.ns("/", ignore.with(server.auth.required()));
        server.io.ns("/admin", ignore.with(server.auth.required()));
        let mut client = Client::of(&server.app, "ann").await;
        assert_eq!(client.connect("/admin").await, Err("admins only".into()));
        client.connect("/").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_during_success_leaves_no_state() {
    for layer in [false, true] {
        let (asked, agree) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let hook = {
            let (asked, agree) = (asked.clone(), agree.clone());
            async move |_: Candidate<User>| {
                asked.notify_one();
                agree.notified().await;
                Ok(())
            }
        };
        let server = Server::with(layer, |builder| builder.success(hook));
        server.io.ns("/", ignore.with(server.auth.required()));
        let mut client = Client::of(&server.app, "ann").await;
        client.send("0").await;
        soon(asked.notified()).await;
        assert!(!server.holds_no_user());
        client.close().await;
        agree.notify_one();
        eventually("nobody is left", || server.is_empty()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fail_sees_the_code_of_each_refusal_and_can_set_the_clients_text() {
    for layer in [false, true] {
        let log = Log::default();
        let seen = log.clone();
        let server = Server::with(layer, |builder| {
            builder.fail(move |failure: &Failure| {
                seen.note(failure.code());
                assert!(!failure.message().is_empty());
                failure.refuse_with(if failure.is_error() { "later" } else { "log in" })
            })
        });
        server.io.ns("/", ignore.with(server.auth.required()));
        for (who, code, text) in [
            ("unknown", "session_not_found", "log in"),
            ("expired", "session_expired", "log in"),
            ("anonymous", "not_logged_in", "log in"),
            ("ghost", "user_not_found", "log in"),
            ("down", "store_unavailable", "later"),
            ("corrupt", "corrupt_session", "later"),
            ("undecided", "deserializer_failed", "later"),
        ] {
            let mut client = Client::of(&server.app, who).await;
            assert_eq!(client.connect("/").await, Err(text.into()), "{who}");
            assert_eq!(log.read().pop().as_deref(), Some(code));
        }
        assert_eq!(log.read().len(), 7);
        Client::of(&server.app, "ann").await.connect("/").await.unwrap();
        assert_eq!(log.read().len(), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn fail_can_admit_guests_to_a_required_namespace_but_not_errors() {
    for layer in [false, true] {
        let server = Server::with(layer, |builder| builder.fail(Failure::guest));
        let on_connect = async |socket: SocketRef, user: MaybeAuth<User>| {
            socket.emit("guest", &user.user().is_none()).unwrap();
        };
        server.io.ns("/", on_connect.with(server.auth.required()));
        for who in GUESTS {
            let mut client = Client::of(&server.app, who).await;
            client.connect("/").await.unwrap();
            assert_eq!(client.event("/").await, serde_json::json!(["guest", true]));
        }
        for (who, message) in ERRORS {
            let mut client = Client::of(&server.app, who).await;
            assert_eq!(client.connect("/").await, Err(message.into()), "{who}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fail_can_not_admit_a_rejected_user_or_a_foreign_page_as_a_guest() {
    let server = Server::with(false, |builder| {
        builder.fail(Failure::guest).success(async |_| Err(Reject::new("banned")))
    });
    server.io.ns("/", ignore.with(server.auth.required()));
    let mut banned = Client::of(&server.app, "ann").await;
    assert_eq!(banned.connect("/").await, Err("banned".into()));
    let foreign = [("origin", "https://evil.example".to_owned()), ("cookie", cookie("ann"))];
    let mut foreign = Client::open(&server.app, foreign).await.unwrap();
    assert_eq!(foreign.connect("/").await, Err("forbidden".into()));
}

#[tokio::test(start_paused = true)]
async fn refuse_sends_the_default_text() {
    let server = Server::with(false, |builder| builder.fail(Failure::refuse));
    server.io.ns("/", ignore.with(server.auth.required()));
    for (who, message) in [("anonymous", "unauthorized"), ("corrupt", "server_error")] {
        let mut client = Client::of(&server.app, who).await;
        assert_eq!(client.connect("/").await, Err(message.into()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_optional_namespace_calls_fail_only_for_errors() {
    for layer in [false, true] {
        let server =
            Server::with(layer, |builder| builder.fail(|failure| failure.refuse_with("asked")));
        server.io.ns("/", ignore.with(server.auth.optional()));
        for who in GUESTS {
            Client::of(&server.app, who).await.connect("/").await.unwrap();
        }
        for (who, _) in ERRORS {
            let mut client = Client::of(&server.app, who).await;
            assert_eq!(client.connect("/").await, Err("asked".into()), "{who}");
        }
    }
}
