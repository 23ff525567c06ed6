//! A login that ends takes its sockets with it.
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::world::{Server, User, ignore};
use crate::common::{Client, eventually, soon};
use passport_socketio::live::EndReason;
use passport_socketio::{Auth, MaybeAuth, MaybeSession, Session, filter_sockets_by_user};
use serde_json::json;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use tokio::sync::{Notify, mpsc};

fn server(layer: bool) -> Server {
    let server = Server::new(layer);
    server.io.ns("/", ignore.with(server.auth.required()));
    server.io.ns("/lobby", ignore.with(server.auth.optional()));
    server
}

async fn connected(server: &Server, who: &str, namespaces: &[&str]) -> Client {
    let mut client = Client::of(&server.app, who).await;
    for ns in namespaces {
        client.connect(ns).await.unwrap();
    }
    client
}

/// Asserts that the client reads the notice, and the disconnect right after it.
async fn reads_the_end(client: &mut Client, ns: &str, reason: EndReason) {
    let notice = json!({"code": reason.code(), "reconnect": reason.reconnect()});
    assert_eq!(client.event(ns).await, json!(["session_ended", notice]));
    let disconnect = if ns == "/" { "1" } else { "1/lobby," };
    assert_eq!(client.receive().await, disconnect);
}

#[tokio::test(start_paused = true)]
async fn all_sockets_of_an_ended_session_get_a_notice_and_a_disconnect() {
    for reason in
        [EndReason::LoggedOut, EndReason::Expired, EndReason::Revoked, EndReason::UserChanged]
    {
        let server = server(true);
        let mut phone = connected(&server, "ann", &["/"]).await;
        let mut tab = connected(&server, "ann", &["/lobby"]).await;
        let mut other_login = connected(&server, "ann-too", &["/"]).await;
        let mut guest = connected(&server, "anonymous", &["/lobby"]).await;

        assert_eq!(server.live.end_session(&"ann".into(), reason), 2);
        assert_eq!(server.live.end_session(&"ann".into(), reason), 0);
        reads_the_end(&mut phone, "/", reason).await;
        reads_the_end(&mut tab, "/lobby", reason).await;

        let (io, lobby) = (&server.io, server.io.of("/lobby").unwrap());
        io.to(server.live.user_room(42)).emit("still", "here").await.unwrap();
        lobby.emit("still", "here").await.unwrap();
        assert_eq!(other_login.event("/").await, json!(["still", "here"]));
        assert_eq!(guest.event("/lobby").await, json!(["still", "here"]));
        eventually("one session is left", || server.live.user(42).sessions() == 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_handler_sees_that_the_login_has_ended() {
    let server = Server::new(false);
    let (left, mut leaving) = mpsc::unbounded_channel();
    let on_connect = async move |socket: SocketRef, user: Auth<User>| {
        socket.on_disconnect(async move |maybe: MaybeAuth<User>| {
            let name = maybe.user().unwrap().name;
            left.send((name, maybe.logged_in(), user.is_live())).unwrap();
        });
    };
    server.io.ns("/", on_connect.with(server.auth.required()));
    let client = connected(&server, "ann", &["/"]).await;
    // The connect handler is a task of its own.
    tokio::task::yield_now().await;
    server.live.end_session(&"ann".into(), EndReason::LoggedOut);
    assert_eq!(soon(leaving.recv()).await, Some(("ann", false, false)));
    eventually("nobody is left", || server.is_empty()).await;
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_full_buffer_is_disconnected_as_soon_as_it_reads() {
    let server = server(false);
    let mut client = connected(&server, "ann", &["/"]).await;
    let socket = server.live.user(42).sockets().pop().unwrap();
    let mut sent = 0;
    while socket.emit("flood", &sent).is_ok() {
        sent += 1;
    }
    server.live.end_session(&"ann".into(), EndReason::LoggedOut);
    // It is still connected, and belongs to no user any more.
    assert!(socket.connected());
    assert!(server.io.to(server.live.user_room(42)).sockets().is_empty());
    assert!(server.live.user(42).sockets().is_empty());
    assert!(filter_sockets_by_user(&server.io, |_: &User| true).is_empty());
    for n in 0..sent {
        assert_eq!(client.event("/").await, json!(["flood", n]));
    }
    reads_the_end(&mut client, "/", EndReason::LoggedOut).await;
    drop(socket);
    eventually("nobody is left", || server.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_during_connect_leaves_no_live_socket() {
    for layer in [false, true] {
        let server = Server::new(layer);
        let (waiting, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let behind_the_gate = {
            let (waiting, go) = (waiting.clone(), go.clone());
            async move || {
                waiting.notify_one();
                go.notified().await;
                Ok::<_, fmt::Error>(())
            }
        };
        let ran = Arc::new(AtomicBool::new(false));
        let handler = {
            let ran = ran.clone();
            async move |_: Auth<User>| ran.store(true, Ordering::SeqCst)
        };
        let gated = handler.with(behind_the_gate).with(server.auth.required());
        server.io.ns("/", gated);

        let mut client = Client::of(&server.app, "ann").await;
        client.send("0").await;
        soon(waiting.notified()).await;
        let ended = server.live.end_session(&"ann".into(), EndReason::LoggedOut);
        assert_eq!(ended, 1);
        go.notify_one();
        client.connected("/").await.unwrap();
        reads_the_end(&mut client, "/", EndReason::LoggedOut).await;
        eventually("nobody is left", || server.is_empty()).await;
        assert!(!ran.load(Ordering::SeqCst));
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_between_handshake_and_connect_is_looked_up_again() {
    let server = server(true);
    let mut client = Client::of(&server.app, "ann").await;
    let json = r#"{"cookie":{}}"#;
    let life = passport_socketio::store::Life::Forever;
    server.store.inner().0.set("ann", json, life);
    assert_eq!(server.live.end_session(&"ann".into(), EndReason::LoggedOut), 0);
    assert_eq!(client.connect("/").await, Err("unauthorized".into()));
}

#[tokio::test(start_paused = true)]
async fn end_session_works_on_a_thread_without_a_runtime() {
    let server = Server::new(false);
    let listen = async |socket: SocketRef| {
        // The host spawns a task for it.
        socket.on_disconnect(async |_: MaybeAuth<User>| {});
        Ok::<_, fmt::Error>(())
    };
    server.io.ns("/", ignore.with(listen).with(server.auth.required()));
    let mut first = connected(&server, "ann", &["/"]).await;
    let mut second = connected(&server, "ann", &["/"]).await;
    let live = server.live.clone();
    let operator = std::thread::spawn(move || live.end_session(&"ann".into(), EndReason::Revoked));
    assert_eq!(operator.join().unwrap(), 2);
    reads_the_end(&mut first, "/", EndReason::Revoked).await;
    reads_the_end(&mut second, "/", EndReason::Revoked).await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_whose_handshake_is_slow_does_not_outlive_the_login() {
    let server = Server::new(false);
    let slow = async || {
        tokio::time::sleep(Duration::from_secs(600)).await;
        Ok::<_, fmt::Error>(())
    };
    server.io.ns("/lobby", ignore.with(server.auth.optional()));
    server.io.ns("/", ignore.with(slow).with(server.auth.required()));
    let mut client = connected(&server, "ann", &["/lobby"]).await;
    client.send("0").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.live.end_session(&"ann".into(), EndReason::LoggedOut), 2);
    reads_the_end(&mut client, "/lobby", EndReason::LoggedOut).await;
    tokio::time::sleep(Duration::from_secs(700)).await;
    eventually("nobody is left", || server.is_empty()).await;
}

/// The client reads nothing, so the disconnect has to wait; no handler runs for what it sends meanwhile.
#[tokio::test(start_paused = true)]
async fn no_handler_with_an_extractor_runs_after_the_login_has_ended() {
    let server = Server::new(false);
    let (ran, mut running) = mpsc::unbounded_channel();
    let listen = async move |socket: SocketRef| {
        let (maybe, session, maybe_session, plain) =
            (ran.clone(), ran.clone(), ran.clone(), ran.clone());
        socket.on("maybe", async move |_: MaybeAuth<User>| maybe.send("maybe").unwrap());
        socket.on("session", async move |_: Session| session.send("session").unwrap());
        socket.on("either", async move |_: MaybeSession| maybe_session.send("either").unwrap());
        socket.on("plain", async move || plain.send("plain").unwrap());
        Ok::<_, fmt::Error>(())
    };
    server.io.ns("/", ignore.with(listen).with(server.auth.required()));
    let mut client = connected(&server, "ann", &["/"]).await;
    for event in ["maybe", "session", "either", "plain"] {
        client.emit("/", event).await;
        assert_eq!(soon(running.recv()).await, Some(event));
    }
    let socket = server.live.user(42).sockets().pop().unwrap();
    while socket.emit("flood", "").is_ok() {}
    server.live.end_session(&"ann".into(), EndReason::LoggedOut);
    assert!(socket.connected());
    for event in ["maybe", "session", "either", "plain"] {
        client.emit("/", event).await;
    }
    assert_eq!(soon(running.recv()).await, Some("plain"));
    assert!(running.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_debug_output_of_an_end_contains_no_session_or_socket_id() {
    let printed = Arc::new(Mutex::new(Vec::new()));
    let book = printed.clone();
    let server = Server::with(true, |builder| {
        builder.on_session_end(move |ended| {
            let socket = ended.socket.to_string();
            book.lock().unwrap().push((socket, format!("{ended:?}")));
        })
    });
    server.io.ns("/", ignore.with(server.auth.required()));
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    server.live.end_session(&"ann".into(), EndReason::LoggedOut);
    let printed = printed.lock().unwrap();
    let [(socket, printed)] = &**printed else { panic!("{printed:?}") };
    assert!(!printed.contains(socket.as_str()) && !printed.contains("\"ann\""), "{printed}");
    assert!(printed.contains("LoggedOut"), "{printed}");
}
