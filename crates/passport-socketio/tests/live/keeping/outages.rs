//! While the store is away, or its records are unreadable, sockets stay for a grace.

use std::time::Duration;

use passport_socketio::live::EndReason;
use passport_socketio::store::Life;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::backend::{Backend, GRACE, MAX_STALE, Server};
use crate::common::Client;

#[tokio::test(start_paused = true)]
async fn an_outage_keeps_sockets_for_the_grace_and_refuses_new_clients() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let mut ann = server.connected("ann").await;
    let _bob = server.connected("bob").await;
    backend.set_away(true);
    sleep(GRACE - Duration::from_secs(1)).await;
    assert!(server.ended().is_empty());
    let mut late = Client::of(&server.app, "ann-too").await;
    assert_eq!(late.connect("/").await, Err("try_again".into()));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(server.ended(), [EndReason::StoreUnavailable, EndReason::StoreUnavailable]);
    let notice = json!({"code": "store_unavailable", "reconnect": true});
    assert_eq!(ann.event("/").await, json!(["session_ended", notice]));
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_only_sockets_of_ended_sessions_are_closed() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let _ann = server.connected("ann").await;
    let _bob = server.connected("bob").await;
    backend.set_away(true);
    sleep(GRACE / 2).await;
    backend.destroy("ann").await;
    backend.set_away(false);
    assert_eq!(server.ends_within(MAX_STALE).await, EndReason::LoggedOut);
    sleep(3 * GRACE).await;
    assert!(server.ended().is_empty());
    assert_eq!(server.live.user(7).sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_short_max_stale_holds_after_a_long_outage_too() {
    let max_stale = Duration::from_secs(1);
    // The pauses are random.
    for _ in 0..20 {
        let backend = Backend::new();
        let server = Server::with(&backend, |builder| builder.max_stale(max_stale));
        let _ann = server.connected("ann").await;
        backend.set_away(true);
        sleep(GRACE / 2).await;
        backend.destroy("ann").await;
        backend.set_away(false);
        assert_eq!(server.ends_within(max_stale).await, EndReason::LoggedOut);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_unreadable_session_ends_after_the_grace() {
    let ends = [("{corrupt", EndReason::CouldNotTell), ("fail", EndReason::StoreUnavailable)];
    for (json, end) in ends {
        let backend = Backend::new();
        let server = Server::new(&backend);
        let _ann = server.connected("ann").await;
        let _ann_too = server.connected("ann-too").await;
        let _bob = server.connected("bob").await;
        backend.put("ann", json, Life::Forever);
        sleep(GRACE).await;
        assert!(server.ended().is_empty());
        assert_eq!(server.ends_within(2 * MAX_STALE).await, end);
        sleep(5 * GRACE).await;
        assert_eq!(server.io.sockets().len(), 2, "{json}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_admitted_between_two_outages_has_its_own_grace() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let _ann = server.connected("ann").await;
    backend.set_away(true);
    sleep(3 * GRACE).await;
    assert_eq!(server.take_ends(), [EndReason::StoreUnavailable]);
    // The store answers for a moment between two probes: for as long as bob needs to come in.
    backend.set_away(false);
    let _bob = server.connected("bob").await;
    backend.set_away(true);
    sleep(GRACE - Duration::from_secs(1)).await;
    assert!(server.ended().is_empty());
    assert_eq!(server.ends_within(Duration::from_secs(2)).await, EndReason::StoreUnavailable);
}

#[tokio::test(start_paused = true)]
async fn consecutive_outages_share_the_grace_of_a_socket() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let entered = Instant::now();
    let _ann = server.connected("ann").await;
    backend.set_away(true);
    // By now it has been noticed.
    sleep(MAX_STALE).await;
    while server.ended().is_empty() && entered.elapsed() < 3 * GRACE {
        sleep(GRACE / 6).await;
        // It answers the question whether it is back, and none about ann.
        backend.answer_one_question();
        while !backend.has_answered() && server.ended().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(server.ended(), [EndReason::StoreUnavailable]);
    assert_eq!(server.last_end().duration_since(entered).as_secs(), GRACE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn the_grace_counts_from_the_last_lookup_that_succeeded() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let _ann = server.connected("ann").await;
    sleep(10 * MAX_STALE).await;
    let confirmed = backend.last_trip();
    backend.set_away(true);
    assert_eq!(server.ends_within(GRACE).await, EndReason::StoreUnavailable);
    let lived = server.last_end() - confirmed;
    assert!(lived >= GRACE && lived < GRACE + Duration::from_millis(100), "{lived:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_does_not_make_the_grace_longer() {
    let backend = Backend::new();
    // Three lookups that get no answer in time take longer than the grace.
    let server = Server::with(&backend, |builder| builder.store_timeout(GRACE / 4));
    let entered = Instant::now();
    let _ann = server.connected("ann").await;
    backend.put("ann", "hang", Life::Forever);
    backend.put("passport-socketio", "hang", Life::Forever);
    assert_eq!(server.ends_within(2 * GRACE).await, EndReason::StoreUnavailable);
    let lived = server.last_end() - entered;
    assert!(lived >= GRACE && lived < GRACE + Duration::from_millis(100), "{lived:?}");
}
