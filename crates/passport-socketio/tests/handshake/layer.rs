#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! The tower layer around the host's.

mod paths;

use std::sync::Arc;
use std::time::Duration;

use crate::common::world::{Server, cookie, ignore};
use crate::common::{Client, ask, soon};
use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderMap, Method, Request, StatusCode};
use passport_socketio::{Authorizer, AuthorizerBuilder, Failure};
use serde_json::{Value, json};
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;

type Header = (&'static str, String);

fn headers(origin: &str) -> [Header; 3] {
    [("host", "app.example".to_owned()), ("origin", origin.to_owned()), ("cookie", cookie("ann"))]
}

fn forbidden() -> (StatusCode, String) {
    (StatusCode::FORBIDDEN, r#"{"code":"forbidden"}"#.to_owned())
}

fn server() -> Server {
    let server = Server::new(true);
    server.io.ns("/", ignore.with(server.auth.required()));
    server.io.ns("/lobby", ignore.with(server.auth.optional()));
    server
}

#[tokio::test(start_paused = true)]
async fn a_foreign_origin_is_refused_without_a_connection_or_a_load() {
    let server = server();
    for foreign in ["https://evil.example", "https://app.example", "null"] {
        let answer = Client::open(&server.app, headers(foreign)).await.err();
        assert_eq!(answer, Some(forbidden()), "{foreign}");
    }
    for method in [Method::POST, Method::OPTIONS, Method::GET] {
        let request = Request::builder().method(method).uri("/socket.io/");
        let request = request.header("origin", "https://evil.example").body(Body::empty());
        assert_eq!(ask(&server.app, request.unwrap()).await, forbidden());
    }
    assert_eq!(server.store.loads(), 0);
    assert!(server.holds_no_user());
}

/// The host's own answers, whatever it makes of a query by then.
#[tokio::test(start_paused = true)]
async fn a_request_that_opens_no_connection_loads_no_session() {
    let mut opened = 0;
    for version in ["EIO=4", "EIO=3", "EIO=2", "EIO=5", "EIO=4=5", "EIO=", "eio=4", ""] {
        for transport in ["polling", "polling=", "Polling", "webtransport", ""] {
            let server = server();
            let uri = format!("/socket.io/?{version}&transport={transport}");
            let request = Request::get(&uri).header("cookie", cookie("ann"));
            let (status, _) = ask(&server.app, request.body(Body::empty()).unwrap()).await;
            let opens = status == StatusCode::OK;
            assert_eq!(server.store.loads(), usize::from(opens), "{uri}: {status}");
            opened += usize::from(opens);
        }
    }
    assert_eq!(opened, 6);
}

#[tokio::test(start_paused = true)]
async fn the_layer_passes_requests_of_the_servers_own_origin() {
    let server = server();
    let own = headers("http://app.example");
    let mut client = Client::open(&server.app, own).await.unwrap();
    client.connect("/").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_origin_of_later_requests_of_a_connection_is_checked() {
    let server = server();
    let mut client = Client::open(&server.app, headers("http://app.example")).await.unwrap();
    client.connect("/").await.unwrap();
    client.set_headers(headers("https://evil.example"));
    assert_eq!(client.request(Method::GET, "").await, forbidden());
    assert_eq!(client.request(Method::POST, "41").await, forbidden());
    assert_eq!(server.live.user(42).sockets().len(), 1);
    client.set_headers(headers("http://app.example"));
    client.connect("/lobby").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_fail_hook_sees_a_foreign_origin_and_changes_nothing() {
    let (seen, mut refused) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::with(true, |builder| {
        builder.fail(move |failure: &Failure| {
            seen.send(failure.code()).unwrap();
            failure.refuse_with("a text of the app's")
        })
    });
    let answer = Client::open(&server.app, headers("https://evil.example")).await.err();
    assert_eq!(answer, Some(forbidden()));
    assert_eq!(soon(refused.recv()).await, Some("origin_not_allowed"));
}

#[tokio::test(start_paused = true)]
async fn handshake_and_first_connect_share_one_load_and_later_connects_do_not() {
    let server = server();
    let mut client = Client::of(&server.app, "ann").await;
    assert_eq!(server.store.loads(), 1);
    client.connect("/").await.unwrap();
    assert_eq!(server.store.loads(), 1);
    client.connect("/lobby").await.unwrap();
    assert_eq!(server.store.loads(), 2);
    client.leave("/lobby").await;
    client.connect("/lobby").await.unwrap();
    assert_eq!(server.store.loads(), 3);
}

#[tokio::test(start_paused = true)]
async fn without_the_layer_only_the_connect_loads_the_session() {
    let server = Server::new(false);
    server.io.ns("/", ignore.with(server.auth.required()));
    let mut client = Client::of(&server.app, "ann").await;
    assert_eq!(server.store.loads(), 0);
    client.connect("/").await.unwrap();
    assert_eq!(server.store.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_handshakes_lookup_is_used_for_one_second() {
    for (millis, loads) in [(0, 1), (1000, 1), (1001, 2)] {
        let server = server();
        let mut client = Client::of(&server.app, "ann").await;
        tokio::time::advance(Duration::from_millis(millis)).await;
        client.connect("/").await.unwrap();
        assert_eq!(server.store.loads(), loads, "after {millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_lookup_of_the_handshake_is_used_for_one_second() {
    let server = server();
    let mut client = Client::of(&server.app, "unknown").await;
    let life = passport_socketio::store::Life::Forever;
    let json = r#"{"cookie":{},"passport":{"user":42}}"#;
    server.store.inner().0.set("unknown", json, life);
    tokio::time::advance(Duration::from_millis(1001)).await;
    client.connect("/").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn later_requests_of_a_connection_load_no_session() {
    let server = server();
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    for _ in 0..3 {
        client.emit("/", "anything").await;
        server.io.emit("poll", &()).await.unwrap();
        client.event("/").await;
    }
    assert_eq!(server.store.loads(), 1);
}

/// Whether the host still holds the cookie of a client that connected, and the `Host`.
async fn held_by_host(server: &Server) -> Value {
    let on_connect = async |socket: SocketRef| {
        let headers = &socket.req_parts().headers;
        let held = ["cookie", "host"].map(|name| headers.contains_key(name));
        socket.emit("held", &(held,)).unwrap();
    };
    server.io.ns("/", on_connect.with(server.auth.required()));
    let own = headers("http://app.example");
    let mut client = Client::open(&server.app, own).await.unwrap();
    client.connect("/").await.unwrap();
    client.event("/").await
}

#[tokio::test(start_paused = true)]
async fn the_layer_removes_the_cookie_unless_keep_cookies_is_set() {
    let (with, without) = (json!(["held", [true, true]]), json!(["held", [false, true]]));
    assert_eq!(held_by_host(&Server::new(true)).await, without);
    assert_eq!(held_by_host(&Server::new(false)).await, with);
    let keeping = Server::with(true, AuthorizerBuilder::keep_cookies);
    assert_eq!(held_by_host(&keeping).await, with);
}

#[tokio::test(start_paused = true)]
async fn other_routes_pass_untouched() {
    let server = Server::new(true);
    let seen = async |headers: HeaderMap, marker: Option<Extension<Arc<str>>>| {
        let header = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        json!([header("cookie"), header("origin"), marker.is_none()]).to_string()
    };
    let app = Router::new().route("/hello", get(seen)).merge(server.app).layer(server.auth.layer());
    for path in ["/hello", "/hello?transport=polling&EIO=4"] {
        let mut request = Request::get(path);
        for (name, value) in headers("https://evil.example") {
            request = request.header(name, value);
        }
        let (status, body) = ask(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body, json!([cookie("ann"), "https://evil.example", true]).to_string());
    }
    assert_eq!(server.store.loads(), 0);
    let missing = Request::get("/socket.iox/").header("origin", "https://evil.example");
    let (status, _) = ask(&app, missing.body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_configured_path_is_guarded() {
    let store = crate::common::world::store();
    let auth: Authorizer<_> =
        crate::common::world::auth_over(store.clone()).path("/rt").build().unwrap();
    let (host, io) = socketioxide::SocketIo::builder().req_path("/rt").build_layer();
    io.ns("/", ignore.with(auth.required()));
    let app: Router = Router::new().layer(host).layer(auth.layer());
    let at = async |path: &str| {
        let request = Request::get(format!("{path}/?EIO=4&transport=polling"));
        let request = request.header("origin", "https://evil.example").body(Body::empty());
        ask(&app, request.unwrap()).await.0
    };
    assert_eq!(at("/rt").await, StatusCode::FORBIDDEN);
    assert_eq!(at("/socket.io").await, StatusCode::NOT_FOUND);
}
