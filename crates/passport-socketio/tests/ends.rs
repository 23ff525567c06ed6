//! A login that ends takes its sockets with it.
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

mod common;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::world::{Server, User, ignore};
use common::{Client, eventually, soon};
use passport_socketio::live::EndReason;
use passport_socketio::socketio::user_room;
use passport_socketio::{Auth, MaybeAuth, filter_sockets_by_user};
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

/// The notice, and the disconnect right behind it.
async fn is_told(client: &mut Client, ns: &str, reason: EndReason) {
    let notice = json!({"code": reason.code(), "reconnect": reason.reconnect()});
    assert_eq!(client.event(ns).await, json!(["session_ended", notice]));
    let disconnect = if ns == "/" { "1" } else { "1/lobby," };
    assert_eq!(client.receive().await, disconnect);
}

#[tokio::test]
async fn every_socket_of_the_session_is_told_why_and_disconnected_and_nobody_else() {
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
        is_told(&mut phone, "/", reason).await;
        is_told(&mut tab, "/lobby", reason).await;

        let (io, lobby) = (&server.io, server.io.of("/lobby").unwrap());
        io.to(user_room(42)).emit("still", "here").await.unwrap();
        lobby.emit("still", "here").await.unwrap();
        assert_eq!(other_login.event("/").await, json!(["still", "here"]));
        assert_eq!(guest.event("/lobby").await, json!(["still", "here"]));
        eventually("one session is left", || server.live.user(42).sessions() == 1).await;
    }
}

#[tokio::test]
async fn from_then_on_no_handler_is_given_the_user_and_a_disconnect_handler_learns_it_ended() {
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
async fn a_client_that_reads_nothing_is_disconnected_as_soon_as_there_is_room_to_say_so() {
    let server = server(false);
    let mut client = connected(&server, "ann", &["/"]).await;
    let socket = server.live.user(42).sockets().pop().unwrap();
    let mut sent = 0;
    while socket.emit("flood", &sent).is_ok() {
        sent += 1;
    }
    server.live.end_session(&"ann".into(), EndReason::LoggedOut);
    // Still connected, but nobody's any more.
    assert!(socket.connected());
    assert!(server.io.to(user_room(42)).sockets().is_empty());
    assert!(server.live.user(42).sockets().is_empty());
    assert!(filter_sockets_by_user(&server.io, |_: &User| true).is_empty());
    for n in 0..sent {
        assert_eq!(client.event("/").await, json!(["flood", n]));
    }
    is_told(&mut client, "/", EndReason::LoggedOut).await;
    drop(socket);
    eventually("nobody is left", || server.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_while_its_socket_is_connecting_leaves_no_live_socket() {
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
        is_told(&mut client, "/", EndReason::LoggedOut).await;
        eventually("nobody is left", || server.is_empty()).await;
        assert!(!ran.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn a_session_that_ends_between_handshake_and_connect_is_looked_up_again() {
    let server = server(true);
    let mut client = Client::of(&server.app, "ann").await;
    let json = r#"{"cookie":{}}"#;
    let life = passport_socketio::store::Life::Forever;
    server.store.inner().0.set("ann", json, life);
    assert_eq!(server.live.end_session(&"ann".into(), EndReason::LoggedOut), 0);
    assert_eq!(client.connect("/").await, Err("unauthorized".into()));
}
