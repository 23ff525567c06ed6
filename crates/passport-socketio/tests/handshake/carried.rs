#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! Sessions that the cookie carries: there is no store, and every connection has a maximal age.

use std::sync::Arc;
use std::time::Duration;

use crate::common::Client;
use crate::common::world::ignore;
use axum::Router;
use express_session::cookie::{Keygrip, KeygripHash};
use passport_socketio::source::{CookieSessionSource, KoaSource, SessionSource};
use passport_socketio::store::MemoryStore;
use passport_socketio::{Authorizer, AuthorizerBuilder, ConfigError};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use testkit::{CountingStore, FakeClock};
use tokio::time::{Instant, sleep};

/// `{"passport":{"user":"u1"}}`
const ANN: &str = "eyJwYXNzcG9ydCI6eyJ1c2VyIjoidTEifX0=";
/// `{"passport":{}}`
const ANONYMOUS: &str = "eyJwYXNzcG9ydCI6e319";
/// `{"passport":{"user":42},"_expire":1767268799999}`: a millisecond before the fake clock's noon.
const LATE: &str = "eyJwYXNzcG9ydCI6eyJ1c2VyIjo0Mn0sIl9leHBpcmUiOjE3NjcyNjg3OTk5OTl9";

/// `{"passport":{"user":"u1"},"_expire":1767268805000}`: five seconds after the fake clock's noon.
const SOON: &str = "eyJwYXNzcG9ydCI6eyJ1c2VyIjoidTEifSwiX2V4cGlyZSI6MTc2NzI2ODgwNTAwMH0=";

fn over(source: impl SessionSource) -> AuthorizerBuilder<String> {
    Authorizer::builder()
        .source(source)
        .deserialize_user(async |id: String| Ok::<_, std::io::Error>(Some(id)))
}

fn cookie_session() -> CookieSessionSource {
    CookieSessionSource::new("session", ["key1"], KeygripHash::Sha1).unwrap()
}

fn signed(name: &str, value: &str, key: &str) -> [(&'static str, String); 1] {
    let sig = Keygrip::new([key], KeygripHash::Sha1).unwrap().sign(&format!("{name}={value}"));
    [("cookie", format!("{name}={value}; {name}.sig={sig}"))]
}

fn serve(auth: &Authorizer<String>) -> (Router, SocketIo) {
    // No heartbeat: the clients of these tests sleep for an hour.
    let never = Duration::from_secs(24 * 60 * 60);
    let (host, io) = SocketIo::builder().ping_interval(never).ping_timeout(never).build_layer();
    io.ns("/", ignore.with(auth.required()));
    (Router::new().layer(host).layer(auth.layer()), io)
}

async fn connect(
    auth: &Authorizer<String>,
    headers: [(&'static str, String); 1],
) -> Result<(), String> {
    let (app, _io) = serve(auth);
    Client::open(&app, headers).await.unwrap().connect("/").await
}

#[tokio::test]
async fn a_cookie_session_is_authorized_without_a_store() {
    let auth = over(cookie_session()).build().unwrap();
    assert_eq!(connect(&auth, signed("session", ANN, "key1")).await, Ok(()));
    for refused in [signed("session", ANONYMOUS, "key1"), signed("session", ANN, "key2")] {
        assert_eq!(connect(&auth, refused).await, Err("unauthorized".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cookie_session_never_asks_a_configured_store() {
    let store = Arc::new(CountingStore::new(MemoryStore::for_tests()));
    let auth = over(cookie_session()).store(store.clone()).build().unwrap();
    let (app, io) = serve(&auth);
    let mut client = Client::open(&app, signed("session", ANN, "key1")).await.unwrap();
    client.connect("/").await.unwrap();
    // Two sweeps of the default `max_stale`, 30 s.
    sleep(Duration::from_secs(60)).await;
    assert_eq!(auth.attach(&io).unwrap().user("u1").sockets().len(), 1);
    assert_eq!(store.loads(), 0);
}

#[tokio::test]
async fn a_session_that_koa_calls_expired_is_expired() {
    let clock = Arc::new(FakeClock::default());
    let source = KoaSource::in_cookie("koa.sess", ["key1"], KeygripHash::Sha1).unwrap();
    let auth = Authorizer::<i64>::builder()
        .source(source)
        .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)))
        .clock(clock)
        .build()
        .unwrap();
    let [(name, cookies)] = signed("koa.sess", LATE, "key1");
    let request = http::Request::get("/").header(name, cookies).body(()).unwrap();
    let (request, ()) = request.into_parts();
    let decision = auth.authorize(&request).await.unwrap();
    let passport_socketio::Decision::Denied(denial) = decision else { panic!("it has passed") };
    assert_eq!(denial.code(), "session_expired");
}

#[tokio::test(start_paused = true)]
async fn an_expired_cookie_session_ends_and_its_client_may_reconnect() {
    let source = KoaSource::in_cookie("koa.sess", ["key1"], KeygripHash::Sha1).unwrap();
    let auth = over(source).clock(Arc::new(FakeClock::default())).build().unwrap();
    let (app, io) = serve(&auth);
    let mut client = Client::open(&app, signed("koa.sess", SOON, "key1")).await.unwrap();
    client.connect("/").await.unwrap();
    let connected = Instant::now();
    let live = auth.attach(&io).unwrap();
    while !live.online().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    let after = connected.elapsed();
    // Time is paused: only the steps of 10 ms above make it inexact.
    assert!(after.abs_diff(Duration::from_secs(5)) < Duration::from_millis(100), "{after:?}");
    let notice = json!({"code": "expired", "reconnect": true});
    assert_eq!(client.event("/").await, json!(["session_ended", notice]));
}

#[test]
fn a_source_that_needs_a_store_is_refused_without_one() {
    let in_store = KoaSource::in_store("koa.sess", ["key1"], KeygripHash::Sha1).unwrap();
    assert!(matches!(over(in_store).build(), Err(ConfigError::MissingStore)));
}

#[tokio::test(start_paused = true)]
async fn a_cookie_session_lasts_an_hour_or_max_connection_age() {
    let hour = Duration::from_secs(3600);
    let minute = Duration::from_secs(60);
    for (auth, age) in [
        (over(cookie_session()).build().unwrap(), hour),
        (over(cookie_session()).max_connection_age(minute).build().unwrap(), minute),
    ] {
        let (app, io) = serve(&auth);
        let mut client = Client::open(&app, signed("session", ANN, "key1")).await.unwrap();
        client.connect("/").await.unwrap();
        sleep(age - Duration::from_millis(100)).await;
        assert_eq!(auth.attach(&io).unwrap().user("u1").sockets().len(), 1);
        let ended = client.event("/").await;
        assert_eq!(ended, json!(["session_ended", {"code": "expired", "reconnect": true}]));
    }
}
