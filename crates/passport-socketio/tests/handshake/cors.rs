//! Pages of allowed origins: what a browser must read in the answers.
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use crate::common::world::{Server, User, cookie, ignore};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use passport_socketio::AuthorizerBuilder;
use socketioxide::handler::ConnectHandler as _;
use tower::ServiceExt as _;

type Builder = AuthorizerBuilder<User>;

const APP: &str = "https://app.example";
const EVIL: &str = "https://evil.example";
const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

fn server() -> Server {
    let server = Server::with(true, |builder| builder.origin(APP));
    server.io.ns("/", ignore.with(server.auth.required()));
    server
}

async fn ask(
    app: &Router,
    method: Method,
    uri: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap) {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in [("host", "rt.example")].iter().chain(headers) {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap().into_parts().0;
    (answer.status, answer.headers)
}

fn mentions_cors(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("access-control-"))
}

#[tokio::test(start_paused = true)]
async fn an_allowed_page_can_read_all_answers() {
    let server = server();
    let unknown = "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA";
    for (method, uri, status) in [
        (Method::GET, OPEN, StatusCode::OK),
        (Method::GET, unknown, StatusCode::BAD_REQUEST),
        (Method::POST, unknown, StatusCode::BAD_REQUEST),
    ] {
        let answer = ask(&server.app, method, uri, &[("origin", APP)]).await;
        assert_eq!(answer.0, status);
        assert_eq!(answer.1["access-control-allow-origin"], APP);
        assert_eq!(answer.1["access-control-allow-credentials"], "true");
        assert_eq!(answer.1["vary"], "Origin");
    }
}

#[tokio::test(start_paused = true)]
async fn other_pages_get_no_cors_headers() {
    // Beside an https:// one, the server's own would have to be https://, too.
    let server = Server::with(true, |builder| builder.origin("http://app.example"));
    server.io.ns("/", ignore.with(server.auth.required()));
    let own = ("origin", "http://rt.example");
    for (headers, status) in [
        (&[][..], StatusCode::OK),
        (&[own], StatusCode::OK),
        (&[("origin", EVIL)], StatusCode::FORBIDDEN),
        (&[("origin", "null")], StatusCode::FORBIDDEN),
    ] {
        let answer = ask(&server.app, Method::GET, OPEN, headers).await;
        assert_eq!(answer.0, status);
        assert!(!mentions_cors(&answer.1), "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_allowed_by_a_rule_can_read_answers_and_a_similar_one_not() {
    type Rule = fn(Builder) -> Builder;
    let rules: [(Rule, &str, &str); 5] = [
        (|b| b.origin("https://*.app.example"), "https://a.b.app.example", "https://app.example"),
        (|b| b.origin("capacitor://localhost"), "capacitor://localhost", "ionic://localhost"),
        (|b| b.origin("wss://app.example"), "wss://app.example", "ws://app.example"),
        (|b| b.origin_if(|origin| origin == "https://a.vercel.app"), "https://a.vercel.app", EVIL),
        (|b| b.insecure_null_origin(), "null", "file://x"),
    ];
    for (rule, allowed, neighbour) in rules {
        let server = Server::with(true, rule);
        server.io.ns("/", ignore.with(server.auth.required()));
        let preflight = ("access-control-request-method", "POST");
        for method in [Method::GET, Method::OPTIONS] {
            let ask = async |origin| {
                ask(&server.app, method.clone(), OPEN, &[("origin", origin), preflight]).await
            };
            let (status, headers) = ask(allowed).await;
            assert!(status.is_success(), "{allowed}");
            assert_eq!(headers["access-control-allow-origin"], allowed);
            assert_eq!(headers["access-control-allow-credentials"], "true");
            let (status, headers) = ask(neighbour).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{neighbour}");
            assert!(!mentions_cors(&headers), "{neighbour}");
            assert_eq!(headers["vary"], "Origin", "{neighbour}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_origin_if_is_answered_with_503() {
    let server = Server::with(true, |builder| builder.origin_if(|_| panic!("origin_if panics")));
    server.io.ns("/", ignore.with(server.auth.required()));
    for method in [Method::GET, Method::OPTIONS] {
        let (status, headers) = ask(&server.app, method, OPEN, &[("origin", APP)]).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!mentions_cors(&headers));
    }
    assert_eq!(server.store.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_preflight_of_an_allowed_page_is_answered_without_a_load() {
    let server = server();
    let cookie = cookie("ann");
    let asks = [
        ("origin", APP),
        ("cookie", &cookie),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-tenant"),
    ];
    let (status, headers) = ask(&server.app, Method::OPTIONS, OPEN, &asks).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(headers["access-control-allow-origin"], APP);
    assert_eq!(headers["access-control-allow-credentials"], "true");
    let allowed = headers["access-control-allow-methods"].to_str().unwrap();
    assert!(allowed.contains("POST") && allowed.contains("GET"));
    let allowed = &headers["access-control-allow-headers"];
    assert_eq!(allowed, "content-type,x-tenant");
    assert_eq!(server.store.loads(), 0);
    assert!(server.holds_no_user());
}

#[tokio::test(start_paused = true)]
async fn a_preflight_of_another_page_is_refused() {
    let server = server();
    let asks = [("origin", EVIL), ("access-control-request-method", "POST")];
    let (status, headers) = ask(&server.app, Method::OPTIONS, OPEN, &asks).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(!mentions_cors(&headers));
}

#[tokio::test(start_paused = true)]
async fn two_layers_set_the_cors_headers_once() {
    let server = server();
    let app = server.app.clone().layer(server.auth.layer());
    let (status, headers) = ask(&app, Method::GET, OPEN, &[("origin", APP)]).await;
    assert_eq!(status, StatusCode::OK);
    let named = headers.get_all("access-control-allow-origin").iter();
    assert_eq!(named.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_allowed_page_can_read_retry_after() {
    let server = Server::with(true, |builder| builder.origin(APP).retry_at_http());
    let cookie = cookie("down");
    let asks = [("origin", APP), ("cookie", &*cookie)];
    let (status, headers) = ask(&server.app, Method::GET, OPEN, &asks).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(headers.contains_key("retry-after"));
    // Of another origin's answer a browser shows few headers unasked (Fetch standard, 2.2.2).
    assert_eq!(headers["access-control-expose-headers"], "Retry-After");
}
