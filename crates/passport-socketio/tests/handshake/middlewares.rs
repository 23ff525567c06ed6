#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! The gate among other connect middlewares. The host runs the last `.with` first.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::world::{Server, User, ignore};
use crate::common::{Client, eventually};
use passport_socketio::{Auth, MaybeAuth};
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;

async fn agree() -> Result<(), fmt::Error> {
    Ok(())
}

async fn refuse(_: Auth<User>) -> Result<(), &'static str> {
    Err("full")
}

/// Both orders, on a static and on a dynamic namespace.
fn serve(server: &Server) {
    let auth = &server.auth;
    let io: &SocketIo = &server.io;
    io.ns("/", ignore.with(agree).with(auth.required()));
    io.ns("/inner", ignore.with(auth.required()).with(agree));
    io.ns("/between", ignore.with(agree).with(auth.required()).with(agree));
    io.dyn_ns("/dyn/{id}", ignore.with(agree).with(auth.required())).unwrap();
    io.dyn_ns("/dyn-inner/{id}", ignore.with(auth.required()).with(agree)).unwrap();
}

const NAMESPACES: [&str; 5] = ["/", "/inner", "/between", "/dyn/1", "/dyn-inner/1"];

#[tokio::test]
async fn the_gate_refuses_anonymous_clients_at_any_middleware_position() {
    for layer in [false, true] {
        let server = Server::new(layer);
        serve(&server);
        let mut client = Client::anonymous(&server.app).await;
        for ns in NAMESPACES {
            assert_eq!(client.connect(ns).await, Err("unauthorized".into()), "{ns}");
        }
    }
}

#[tokio::test]
async fn the_gate_admits_users_at_any_middleware_position() {
    for layer in [false, true] {
        let server = Server::new(layer);
        serve(&server);
        let mut client = Client::of(&server.app, "ann").await;
        for ns in NAMESPACES {
            client.connect(ns).await.unwrap_or_else(|error| panic!("{ns}: {error}"));
        }
        assert_eq!(server.live.user(42).sockets().len(), NAMESPACES.len());
    }
}

#[tokio::test]
async fn a_middleware_after_the_gate_runs_for_admitted_users_only() {
    let server = Server::new(false);
    let asked = Arc::new(AtomicUsize::new(0));
    let only_ann = {
        let asked = asked.clone();
        async move |user: Auth<User>| {
            asked.fetch_add(1, Ordering::SeqCst);
            if user.name == "ann" { Ok(()) } else { Err("not ann") }
        }
    };
    server.io.ns("/", ignore.with(only_ann).with(server.auth.required()));
    let mut guest = Client::anonymous(&server.app).await;
    assert_eq!(guest.connect("/").await, Err("unauthorized".into()));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let mut bob = Client::of(&server.app, "bob").await;
    assert_eq!(bob.connect("/").await, Err("not ann".into()));
    Client::of(&server.app, "ann").await.connect("/").await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refusal_by_a_middleware_after_the_gate_leaves_no_state() {
    for layer in [false, true] {
        let server = Server::new(layer);
        server.io.ns("/", ignore.with(refuse).with(server.auth.required()));
        let mut client = Client::of(&server.app, "ann").await;
        assert_eq!(client.connect("/").await, Err("full".into()));
        eventually("the registry is empty", || server.holds_no_user()).await;
        assert!(server.live.user(42).sockets().is_empty());
        assert!(server.io.to(server.live.user_room(42)).sockets().is_empty());
    }
}

#[tokio::test]
async fn a_middleware_before_the_gate_sees_no_user() {
    let server = Server::new(true);
    let early = async |user: MaybeAuth<User>| {
        if user.user().is_some() { Err("known too early") } else { Ok(()) }
    };
    server.io.ns("/", ignore.with(server.auth.required()).with(early));
    let required_early = async |_: Auth<User>| Ok::<_, fmt::Error>(());
    server.io.ns("/wrong", ignore.with(server.auth.required()).with(required_early));
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    assert_eq!(client.connect("/wrong").await, Err("unauthorized".into()));
}

#[tokio::test]
async fn a_namespace_without_a_gate_sees_no_user() {
    let server = Server::new(true);
    server.io.ns("/", async |socket: SocketRef, user: MaybeAuth<User>| {
        socket.emit("known", &user.user().is_some()).unwrap();
    });
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    assert_eq!(client.event("/").await, serde_json::json!(["known", false]));
}
