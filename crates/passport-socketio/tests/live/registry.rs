#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! The sockets of each user and session.

mod shared;

use std::collections::HashSet;
use std::time::Duration;

use crate::common::world::{Server, User, ignore};
use crate::common::{Client, eventually, soon};
use express_session::SessionId;
use passport_socketio::store::Life;
use passport_socketio::{Auth, UserKey, filter_sockets_by_user};
use serde_json::json;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use tokio::sync::mpsc;

/// Members on `/`, everybody in `/lobby`, one namespace a room.
fn server(layer: bool) -> Server {
    let server = Server::new(layer);
    server.io.ns("/", ignore.with(server.auth.required()));
    server.io.ns("/lobby", ignore.with(server.auth.optional()));
    let room = ignore.with(server.auth.required());
    server.io.dyn_ns("/room/{id}", room).unwrap();
    server
}

async fn connected(server: &Server, who: &str, namespaces: &[&str]) -> Client {
    let mut client = Client::of(&server.app, who).await;
    for ns in namespaces {
        client.connect(ns).await.unwrap();
    }
    client
}

fn namespaces(sockets: &[SocketRef]) -> Vec<String> {
    let mut namespaces: Vec<_> = sockets.iter().map(|socket| socket.ns().to_owned()).collect();
    namespaces.sort();
    namespaces
}

