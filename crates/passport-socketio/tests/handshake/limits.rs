#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! A client that asks too often is refused before the store is asked, and no other client is.

use std::time::Duration;

use crate::common::world::{Server, cookie, ignore};
use crate::common::{Answer, Client};
use axum::body::Body;
use http::{Request, StatusCode};
use passport_socketio::{AuthorizerBuilder, Failure, PeerAddr, RateLimit};
use socketioxide::handler::ConnectHandler as _;
use tower::ServiceExt as _;

/// Three handshakes, and then none for as long as a test takes.
const THREE: RateLimit = RateLimit::per_hour(3);

type Builder = AuthorizerBuilder<crate::common::world::User>;

/// A server that takes the peer's address from the header `peer`: a router of tests has none.
fn server(layer: bool, set: impl FnOnce(Builder) -> Builder) -> Server {
    let mut server = Server::with(layer, set);
    server.io.ns("/", ignore.with(server.auth.required()));
    server.io.ns("/lobby", ignore.with(server.auth.optional()));
    let set_peer = |mut request: Request<Body>| {
        if let Some(peer) = request.headers().get("peer") {
            let ip: std::net::IpAddr = peer.to_str().unwrap().parse().unwrap();
            request.extensions_mut().insert(PeerAddr((ip, 1).into()));
        }
        request
    };
    let inner = server.app;
    let with_peer = tower::util::MapRequestLayer::new(set_peer);
    server.app = axum::Router::new().fallback_service(inner).layer(with_peer);
    server
}

async fn open(server: &Server, peer: &str, who: &str) -> Result<Client, Answer> {
    let headers = [("peer", peer.to_owned()), ("cookie", cookie(who))];
    Client::open(&server.app, headers).await
}

