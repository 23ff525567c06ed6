//! The layer that holds the host's: it closes connections. Here those that poll, in this process; with
//! real clients over all transports: `interop/tests/transports.test.mjs`.

#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

mod last_words;
mod newcomers;
mod posts;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::world::{Server, User, auth_over, cookie, ignore, store, user_session};
use crate::common::{Client, soon};
use axum::Router;
use http::{Method, StatusCode};
use passport_socketio::live::EndReason;
use passport_socketio::store::Life;
use passport_socketio::{AuthorizerBuilder, Candidate, Reject};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use tokio::time::{Instant, sleep, timeout};

type Builder = AuthorizerBuilder<User>;

fn server(over: bool, set: impl FnOnce(Builder) -> Builder) -> Server {
    let store = store();
    let auth = set(auth_over(store.clone())).build().unwrap();
    // No heartbeat within a test: paused time passes quickly, and the clients answer no ping.
    let never = Duration::from_secs(24 * 60 * 60);
    let builder = SocketIo::builder().ping_interval(never).ping_timeout(never);
    let (host, io) = builder.connect_timeout(Duration::from_secs(45)).build_layer();
    let app = if over {
        Router::new().layer(auth.layer_over(host))
    } else {
        Router::new().layer(host).layer(auth.layer())
    };
    io.ns("/", ignore.with(auth.required()));
    io.ns("/lobby", ignore.with(auth.optional()));
    io.ns("/public", ignore);
    Server { app, live: auth.attach(&io).unwrap(), io, auth, store }
}

