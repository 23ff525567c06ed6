//! Which requests wait for which load. Nothing here waits itself, or asks a store.
//!
//! A session has a pending load while any request waits for it: at most one load that has begun, and
//! the next one, which may still be joined.

use std::collections::HashMap;
use std::sync::Arc;

use express_session::SidHash;
use tokio::sync::watch;
use tokio::time::Instant;

use super::cache::RecordCache;
use super::{Answer, LoadLimits};
use crate::model::AuthorizeError;

pub(super) struct PendingLoads {
    by_session: HashMap<SidHash, Pending>,
    /// Loads that have begun, and those that have not: a crowd that joins one load is one.
    loads: usize,
    at_most: usize,
    cache: Option<RecordCache>,
}

#[derive(Default)]
struct Pending {
    /// A load has begun.
    is_under_way: bool,
    /// Something happened to the session since it did.
    is_outdated: bool,
    next: Option<Next>,
}

/// A load that has not begun.
#[derive(Clone)]
pub(super) struct Next {
    /// Since when the first request waits for it.
    pub(super) since: Instant,
    answer: Waiters,
}

/// The requests that wait for one load.
#[derive(Clone)]
pub(super) struct Waiters(Arc<watch::Sender<Option<Answer>>>);

pub(super) type Waiting = watch::Receiver<Option<Answer>>;

/// What becomes of a question.
pub(super) enum Asked {
    /// It needs no load.
    Cached(super::Loaded),
    /// It waits for a load that another request waits for, too.
    Joined(Waiting),
    /// It is the session's first, and its task has to be started.
    Start(Waiting),
    /// There are too many.
    Full,
}

impl PendingLoads {
    pub(super) fn new(limits: LoadLimits) -> Self {
        Self {
            by_session: HashMap::new(),
            loads: 0,
            at_most: limits.in_flight.saturating_add(limits.queued),
            cache: limits.cached_for.map(RecordCache::new),
        }
    }

    pub(super) fn ask(&mut self, key: &SidHash, now: Instant) -> Asked {
        if let Some(loaded) = self.cache.as_mut().and_then(|cache| cache.find(key, now)) {
            return Asked::Cached(loaded);
        }
        let load = self.by_session.get_mut(key);
        if let Some(next) = load.as_ref().and_then(|load| load.next.as_ref()) {
            return Asked::Joined(next.answer.0.subscribe());
        }
        if self.loads >= self.at_most {
            return Asked::Full;
        }
        self.loads += 1;
        let (answer, ticket) = watch::channel(None);
        let next = Some(Next { since: now, answer: Waiters(Arc::new(answer)) });
        if let Some(load) = load {
            load.next = next;
            Asked::Joined(ticket)
        } else {
            let load = Pending { next, ..Pending::default() };
            self.by_session.insert(*key, load);
            Asked::Start(ticket)
        }
    }

    /// The session's next load, if a request waits for it. Otherwise nothing is pending any more.
    pub(super) fn next(&mut self, key: &SidHash) -> Option<Next> {
        let load = self.by_session.get(key)?;
        // Under the lock, so that no request can join at the same time.
        let waited_for = |next: &&Next| next.answer.0.receiver_count() > 0;
        let next = load.next.as_ref().filter(waited_for).cloned();
        if next.is_none() {
            self.end(key);
        }
        next
    }

    /// From here on no request joins it.
    pub(super) fn begin(&mut self, key: &SidHash) -> Waiters {
        let next = self.by_session.get_mut(key).and_then(|load| {
            load.is_under_way = true;
            load.is_outdated = false;
            load.next.take()
        });
        next.map_or_else(Waiters::none, |next| next.answer)
    }

    /// The load that has begun is over.
    pub(super) fn finish(&mut self, key: &SidHash, answer: &Answer) {
        self.loads = self.loads.saturating_sub(1);
        if let Some(load) = self.by_session.get_mut(key) {
            load.is_under_way = false;
            if let (Some(cache), Ok(loaded), false) = (&mut self.cache, answer, load.is_outdated) {
                cache.keep(*key, loaded);
            }
        }
        if let Err(error) = answer {
            self.give_up(key, error);
        }
    }

    /// The next load will not begin.
    pub(super) fn give_up(&mut self, key: &SidHash, error: &AuthorizeError) {
        if let Some(next) = self.by_session.get_mut(key).and_then(|load| load.next.take()) {
            self.loads = self.loads.saturating_sub(1);
            next.answer.give(Err(error.clone()));
        }
    }

    /// Nothing is pending any more, whatever state the load is in.
    pub(super) fn end(&mut self, key: &SidHash) {
        if let Some(load) = self.by_session.remove(key) {
            let loads = usize::from(load.is_under_way) + usize::from(load.next.is_some());
            self.loads = self.loads.saturating_sub(loads);
        }
    }

    pub(super) fn forget(&mut self, key: &SidHash) {
        if let Some(cache) = &mut self.cache {
            cache.forget(key);
        }
        if let Some(load) = self.by_session.get_mut(key) {
            load.is_outdated = true;
        }
    }

    pub(super) fn forget_all(&mut self) {
        if let Some(cache) = &mut self.cache {
            cache.forget_all();
        }
        self.by_session.values_mut().for_each(|load| load.is_outdated = true);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_session.is_empty() && self.loads == 0
    }
}

impl Next {
    pub(super) async fn is_abandoned(&self) {
        self.answer.0.closed().await;
    }
}

impl Waiters {
    fn none() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    pub(super) fn give(&self, answer: Answer) {
        self.0.send_replace(Some(answer));
    }
}
