//! How old the store's answer may be when a socket is let in.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use passport_socketio::store::Life;
use passport_socketio::{AuthorizerBuilder, Candidate};
use tokio::time::sleep;

use super::backend::{Backend, Server};
use crate::common::Client;
use crate::common::world::{User, find_user};

/// A `success` hook that takes its time, and how often it was asked.
fn slow_success(
    takes: Duration,
) -> (Arc<AtomicUsize>, impl FnOnce(AuthorizerBuilder<User>) -> AuthorizerBuilder<User>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let success = async move |_: Candidate<User>| {
        count.fetch_add(1, Ordering::SeqCst);
        sleep(takes).await;
        Ok(())
    };
    (asked, move |builder: AuthorizerBuilder<User>| builder.success(success))
}

#[tokio::test(start_paused = true)]
async fn a_logout_between_handshake_and_connect_counts_with_a_short_max_stale() {
    let backend = Backend::new();
    let server = Server::with(&backend, |builder| builder.max_stale(Duration::from_secs(1)));
    let app = server.app.clone().layer(server.auth.layer());
    for _ in 0..20 {
        backend.log_in("ann", 42, Life::Forever);
        let mut late = Client::of(&app, "ann").await;
        backend.destroy("ann").await;
        sleep(Duration::from_millis(900)).await;
        assert_eq!(late.connect("/").await, Err("unauthorized".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_during_a_slow_success_refuses_the_client() {
    for takes in [Duration::from_secs(2), Duration::from_secs(60)] {
        let backend = Backend::new();
        let (asked, with_success) = slow_success(takes);
        let server = Server::with(&backend, with_success);
        let mut ann = Client::of(&server.app, "ann").await;
        ann.send("0").await;
        sleep(Duration::from_millis(100)).await;
        backend.destroy("ann").await;
        sleep(takes).await;
        assert_eq!(ann.connected("/").await, Err("unauthorized".into()));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_logout_during_a_slow_deserializer_refuses_the_client() {
    let backend = Backend::new();
    let server = Server::with(&backend, |builder| {
        builder.deserialize_user(async |id: i64| {
            sleep(Duration::from_secs(4)).await;
            find_user(id).await
        })
    });
    let mut ann = Client::of(&server.app, "ann").await;
    ann.send("0").await;
    sleep(Duration::from_millis(100)).await;
    backend.destroy("ann").await;
    sleep(Duration::from_secs(4)).await;
    assert_eq!(ann.connected("/").await, Err("unauthorized".into()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_success_is_called_once_and_costs_one_more_lookup() {
    let backend = Backend::new();
    let (asked, with_success) = slow_success(Duration::from_secs(60));
    let server = Server::with(&backend, with_success);
    let mut ann = Client::of(&server.app, "ann").await;
    ann.send("0").await;
    sleep(Duration::from_secs(61)).await;
    ann.connected("/").await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(backend.trips.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_touch_during_a_slow_success_does_not_refuse_the_client() {
    let backend = Backend::new();
    let (asked, with_success) = slow_success(Duration::from_secs(20));
    let server = Server::with(&backend, with_success);
    let mut ann = Client::of(&server.app, "ann").await;
    ann.send("0").await;
    sleep(Duration::from_secs(19)).await;
    server.live.session_changed(&"ann".into());
    sleep(Duration::from_secs(2)).await;
    ann.connected("/").await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_changes_during_each_success_call_is_refused() {
    let backend = Backend::new();
    let asked = Arc::new(AtomicI64::new(0));
    let (count, store) = (asked.clone(), backend.clone());
    let server = Server::with(&backend, |builder| {
        builder.success(async move |_: Candidate<User>| {
            let views = count.fetch_add(1, Ordering::SeqCst);
            let changed = format!(r#"{{"cookie":{{}},"passport":{{"user":42}},"views":{views}}}"#);
            store.put("ann", &changed, Life::Forever);
            sleep(Duration::from_secs(30)).await;
            Ok(())
        })
    });
    let mut ann = Client::of(&server.app, "ann").await;
    ann.send("0").await;
    sleep(Duration::from_secs(300)).await;
    assert_eq!(ann.connected("/").await, Err("try_again".into()));
    let asked = asked.load(Ordering::SeqCst);
    assert!((2..=5).contains(&asked), "{asked}");
}
