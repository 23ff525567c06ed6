//! What is there, or not: a store, a feed of changes. From when to when.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

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

    pub(crate) fn end(mut self) {
        self.goes_on();
        events::store_is_back(self.since.elapsed());
    }
}

/// A feed of changes.
#[derive(Default)]
pub(crate) struct Feed {
    share: Mutex<Option<Share>>,
    is_refused: AtomicBool,
}

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

    /// There is none. Said the first time, and whenever it had reported something before.
    pub(crate) fn was_refused(&self, error: &dyn Error, max_stale: Duration) {
        let was_heard = self.share().take().is_some();
        metrics::feed_was_refused();
        if was_heard | !self.is_refused.swap(true, Ordering::Relaxed) {
            events::feed_was_refused(error, max_stale);
        }
    }

    fn share(&self) -> MutexGuard<'_, Option<Share>> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
