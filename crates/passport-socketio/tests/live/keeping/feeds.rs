//! Where somebody tells of changes, they are looked at right away.

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
        backend.tell(Change::Session("bob".into()));
        backend.tell(Change::Session("nobody".into()));
        backend.destroy("ann").await;
        backend.tell(change);
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
    backend.tell(Change::Unknown);
    assert_eq!(server.ends_within(MAX_STALE / 3).await, EndReason::LoggedOut);
}

/// A feed of somebody's own that panics when it is first asked.
#[derive(Debug)]
struct Panicky(Feed, AtomicBool);

#[async_trait]
impl SessionWatch for Panicky {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        assert!(self.1.swap(true, Ordering::SeqCst), "in a feed");
        self.0.watch(changes).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_panics_is_listened_to_again() {
    let backend = Backend::new();
    let feed = Panicky(Feed(backend.clone()), AtomicBool::new(false));
    let server = Server::with(&backend, |builder| builder.watch(feed));
    let _ann = server.connected("ann").await;
    backend.listening.notified().await;
    backend.destroy("ann").await;
    backend.tell(Change::Session("ann".into()));
    assert_eq!(server.ends_within(Duration::from_millis(200)).await, EndReason::LoggedOut);
}
