//! What is there, or not: a store, a feed of changes, enough time. From when to when.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::tally::{LISTENING, STORES, Share};
use super::{Repeats, events, metrics};
use crate::model::AuthorizeError;

/// A store that does not answer, for as long as this lives.
pub(crate) struct Outage {
    since: Instant,
    counted: u64,
    was_told: bool,
    _share: Share,
}

impl Outage {
    pub(super) fn begin(error: &AuthorizeError, grace: Duration, repeats: &Repeats) -> Self {
        let was_told = events::store_is_away(error, grace, repeats);
        Self { since: Instant::now(), counted: 0, was_told, _share: Share::of(&STORES, 1) }
    }

    /// It was asked again, and did not answer.
    pub(crate) fn goes_on(&mut self) {
        let seconds = self.since.elapsed().as_secs();
        metrics::store_away(seconds.saturating_sub(self.counted));
        self.counted = seconds;
    }

    pub(crate) fn end(mut self) {
        self.goes_on();
        events::store_is_back(self.since.elapsed(), self.was_told);
    }
}

/// That every live session is looked up again within `max_stale`, while its store answers.
pub(crate) struct Promise {
    max_stale: Duration,
    /// Not counted from before: the store was away.
    since: Instant,
    broken: Option<Broken>,
}

/// Sessions are looked up too late.
struct Broken {
    since: Instant,
    last: Instant,
    lookups: u64,
}

impl Promise {
    pub(crate) fn of(max_stale: Duration) -> Self {
        Self { max_stale, since: Instant::now(), broken: None }
    }

    /// The store was away, and is back.
    pub(crate) fn begins_anew(&mut self) {
        self.since = Instant::now();
    }

    /// The store has answered about a session. What was known of it before is of then.
    pub(crate) fn was_looked_up(&mut self, known_since: Instant) {
        let now = Instant::now();
        let late = now.saturating_duration_since(known_since.max(self.since));
        if late > self.max_stale {
            metrics::late_lookup();
            if self.broken.is_none() {
                events::lookups_are_late(self.max_stale);
            }
            let broken = self.broken.get_or_insert(Broken { since: now, last: now, lookups: 0 });
            broken.last = now;
            broken.lookups += 1;
        } else if let Some(broken) = self.broken.take_if(|it| now - it.last > self.max_stale) {
            events::lookups_are_in_time(broken.since.elapsed(), broken.lookups);
        }
    }
}

/// A feed of changes.
#[derive(Default)]
pub(crate) struct Feed {
    share: Mutex<Option<Share>>,
    is_refused: AtomicBool,
    repeats: Repeats,
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
        events::feed_was_lost(error, &self.repeats);
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