/// How long socketioxide takes from now on to close the connection.
async fn closed(client: &mut Client) -> Duration {
    let start = Instant::now();
    while client.request(Method::POST, "3").await.0 != StatusCode::BAD_REQUEST {
        sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

/// tokio's time is paused, so only the steps of 10 ms at which [`closed`] looks make it inexact.
fn assert_about(took: Duration, expected: Duration) {
    assert!(took.abs_diff(expected) < Duration::from_millis(100), "{took:?}");
}

/// The library's delay between the notice of an end and the cut of the connection.
const LAST_WORDS: Duration = Duration::from_millis(500);

#[tokio::test(start_paused = true)]
async fn the_end_of_a_login_closes_its_connection() {
    let server = server(true, |builder| builder);
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    server.live.end_session(&"ann".into(), EndReason::LoggedOut);
    let notice = json!(["session_ended", {"code": "logged_out", "reconnect": false}]);
    assert_eq!(client.event("/").await, notice);
    assert_eq!(client.receive().await, "1");
    assert_about(closed(&mut client).await, LAST_WORDS);
    assert!(server.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_end_with_reconnect_closes_the_connection_without_a_disconnect() {
    let server = server(true, |builder| builder);
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    client.connect("/lobby").await.unwrap();
    server.live.end_session(&"ann".into(), EndReason::UserChanged);
    let notice = json!(["session_ended", {"code": "user_changed", "reconnect": true}]);
    for _ in 0..2 {
        let packet = client.receive().await;
        assert!(packet.ends_with(&notice.to_string()), "{packet}");
    }
    assert!(server.live.user(42).sockets().is_empty(), "the login has ended");
    assert_about(closed(&mut client).await, LAST_WORDS);
    assert!(server.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_user_rejected_in_one_namespace_keeps_the_connection() {
    let banned = Arc::new(Mutex::new(Vec::<&str>::new()));
    let list = banned.clone();
    let server = server(true, |builder| {
        builder.success(async move |candidate: Candidate<User>| {
            let banned = list.lock().unwrap().contains(&candidate.namespace());
            if banned { Err(Reject::new("banned")) } else { Ok(()) }
        })
    });
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    client.connect("/lobby").await.unwrap();
    banned.lock().unwrap().push("/lobby");
    let refreshed = server.live.refresh_user(42).await.unwrap();
    assert_eq!((refreshed.kept.len(), refreshed.ended), (1, 1));
    assert_eq!(client.event("/lobby").await[1]["code"], "rejected");
    assert_eq!(client.receive().await, "1/lobby,");
    sleep(4 * LAST_WORDS).await;
    server.live.user(42).emit("news", "still here").await.unwrap();
    assert_eq!(client.event("/").await, json!(["news", "still here"]));

    banned.lock().unwrap().push("/");
    assert_eq!(server.live.refresh_user(42).await.unwrap().ended, 1);
    assert_about(closed(&mut client).await, LAST_WORDS);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_user_who_is_admitted_again_keeps_the_connection() {
    let banned = Arc::new(AtomicBool::new(false));
    let list = banned.clone();
    let server = server(true, |builder| {
        builder.success(async move |_: Candidate<User>| {
            if list.load(Ordering::SeqCst) { Err(Reject::new("banned")) } else { Ok(()) }
        })
    });
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    banned.store(true, Ordering::SeqCst);
    assert_eq!(server.live.refresh_user(42).await.unwrap().ended, 1);
    assert_eq!(client.event("/").await[1]["code"], "rejected");
    assert_eq!(client.receive().await, "1");
    banned.store(false, Ordering::SeqCst);
    client.connect("/").await.unwrap();
    sleep(4 * LAST_WORDS).await;
    server.live.user(42).emit("news", "still here").await.unwrap();
    assert_eq!(client.event("/").await, json!(["news", "still here"]));
}

#[tokio::test(start_paused = true)]
async fn no_socket_is_admitted_on_a_connection_that_is_about_to_be_cut() {
    let server = server(true, |builder| {
        builder.success(async |candidate: Candidate<User>| {
            if candidate.namespace() == "/lobby" {
                sleep(LAST_WORDS / 4).await;
            }
            Ok(())
        })
    });
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    client.send("0/lobby,").await;
    // It is being asked about the lobby: that is no socket yet which could be evicted.
    assert_eq!(server.live.disconnect_user(42), 1);
    assert_eq!(client.event("/").await[1]["code"], "evicted");
    assert_eq!(client.receive().await, "1");
    sleep(LAST_WORDS / 2).await;
    assert!(server.live.online().is_empty());
    assert_about(closed(&mut client).await, LAST_WORDS / 2);
    sleep(4 * LAST_WORDS).await;
    assert!(server.live.online().is_empty() && server.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rejected_client_that_reads_nothing_loses_its_whole_connection() {
    let banned = Arc::new(AtomicBool::new(false));
    let list = banned.clone();
    let server = server(true, |builder| {
        builder.success(async move |candidate: Candidate<User>| {
            let banned = candidate.namespace() == "/" && list.load(Ordering::SeqCst);
            if banned { Err(Reject::new("banned")) } else { Ok(()) }
        })
    });
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    client.connect("/lobby").await.unwrap();
    let socket = server.live.user(42).sockets().remove(0);
    while socket.emit("news", "more and more").is_ok() {}
    banned.store(true, Ordering::SeqCst);
    assert_eq!(server.live.refresh_user(42).await.unwrap().ended, 1);
    assert_about(closed(&mut client).await, LAST_WORDS);
}

#[tokio::test(start_paused = true)]
async fn with_the_plain_layer_an_end_keeps_the_connection_open() {
    let server = server(false, |builder| builder);
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    server.live.end_session(&"ann".into(), EndReason::UserChanged);
    client.event("/").await;
    assert_eq!(client.receive().await, "1");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(client.request(Method::POST, "3").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn an_ended_client_that_reads_nothing_is_closed_in_time() {
    let server = server(true, |builder| builder);
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    let mut full = false;
    while !full {
        full = server.io.emit("news", &()).await.is_err();
    }
    server.live.end_session(&"ann".into(), EndReason::LoggedOut);
    assert_about(closed(&mut client).await, LAST_WORDS);
    assert!(server.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_is_closed_after_connect_within() {
    for within in [10, 3] {
        let set = |builder: Builder| match within {
            10 => builder,
            _ => builder.connect_within(Duration::from_secs(within)),
        };
        let server = server(true, set);
        let mut client = Client::of(&server.app, "ann").await;
        let start = Instant::now();
        assert_eq!(client.request(Method::GET, "").await.1, "2");
        assert_eq!(client.request(Method::POST, "3").await.0, StatusCode::OK);
        sleep(Duration::from_secs(within) - Duration::from_millis(200)).await;
        let (_, last_word) = client.request(Method::GET, "").await;
        assert_eq!(last_word, "6");
        assert_about(start.elapsed(), Duration::from_secs(within));
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_connect_within_leaves_no_task_for_a_closed_connection() {
    let day = Duration::from_secs(24 * 60 * 60);
    let server = server(true, |builder| builder.connect_within(day));
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    for _ in 0..10 {
        Client::of(&server.app, "ann").await.close().await;
        let mut refused = Client::anonymous(&server.app).await;
        assert!(refused.connect("/").await.is_err());
        refused.close().await;
    }
    // The host's own timers have passed by then.
    sleep(Duration::from_secs(60)).await;
    assert_eq!(tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn a_client_in_any_namespace_is_not_closed() {
    let server = server(true, |builder| builder);
    let mut member = Client::of(&server.app, "ann").await;
    member.connect("/").await.unwrap();
    let mut guest = Client::anonymous(&server.app).await;
    guest.connect("/lobby").await.unwrap();
    let mut stranger = Client::anonymous(&server.app).await;
    stranger.connect("/public").await.unwrap();
    // Refused in one namespace, let into another that no authorizer looks after.
    assert!(stranger.connect("/").await.is_err());
    sleep(Duration::from_secs(30)).await;
    for client in [&mut member, &mut guest, &mut stranger] {
        assert_eq!(client.request(Method::POST, "3").await.0, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_in_no_namespace_is_closed_after_connect_within() {
    let server = server(true, |builder| builder);
    let mut client = Client::of(&server.app, "unknown").await;
    assert!(client.connect("/").await.is_err());
    assert_about(closed(&mut client).await, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_is_closed_after_it_left_its_last_namespace() {
    let server = server(true, |builder| builder);
    let mut client = Client::anonymous(&server.app).await;
    client.connect("/lobby").await.unwrap();
    assert!(client.connect("/").await.is_err());
    sleep(Duration::from_secs(25)).await;
    client.leave("/lobby").await;
    let took = timeout(Duration::from_secs(60), closed(&mut client)).await.unwrap();
    assert_about(took, Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_changes_namespaces_is_not_closed() {
    let server = server(true, |builder| builder.connect_within(Duration::from_secs(2)));
    let mut client = Client::anonymous(&server.app).await;
    client.connect("/public").await.unwrap();
    assert!(client.connect("/").await.is_err());
    // Outside of every namespace when `connect_within` is over.
    sleep(Duration::from_millis(1900)).await;
    client.leave("/public").await;
    sleep(Duration::from_millis(300)).await;
    client.connect("/public").await.unwrap();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(client.request(Method::POST, "3").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_is_admitted_later_is_not_closed() {
    let server = server(true, |builder| builder);
    let mut client = Client::of(&server.app, "unknown").await;
    assert!(client.connect("/").await.is_err());
    server.store.inner().0.set("unknown", user_session(42), Life::Forever);
    sleep(Duration::from_secs(2)).await;
    client.connect("/").await.unwrap();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(client.request(Method::POST, "3").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_client_is_closed_after_max_refused_connects_in_a_row() {
    let server = server(true, |builder| builder.max_refused_connects(3));
    let mut client = Client::of(&server.app, "unknown").await;
    client.connect("/lobby").await.unwrap();
    for _ in 0..3 {
        assert_eq!(client.connect("/").await, Err("unauthorized".into()));
    }
    assert_about(closed(&mut client).await, LAST_WORDS);
}

#[tokio::test(start_paused = true)]
async fn an_admitted_socket_keeps_its_connection_despite_many_refusals() {
    let server = server(true, |builder| {
        builder.max_refused_connects(3).success(async |candidate: Candidate<User>| {
            if candidate.namespace() == "/lobby" {
                return Err(Reject::new("not here"));
            }
            sleep(LAST_WORDS / 2).await;
            Ok(())
        })
    });
    let mut client = Client::of(&server.app, "ann").await;
    client.send("0").await;
    for _ in 0..3 {
        assert_eq!(client.connect("/lobby").await, Err("not here".into()));
    }
    client.connected("/").await.unwrap();
    sleep(4 * LAST_WORDS).await;
    assert_eq!(server.live.user(42).sockets().len(), 1, "the connection was cut");
    assert_eq!(client.request(Method::POST, "3").await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn the_plain_layer_delays_connects_after_five_refusals_by_a_second() {
    let server = server(false, |builder| builder);
    let mut client = Client::of(&server.app, "unknown").await;
    let mut waits = Vec::new();
    for _ in 0..7 {
        let start = Instant::now();
        assert!(soon(client.connect("/")).await.is_err());
        waits.push(start.elapsed().as_secs());
    }
    assert_eq!(waits, [0, 0, 0, 0, 0, 1, 1]);
}
