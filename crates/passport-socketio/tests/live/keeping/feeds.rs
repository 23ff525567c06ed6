//! Changes that a feed reports are looked up at once.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use express_session::SessionId;
use express_session::watch::{Change, Changes, SessionWatch, WatchError};
use passport_socketio::live::EndReason;
use passport_socketio::store::Life;

use super::backend::{Backend, Feed, MAX_STALE, Server};

#[tokio::test(start_paused = true)]
async fn a_reported_change_is_looked_up_at_once() {
    let backend = Backend::new();
    let server = Server::with(&backend, |builder| builder.watch(Feed(backend.clone())));
    // Reports are gathered for 105 ms at most; time is paused.
    let soon = Duration::from_millis(200);
    for (n, change) in
        [Change::Session("ann".into()), Change::Hashed(SessionId::from("ann").hash())]
            .into_iter()
            .enumerate()
    {
        let _ann = server.connected("ann").await;
        let _bob = server.connected("bob").await;
        if n == 0 {
            backend.listening.notified().await;
        }
        backend.report(Change::Session("bob".into()));
        backend.report(Change::Session("nobody".into()));
        backend.destroy("ann").await;
        backend.report(change);
        assert_eq!(server.ends_within(soon).await, EndReason::LoggedOut);
        backend.log_in("ann", 42, Life::Forever);
        assert!(server.ended().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_may_have_missed_changes_causes_a_full_sweep() {
    let backend = Backend::new();
    let server = Server::with(&backend, |builder| builder.watch(Feed(backend.clone())));
    let _ann = server.connected("ann").await;
    let _bob = server.connected("bob").await;
    backend.listening.notified().await;
    backend.destroy("ann").await;
    backend.report(Change::Unknown);
    assert_eq!(server.ends_within(MAX_STALE / 3).await, EndReason::LoggedOut);
}

/// A custom feed that panics at its first call.
#[derive(Debug)]
struct PanickingFeed(Feed, AtomicBool);

#[async_trait]
impl SessionWatch for PanickingFeed {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        assert!(self.1.swap(true, Ordering::SeqCst), "in a feed");
        self.0.watch(changes).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_panics_is_listened_to_again() {
    let backend = Backend::new();
    let feed = PanickingFeed(Feed(backend.clone()), AtomicBool::new(false));
    let server = Server::with(&backend, |builder| builder.watch(feed));
    let _ann = server.connected("ann").await;
    backend.listening.notified().await;
    backend.destroy("ann").await;
    backend.report(Change::Session("ann".into()));
    assert_eq!(server.ends_within(Duration::from_millis(200)).await, EndReason::LoggedOut);
}
