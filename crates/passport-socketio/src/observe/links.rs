//! What is connected, or not: a store, a feed of changes, the other nodes. From when to when.

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

#[cfg(feature = "redis")]
use super::tally::CONNECTED;
use super::tally::{LISTENING, STORES, Share};
use super::{events, metrics};
use crate::AuthorizeError;

/// A store that does not answer, for as long as this lives.
pub(crate) struct Outage {
    since: Instant,
    counted: u64,
    _share: Share,
}

impl Outage {
    pub(crate) fn begin(error: &AuthorizeError, grace: Duration) -> Self {
        events::store_is_away(error, grace);
        Self { since: Instant::now(), counted: 0, _share: Share::of(&STORES, 1) }
    }

    /// It was asked again, and did not answer.
    pub(crate) fn goes_on(&mut self) {
        let seconds = self.since.elapsed().as_secs();
        metrics::store_away(seconds.saturating_sub(self.counted));
        self.counted = seconds;
    }

    pub(crate) fn is_over(mut self) {
        self.goes_on();
        events::store_is_back(self.since.elapsed());
    }
}

/// A feed of changes.
#[derive(Default)]
pub(crate) struct Feed(Mutex<Option<Share>>);

impl Feed {
    /// It reported something.
    pub(crate) fn is_heard(&self) {
        let mut share = self.share();
        if share.is_none() {
            *share = Some(Share::of(&LISTENING, 1));
            events::feed_listens();
        }
    }

    pub(crate) fn was_lost(&self, error: &dyn Error) {
        *self.share() = None;
        metrics::feed_was_lost();
        events::feed_was_lost(error);
    }

    /// There is none.
    pub(crate) fn was_refused(&self, error: &dyn Error, max_stale: Duration) {
        *self.share() = None;
        events::feed_was_refused(error, max_stale);
    }

    fn share(&self) -> MutexGuard<'_, Option<Share>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection to the other nodes.
#[cfg(feature = "redis")]
pub(crate) struct NodesLink(Share);

#[cfg(feature = "redis")]
impl NodesLink {
    pub(crate) fn up() -> Self {
        Self(Share::of(&CONNECTED, 1))
    }

    pub(crate) fn was_lost(&mut self, error: &dyn Error) {
        self.0.set(0);
        events::nodes_redis_is_away(error);
    }

    pub(crate) fn is_back(&mut self) {
        self.0.set(1);
        events::nodes_redis_is_back();
    }
}
