#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! Which clients reach a namespace, and what the others read. The same with the layer and without.

use crate::common::Client;
use crate::common::world::{ERRORS, GUESTS, Server, User, cookie, ignore};
use passport_socketio::MaybeAuth;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;

const FOREIGN: [(&str, &str); 2] = [("host", "app.example"), ("origin", "https://evil.example")];

/// Sends every client the user that the gate found.
async fn greet(socket: SocketRef, user: MaybeAuth<User>) {
    let name = user.user().map(|user| user.name);
    socket.emit("welcome", &(name, user.logged_in())).unwrap();
}

fn foreign(who: &str) -> impl Iterator<Item = (&'static str, String)> {
    let cookie = ("cookie", cookie(who));
    FOREIGN.map(|(name, value)| (name, value.to_owned())).into_iter().chain([cookie])
}

#[tokio::test(start_paused = true)]
async fn required_admits_users_with_their_identity() {
    for layer in [false, true] {
        let server = Server::new(layer);
        server.io.ns("/", greet.with(server.auth.required()));
        for who in ["ann", "bob"] {
            let mut client = Client::of(&server.app, who).await;
            client.connect("/").await.unwrap();
            assert_eq!(client.event("/").await, serde_json::json!(["welcome", who, true]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn required_refuses_all_other_clients_with_a_code_only() {
    for layer in [false, true] {
        let server = Server::new(layer);
        server.io.ns("/", greet.with(server.auth.required()));
        let mut client = Client::anonymous(&server.app).await;
        assert_eq!(client.connect("/").await, Err("unauthorized".into()));
        for malformed in ["connect.sid=ann", "connect.sid=s%3Aann.forged"] {
            let cookie = ("cookie", malformed.to_owned());
            let mut client = Client::open(&server.app, [cookie]).await.unwrap();
            assert_eq!(client.connect("/").await, Err("unauthorized".into()), "{malformed}");
        }
        assert_eq!(server.store.loads(), 0);
        let denied = GUESTS.map(|who| (who, "unauthorized"));
        for (who, message) in denied.into_iter().chain(ERRORS) {
            let mut client = Client::of(&server.app, who).await;
            assert_eq!(client.connect("/").await, Err(message.into()), "{who}");
        }
        assert!(server.holds_no_user());
        assert!(server.io.sockets().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn optional_admits_clients_without_a_login_as_guests_without_fail() {
    for layer in [false, true] {
        let server = Server::with(layer, |builder| builder.fail(|_| panic!("fail was asked")));
        server.io.ns("/", greet.with(server.auth.optional()));
        let guest = serde_json::json!(["welcome", null, false]);

        let mut client = Client::anonymous(&server.app).await;
        client.connect("/").await.unwrap();
        assert_eq!(client.event("/").await, guest);
        for cookie in ["connect.sid=ann", "connect.sid=s%3Aann.forged"] {
            let cookie = ("cookie", cookie.to_owned());
            let mut client = Client::open(&server.app, [cookie]).await.unwrap();
            client.connect("/").await.unwrap();
            assert_eq!(client.event("/").await, guest);
        }
        for who in GUESTS {
            let mut client = Client::of(&server.app, who).await;
            client.connect("/").await.unwrap();
            assert_eq!(client.event("/").await, guest, "{who}");
        }
        let mut ann = Client::of(&server.app, "ann").await;
        ann.connect("/").await.unwrap();
        assert_eq!(ann.event("/").await, serde_json::json!(["welcome", "ann", true]));
    }
}

#[tokio::test(start_paused = true)]
async fn optional_refuses_errors_and_rejections() {
    for layer in [false, true] {
        let server = Server::with(layer, |builder| {
            builder.success(async |_| Err(passport_socketio::Reject::new("banned")))
        });
        server.io.ns("/", greet.with(server.auth.optional()));
        for (who, message) in ERRORS.into_iter().chain([("ann", "banned")]) {
            let mut client = Client::of(&server.app, who).await;
            assert_eq!(client.connect("/").await, Err(message.into()), "{who}");
        }
        assert!(server.io.sockets().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_origin_is_forbidden_in_every_namespace_without_the_layer() {
    let server = Server::new(false);
    server.io.ns("/", ignore.with(server.auth.required()));
    server.io.ns("/lobby", ignore.with(server.auth.optional()));
    let mut client = Client::open(&server.app, foreign("ann")).await.unwrap();
    assert_eq!(client.connect("/").await, Err("forbidden".into()));
    assert_eq!(client.connect("/lobby").await, Err("forbidden".into()));
    assert_eq!(server.store.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_namespace_of_a_connection_applies_its_own_gate() {
    for layer in [false, true] {
        let server = Server::new(layer);
        server.io.ns("/", greet.with(server.auth.required()));
        server.io.ns("/lobby", greet.with(server.auth.optional()));
        server.io.ns("/public", ignore);
        let mut client = Client::of(&server.app, "anonymous").await;
        assert_eq!(client.connect("/").await, Err("unauthorized".into()));
        client.connect("/public").await.unwrap();
        client.connect("/lobby").await.unwrap();
        assert_eq!(client.event("/lobby").await, serde_json::json!(["welcome", null, false]));
        assert_eq!(client.connect("/").await, Err("unauthorized".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_can_log_in_and_connect_on_the_same_connection() {
    for layer in [false, true] {
        let server = Server::new(layer);
        server.io.ns("/", greet.with(server.auth.required()));
        let mut client = Client::of(&server.app, "anonymous").await;
        assert_eq!(client.connect("/").await, Err("unauthorized".into()));
        let logged_in = r#"{"cookie":{},"passport":{"user":7}}"#;
        let store = &server.store.inner().0;
        store.set("anonymous", logged_in, passport_socketio::store::Life::Forever);
        client.connect("/").await.unwrap();
        assert_eq!(client.event("/").await, serde_json::json!(["welcome", "bob", true]));
    }
}