#[tokio::test(start_paused = true)]
async fn a_user_has_the_sockets_of_all_their_sessions_in_all_namespaces() {
    for layer in [false, true] {
        let server = server(layer);
        let mut ann = connected(&server, "ann", &["/", "/lobby", "/room/1"]).await;
        let ann_too = connected(&server, "ann-too", &["/"]).await;
        let _bob = connected(&server, "bob", &["/", "/lobby"]).await;
        let _guest = connected(&server, "anonymous", &["/lobby"]).await;

        let live = &server.live;
        assert_eq!(namespaces(&live.user(42).sockets()), ["/", "/", "/lobby", "/room/1"]);
        assert_eq!(live.user(42).sessions(), 2);
        assert_eq!(namespaces(&live.user(7).sockets()), ["/", "/lobby"]);
        assert!(live.user("42").sockets().is_empty());
        assert_eq!(
            HashSet::from_iter(live.online()),
            HashSet::<UserKey>::from([42.into(), 7.into()])
        );

        ann.leave("/room/1").await;
        let sockets = || live.user(42).sockets();
        eventually("one is gone", || namespaces(&sockets()) == ["/", "/", "/lobby"]).await;
        ann_too.close().await;
        eventually("two are gone", || namespaces(&sockets()) == ["/", "/lobby"]).await;
        eventually("a session is gone", || live.user(42).sessions() == 1).await;
        ann.close().await;
        eventually("ann is gone", || live.online() == [7.into()]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_is_found_by_user_id_and_not_by_the_key_in_the_session() {
    let server = Server::with(true, |builder| builder.user_id(|user: &User| user.name));
    server.io.ns("/", ignore.with(server.auth.required()));
    let mut client = connected(&server, "ann", &["/"]).await;
    assert_eq!(server.live.user("ann").sockets().len(), 1);
    assert!(server.live.user(42).sockets().is_empty());
    server.io.to(server.live.user_room("ann")).emit("news", "hello").await.unwrap();
    assert_eq!(client.event("/").await, json!(["news", "hello"]));
}

#[tokio::test(start_paused = true)]
async fn user_and_session_rooms_reach_their_own_sockets_only() {
    for layer in [false, true] {
        let server = server(layer);
        let mut ann = connected(&server, "ann", &["/", "/lobby"]).await;
        let mut ann_too = connected(&server, "ann-too", &["/"]).await;
        let mut bob = connected(&server, "bob", &["/"]).await;
        let mut guest = connected(&server, "anonymous", &["/lobby"]).await;

        let (io, lobby) = (&server.io, server.io.of("/lobby").unwrap());
        io.to(server.live.user_room(42)).emit("user", &42).await.unwrap();
        io.to(server.live.session_room(&SessionId::from("ann-too")))
            .emit("session", &2)
            .await
            .unwrap();
        lobby.clone().to(server.live.user_room(42)).emit("lobby", &1).await.unwrap();
        io.emit("all", &0).await.unwrap();
        lobby.emit("all", &0).await.unwrap();

        let (all, user) = (json!(["all", 0]), json!(["user", 42]));
        assert_eq!(ann.event("/").await, user);
        assert_eq!(ann.event("/lobby").await, json!(["lobby", 1]));
        assert_eq!(ann.event("/").await, all);
        assert_eq!(ann_too.event("/").await, user);
        assert_eq!(ann_too.event("/").await, json!(["session", 2]));
        assert_eq!(bob.event("/").await, all);
        assert_eq!(guest.event("/lobby").await, all);
    }
}

#[tokio::test(start_paused = true)]
async fn filter_sockets_by_user_covers_users_in_all_namespaces_but_no_guests() {
    for layer in [false, true] {
        let server = server(layer);
        let _ann = connected(&server, "ann", &["/", "/room/1"]).await;
        let bob = connected(&server, "bob", &["/", "/lobby"]).await;
        let _guest = connected(&server, "anonymous", &["/lobby"]).await;

        let named = |name: &'static str| {
            namespaces(&filter_sockets_by_user(&server.io, |user: &User| user.name == name))
        };
        assert_eq!(named("ann"), ["/", "/room/1"]);
        assert_eq!(named("bob"), ["/", "/lobby"]);
        assert_eq!(filter_sockets_by_user(&server.io, |_: &User| true).len(), 4);
        assert!(filter_sockets_by_user(&server.io, |_: &String| true).is_empty());
        bob.close().await;
        eventually("bob is gone", || named("bob").is_empty()).await;
        assert_eq!(named("ann"), ["/", "/room/1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_not_live_as_soon_as_the_server_disconnects_it() {
    let server = Server::new(false);
    let (done, mut doing) = mpsc::unbounded_channel();
    let on_connect = async move |socket: SocketRef| {
        socket.on("bye", async move |socket: SocketRef, user: Auth<User>| {
            let before = user.is_live();
            socket.disconnect().unwrap();
            done.send((before, user.is_live())).unwrap();
        });
    };
    server.io.ns("/", on_connect.with(server.auth.required()));
    let mut client = connected(&server, "ann", &["/"]).await;
    client.emit("/", "bye").await;
    assert_eq!(client.receive().await, "1");
    assert_eq!(soon(doing.recv()).await, Some((true, false)));
    eventually("nobody is left", || server.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_connects_leaves_no_state() {
    for layer in [false, true] {
        let server = server(layer);
        let client = Client::of(&server.app, "ann").await;
        assert_eq!(server.holds_no_user(), !layer);
        client.close().await;
        // socketioxide keeps the request for its connect timeout, 45 s.
        tokio::time::sleep(Duration::from_secs(45)).await;
        eventually("nobody is left", || server.is_empty()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn debug_output_of_live_has_counts_and_no_keys() {
    let server = server(true);
    let _ann = connected(&server, "ann", &["/", "/lobby"]).await;
    let said = format!("{:?}", server.live);
    assert_eq!(said, "Live { registry: Registry { users: 1, sessions: 1, sockets: 2 }, .. }");
}

#[tokio::test(start_paused = true)]
async fn a_handle_of_a_closed_socket_is_not_taken_for_its_successor() {
    let server = server(false);
    let mut client = connected(&server, "ann", &["/"]).await;
    let remembered = server.live.user(42).sockets();
    client.leave("/").await;
    let bobs = r#"{"cookie":{},"passport":{"user":7}}"#;
    server.store.inner().0.set("ann", bobs, Life::Forever);
    client.connect("/").await.unwrap();

    let [successor] = &server.live.user(7).sockets()[..] else { panic!("not one") };
    assert_eq!(successor.id, remembered[0].id);
    assert!(successor.connected() && !remembered[0].connected());
    assert!(server.live.user(42).sockets().is_empty());
    assert!(filter_sockets_by_user(&server.io, |user: &User| user.id == 42).is_empty());
}