fn too_many() -> Answer {
    (StatusCode::TOO_MANY_REQUESTS, r#"{"code":"try_again"}"#.to_owned())
}

#[tokio::test(start_paused = true)]
async fn handshakes_of_an_address_over_the_limit_load_no_session() {
    let server = server(true, |builder| builder.limit_handshakes_per_ip(THREE));
    for who in ["ann", "bob", "unknown"] {
        open(&server, "192.0.2.1", who).await.unwrap();
    }
    let loads = server.store.loads();
    for who in ["ann", "bob", "nobody"] {
        assert_eq!(open(&server, "192.0.2.1", who).await.err(), Some(too_many()));
    }
    assert_eq!(server.store.loads(), loads);
    open(&server, "192.0.2.2", "ann").await.unwrap();
    open(&server, "2001:db8::1", "ann").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_answer_has_retry_after_and_cors_headers() {
    let server = server(true, |builder| {
        builder.origin("https://app.example").limit_handshakes_per_ip(RateLimit::per_minute(1))
    });
    let ask = || {
        let request = Request::get("/socket.io/?EIO=4&transport=websocket");
        let request = request.header("peer", "192.0.2.1").header("origin", "https://app.example");
        server.app.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    ask().await.unwrap();
    let refused = ask().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let header = |name: &str| refused.headers().get(name).unwrap().to_str().unwrap().to_owned();
    let seconds: u32 = header("retry-after").parse().unwrap();
    assert!((59..=60).contains(&seconds), "{seconds}");
    assert_eq!(header("access-control-allow-origin"), "https://app.example");
    assert_eq!(header("cache-control"), "no-store");
}

#[tokio::test(start_paused = true)]
async fn foreign_origins_and_later_requests_of_a_connection_are_not_counted() {
    let server = server(true, |builder| builder.limit_handshakes_per_ip(RateLimit::per_hour(1)));
    for _ in 0..3 {
        let foreign = [("peer", "192.0.2.1".into()), ("origin", "https://evil.example".into())];
        let (status, _) = Client::open(&server.app, foreign).await.err().unwrap();
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
    let mut client = open(&server, "192.0.2.1", "ann").await.unwrap();
    client.connect("/").await.unwrap();
    client.connect("/lobby").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_a_trusted_proxy_can_name_the_address_of_a_handshake() {
    let server =
        server(true, |builder| builder.trust_proxy(["10.0.0.0/8"]).limit_handshakes_per_ip(THREE));
    let open = async |peer: &str, forwarded: String| {
        let headers = [("peer", peer.to_owned()), ("x-forwarded-for", forwarded)];
        Client::open(&server.app, headers).await.map(drop).map_err(|(status, _)| status)
    };
    for n in 0..9 {
        open("10.0.0.1", format!("198.51.100.{n}")).await.unwrap();
    }
    let attempts = async |peer: &'static str, forwarded: fn(u32) -> String| {
        let mut admitted = 0;
        for n in 0..9 {
            admitted += u32::from(open(peer, forwarded(n)).await.is_ok());
        }
        admitted
    };
    assert_eq!(attempts("192.0.2.1", |n| format!("198.51.100.{n}")).await, 3, "a stranger lies");
    let behind = attempts("10.0.0.2", |n| format!("198.51.100.{n}, 192.0.2.7")).await;
    assert_eq!(behind, 3, "a client behind a proxy lies");
}

#[tokio::test(start_paused = true)]
async fn connects_of_an_address_are_limited_with_and_without_the_layer() {
    for layer in [false, true] {
        let server = server(layer, |builder| builder.limit_connects_per_ip(THREE));
        let mut client = open(&server, "192.0.2.1", "ann").await.unwrap();
        for _ in 0..3 {
            client.connect("/").await.unwrap();
            client.leave("/").await;
        }
        let loads = server.store.loads();
        for ns in ["/", "/lobby", "/lobby"] {
            assert_eq!(client.connect(ns).await, Err("try_again".into()), "{ns}: never a guest");
        }
        assert_eq!(server.store.loads(), loads);
        let mut other = open(&server, "192.0.2.2", "ann").await.unwrap();
        other.connect("/").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn lookups_of_a_session_are_limited_and_a_handshake_counts_once() {
    for layer in [false, true] {
        let server = server(layer, |builder| builder.limit_connects_per_session(THREE));
        for _ in 0..3 {
            let mut client = open(&server, "192.0.2.1", "ann").await.unwrap();
            client.connect("/").await.unwrap();
        }
        let loads = server.store.loads();
        // Wherever they come from.
        match open(&server, "192.0.2.2", "ann").await {
            Ok(mut client) => assert_eq!(client.connect("/lobby").await, Err("try_again".into())),
            Err(refused) => assert_eq!((layer, refused), (true, too_many())),
        }
        assert_eq!(server.store.loads(), loads);
        let mut other = open(&server, "192.0.2.1", "ann-too").await.unwrap();
        other.connect("/").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_forged_cookie_does_not_use_up_the_allowance_of_a_session() {
    let server = server(true, |builder| builder.limit_connects_per_session(THREE));
    let forged = cookie("ann").replace("connect.sid=s%3Aann.", "connect.sid=s%3Aann.x");
    for _ in 0..9 {
        let mut client = Client::open(&server.app, [("cookie", forged.clone())]).await.unwrap();
        assert_eq!(client.connect("/").await, Err("unauthorized".into()));
    }
    open(&server, "192.0.2.1", "ann").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn authorize_and_explain_are_not_rate_limited() {
    let server = server(true, |builder| builder.limit_connects_per_session(THREE));
    let request = Request::get("/").header("cookie", cookie("ann")).body(()).unwrap();
    let (request, ()) = request.into_parts();
    for _ in 0..9 {
        server.auth.authorize(&request).await.unwrap();
        server.auth.explain(&request).await.outcome.unwrap();
    }
    open(&server, "192.0.2.1", "ann").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn fail_can_not_admit_a_rate_limited_client_as_a_guest() {
    let (seen, mut codes) = tokio::sync::mpsc::unbounded_channel();
    let server = server(true, |builder| {
        builder.limit_handshakes_per_ip(RateLimit::per_hour(1)).fail(move |failure: &Failure| {
            seen.send((failure.code(), failure.is_error())).unwrap();
            failure.guest()
        })
    });
    open(&server, "192.0.2.1", "ann").await.unwrap();
    assert_eq!(open(&server, "192.0.2.1", "ann").await.err(), Some(too_many()));
    assert_eq!(codes.recv().await, Some(("rate_limited", false)));
}

#[tokio::test(start_paused = true)]
async fn handshakes_without_a_peer_address_are_not_limited() {
    let server = server(true, |builder| builder.limit_handshakes_per_ip(THREE));
    for _ in 0..9 {
        Client::of(&server.app, "ann").await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_timeout_can_be_duration_max() {
    let server = Server::with(true, |builder| {
        let builder = builder.store_timeout(Duration::MAX).deserializer_timeout(Duration::MAX);
        builder.connect_within(Duration::MAX).max_connection_age(Duration::MAX)
    });
    server.io.ns("/", ignore.with(server.auth.required()));
    Client::of(&server.app, "ann").await.connect("/").await.unwrap();
}

/// One handshake over HTTP, with these headers.
async fn open_through(server: &Server, peer: &str, headers: &[(&str, &str)]) -> StatusCode {
    let mut request = Request::get("/socket.io/?EIO=4&transport=polling").header("peer", peer);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    server.app.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn only_a_trusted_proxy_can_name_the_servers_own_origin() {
    let server = server(true, |builder| builder.trust_proxy(["10.0.0.0/8"]));
    let page = ("origin", "https://app.example:8443");
    for said in [
        &[("host", "app.example:8443"), ("x-forwarded-proto", "HTTPS")][..],
        &[("host", "app.example"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "8443")],
        &[("host", "in"), ("x-forwarded-proto", "wss"), ("x-forwarded-host", "app.example:8443")],
        &[("host", "in"), ("forwarded", r#"proto=https;host="app.example:8443""#)],
    ] {
        let headers = [said, &[page]].concat();
        assert_eq!(open_through(&server, "10.0.0.1", &headers).await, StatusCode::OK, "{said:?}");
        for stranger in ["192.0.2.1", "::1", "::ffff:192.0.2.1"] {
            let answer = open_through(&server, stranger, &headers).await;
            assert_eq!(answer, StatusCode::FORBIDDEN, "{stranger}: {said:?}");
        }
    }
}

#[tokio::test]
async fn clients_behind_a_proxy_that_sends_forwarded_are_counted_each() {
    let set = |builder: Builder| {
        builder.trust_proxy(["10.0.0.0/8"]).limit_handshakes_per_ip(RateLimit::per_hour(1))
    };
    let server = server(true, set);
    let open = async |said: &str| {
        open_through(&server, "10.0.0.1", &[("host", "a.example"), ("forwarded", said)]).await
    };
    for client in 1..5 {
        let made_up = format!("for=6.6.6.{client}, for=198.51.100.7");
        let expected = if client == 1 { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(open(&made_up).await, expected);
        assert_eq!(open(&format!("for=198.51.101.{client}")).await, StatusCode::OK);
    }
}
