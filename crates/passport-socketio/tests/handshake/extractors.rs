#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! `Auth`, `MaybeAuth`, `Session` and `MaybeSession` in connect, message and disconnect handlers.

use std::sync::{Arc, Mutex};

use crate::common::world::{Server, User};
use crate::common::{Client, eventually, soon};
use passport_socketio::{Auth, MaybeAuth, MaybeSession, Session};
use serde_json::{Value, json};
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use socketioxide::socket::DisconnectReason;
use tokio::sync::mpsc;

fn views(session: &Session) -> i64 {
    session.get("/views").unwrap()
}

fn maybe_views(session: &MaybeSession) -> Option<i64> {
    session.0.as_ref().map(views)
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_takes_the_user_and_the_session() {
    for layer in [false, true] {
        let server = Server::new(layer);
        let on_connect = async |socket: SocketRef,
                                user: Auth<User>,
                                maybe_user: MaybeAuth<User>,
                                session: Session,
                                maybe_session: MaybeSession| {
            assert!(user.is_live());
            assert_eq!(user.session().id(), session.id());
            assert_eq!(*user.user_key(), 42.into());
            assert_eq!(maybe_user.user(), Some(&*user));
            assert!(maybe_user.logged_in());
            let views = (views(&session), maybe_views(&maybe_session));
            socket.emit("welcome", &(user.id, user.name, views)).unwrap();
        };
        server.io.ns("/", on_connect.with(server.auth.required()));
        let mut client = Client::of(&server.app, "ann").await;
        client.connect("/").await.unwrap();
        assert_eq!(client.event("/").await, json!(["welcome", 42, "ann", [3, 3]]));
    }
}

/// Answers `member` to members, `session` to those with a session, `anybody` to all.
async fn answering(socket: SocketRef) {
    socket.on("member", async |socket: SocketRef, user: Auth<User>| {
        socket.emit("member", user.name).unwrap();
    });
    socket.on("session", async |socket: SocketRef, session: Session| {
        socket.emit("session", &views(&session)).unwrap();
    });
    socket.on(
        "anybody",
        async |socket: SocketRef, user: MaybeAuth<User>, session: MaybeSession| {
            let name = user.user().map(|user| user.name);
            let anybody = (name, user.logged_in(), maybe_views(&session));
            socket.emit("anybody", &anybody).unwrap();
        },
    );
}

/// What is answered to all three events, up to the answer to the last.
async fn answers(client: &mut Client) -> Vec<Value> {
    let mut answers = Vec::new();
    for event in ["member", "session", "anybody"] {
        client.emit("/", event).await;
    }
    while answers.last().is_none_or(|last: &Value| last[0] != "anybody") {
        answers.push(client.event("/").await);
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn a_message_handler_runs_only_if_its_extractors_succeed() {
    for layer in [false, true] {
        let server = Server::new(layer);
        server.io.ns("/", answering.with(server.auth.optional()));

        let mut ann = Client::of(&server.app, "ann").await;
        ann.connect("/").await.unwrap();
        assert_eq!(
            answers(&mut ann).await,
            [json!(["member", "ann"]), json!(["session", 3]), json!(["anybody", "ann", true, 3])]
        );
        let mut with_session = Client::of(&server.app, "anonymous").await;
        with_session.connect("/").await.unwrap();
        assert_eq!(
            answers(&mut with_session).await,
            [json!(["session", 1]), json!(["anybody", null, false, 1])]
        );
        let mut without = Client::anonymous(&server.app).await;
        without.connect("/").await.unwrap();
        assert_eq!(answers(&mut without).await, [json!(["anybody", null, false, null])]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_that_takes_auth_is_not_run_for_guests() {
    let server = Server::new(false);
    let (ran, mut running) = mpsc::unbounded_channel();
    let on_connect = async move |user: Auth<User>| ran.send(user.id).unwrap();
    server.io.ns("/", on_connect.with(server.auth.optional()));
    Client::anonymous(&server.app).await.connect("/").await.unwrap();
    Client::of(&server.app, "bob").await.connect("/").await.unwrap();
    assert_eq!(soon(running.recv()).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_handler_can_read_the_user_and_nothing_leaks() {
    for layer in [false, true] {
        let server = Server::new(layer);
        let (left, mut leaving) = mpsc::unbounded_channel();
        let on_connect = async move |socket: SocketRef| {
            socket.on_disconnect(
                async move |user: MaybeAuth<User>, session: MaybeSession, why: DisconnectReason| {
                    let name = user.user().map(|user| user.name);
                    left.send((name, user.logged_in(), maybe_views(&session), why)).unwrap();
                },
            );
        };
        server.io.ns("/", on_connect.clone().with(server.auth.optional()));
        server.io.ns("/other", on_connect.with(server.auth.optional()));

        for (who, expected) in
            [("ann", (Some("ann"), true, Some(3))), ("anonymous", (None, false, Some(1)))]
        {
            let mut client = Client::of(&server.app, who).await;
            client.connect("/").await.unwrap();
            client.connect("/other").await.unwrap();
            client.leave("/other").await;
            let (name, logged_in, views, why) = soon(leaving.recv()).await.unwrap();
            assert_eq!((name, logged_in, views), expected);
            assert_eq!(why, DisconnectReason::ClientNSDisconnect);
            client.close().await;
            let (name, logged_in, views, why) = soon(leaving.recv()).await.unwrap();
            assert_eq!((name, logged_in, views), expected);
            assert_eq!(why, DisconnectReason::TransportClose);
            eventually("nobody is left", || server.is_empty()).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_auth_kept_by_a_handler_is_not_live_after_its_socket_closed() {
    let server = Server::new(false);
    let kept = Arc::new(Mutex::new(None));
    let on_connect = {
        let kept = kept.clone();
        async move |user: Auth<User>, maybe: MaybeAuth<User>| {
            *kept.lock().unwrap() = Some((user, maybe));
        }
    };
    server.io.ns("/", on_connect.with(server.auth.required()));
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    eventually("the handler runs", || kept.lock().unwrap().is_some()).await;
    let (user, maybe) = kept.lock().unwrap().clone().unwrap();
    assert!(user.is_live() && maybe.logged_in());

    client.close().await;
    eventually("nobody is left", || server.is_empty()).await;
    assert!(!user.is_live() && !maybe.logged_in());
    assert_eq!((user.name, maybe.user().unwrap().name), ("ann", "ann"));
    let said = format!("{user:?} {maybe:?}");
    assert!(!said.contains("ann"), "{said}");
}
