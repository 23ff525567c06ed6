//! `.refuse_at_http()` and `.retry_at_http()`: what is refused before there is a socket.

#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use crate::common::world::{ERRORS, GUESTS, Server, User, cookie, ignore};
use crate::common::{Client, soon};
use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use passport_socketio::{AuthorizerBuilder, Failure};
use serde_json::{Value, json};
use socketioxide::handler::ConnectHandler as _;
use tower::ServiceExt as _;

type Builder = AuthorizerBuilder<User>;

fn server(set: impl FnOnce(Builder) -> Builder) -> Server {
    let server = Server::with(true, set);
    server.io.ns("/", ignore.with(server.auth.required()));
    server.io.ns("/lobby", ignore.with(server.auth.optional()));
    server
}

async fn open(server: &Server, transport: &str, who: Option<&str>) -> Response<Body> {
    let uri = format!("/socket.io/?EIO=4&transport={transport}");
    let mut request = Request::get(uri).header("host", "app.example");
    if let Some(who) = who {
        request = request.header("cookie", cookie(who));
    }
    let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    soon(server.app.clone().oneshot(request.body(Body::empty()).unwrap())).await.unwrap()
}

/// Status and JSON of an answer of ours, which has nothing else to say.
async fn refused(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn code(status: StatusCode, code: &str) -> (StatusCode, Value) {
    (status, json!({ "code": code }))
}

#[tokio::test(start_paused = true)]
async fn by_default_refused_clients_get_a_connection() {
    let server = server(|builder| builder);
    for who in GUESTS.into_iter().chain(ERRORS.map(|(who, _)| who)) {
        assert_eq!(open(&server, "polling", Some(who)).await.status(), StatusCode::OK, "{who}");
    }
}

#[tokio::test(start_paused = true)]
async fn refuse_at_http_refuses_handshakes_with_a_code_on_both_transports() {
    let server = server(Builder::refuse_at_http);
    for transport in ["polling", "websocket"] {
        let denied = code(StatusCode::UNAUTHORIZED, "unauthorized");
        assert_eq!(refused(open(&server, transport, None).await).await, denied);
        for who in GUESTS {
            assert_eq!(refused(open(&server, transport, Some(who)).await).await, denied, "{who}");
        }
        for (who, says) in ERRORS {
            let status = match says {
                "try_again" => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            let answer = open(&server, transport, Some(who)).await;
            assert_eq!(refused(answer).await, code(status, says), "{who}");
        }
    }
    assert!(server.holds_no_user());
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn retry_at_http_refuses_only_temporary_errors() {
    let server = server(Builder::retry_at_http);
    for (who, says) in ERRORS {
        let answer = open(&server, "polling", Some(who)).await;
        if says == "try_again" {
            let expected = code(StatusCode::SERVICE_UNAVAILABLE, says);
            assert_eq!(refused(answer).await, expected, "{who}");
        } else {
            assert_eq!(answer.status(), StatusCode::OK, "{who}");
        }
    }
    for who in GUESTS {
        let mut client = Client::of(&server.app, who).await;
        client.connect("/lobby").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_between_1_and_5_seconds_at_random() {
    let server = server(Builder::retry_at_http);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let answer = open(&server, "polling", Some("down")).await;
        let after: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        seen.insert(after);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn fail_is_called_before_a_refusal_at_http_and_can_admit_a_guest() {
    let (seen, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let server = server(|builder| {
        builder.refuse_at_http().fail(move |failure: &Failure| {
            seen.send(failure.code()).unwrap();
            // For an error this refuses: nobody may become a guest by it.
            if failure.code() == "not_logged_in" {
                failure.guest()
            } else {
                failure.refuse_with("x")
            }
        })
    });
    let mut guest = Client::of(&server.app, "anonymous").await;
    guest.connect("/").await.unwrap();
    for told in ["not_logged_in", "not_logged_in"] {
        assert_eq!(soon(asked.recv()).await, Some(told));
    }
    let answer = open(&server, "polling", Some("unknown")).await;
    assert_eq!(refused(answer).await, code(StatusCode::UNAUTHORIZED, "unauthorized"));
    assert_eq!(soon(asked.recv()).await, Some("session_not_found"));
}

#[tokio::test(start_paused = true)]
async fn fail_can_not_admit_a_guest_during_an_outage_at_http() {
    let server = server(|builder| builder.refuse_at_http().fail(Failure::guest));
    let answer = open(&server, "polling", Some("down")).await;
    assert_eq!(refused(answer).await, code(StatusCode::SERVICE_UNAVAILABLE, "try_again"));
}

#[tokio::test(start_paused = true)]
async fn an_allowed_page_can_read_its_refusal() {
    let server = server(|builder| builder.refuse_at_http().origin("https://app.example"));
    let request = Request::get("/socket.io/?EIO=4&transport=polling")
        .header("host", "rt.example")
        .header("origin", "https://app.example")
        .body(Body::empty());
    let answer = server.app.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
    assert_eq!(refused(answer).await, code(StatusCode::UNAUTHORIZED, "unauthorized"));
}
