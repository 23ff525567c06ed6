//! Who waits for which load. Nothing here waits itself, or asks a store.
//!
//! A session has a flight while anybody waits for it: at most one load that has begun, and the next
//! one, which may still be joined.

use std::collections::HashMap;
use std::sync::Arc;

use express_session::SidHash;
use tokio::sync::watch;
use tokio::time::Instant;

use super::kept::Kept;
use super::{Answer, LoadLimits};
use crate::model::AuthorizeError;

pub(super) struct Flights {
    by_session: HashMap<SidHash, Flight>,
    /// Loads that have begun, and those that have not: a crowd that joins one load is one.
    loads: usize,
    at_most: usize,
    kept: Option<Kept>,
}

#[derive(Default)]
struct Flight {
    /// A load has begun.
    is_under_way: bool,
    /// Something happened to the session since it did.
    is_outdated: bool,
    next: Option<Next>,
}

/// A load that has not begun.
#[derive(Clone)]
pub(super) struct Next {
    /// Since when its first passenger waits.
    pub(super) since: Instant,
    answer: Passengers,
}

/// Whoever waits for one load.
#[derive(Clone)]
pub(super) struct Passengers(Arc<watch::Sender<Option<Answer>>>);

pub(super) type Ticket = watch::Receiver<Option<Answer>>;

/// What becomes of a question.
pub(super) enum Asked {
    /// It needs no load.
    Kept(super::Loaded),
    /// It waits for a load that somebody else waits for, too.
    Joined(Ticket),
    /// It is the session's first, and somebody has to make it fly.
    First(Ticket),
    /// There are too many.
    Full,
}

impl Flights {
    pub(super) fn new(limits: LoadLimits) -> Self {
        Self {
            by_session: HashMap::new(),
            loads: 0,
            at_most: limits.in_flight.saturating_add(limits.queued),
            kept: limits.kept_for.map(Kept::new),
        }
    }

    pub(super) fn ask(&mut self, key: &SidHash, now: Instant) -> Asked {
        if let Some(loaded) = self.kept.as_mut().and_then(|kept| kept.find(key, now)) {
            return Asked::Kept(loaded);
        }
        let flight = self.by_session.get_mut(key);
        if let Some(next) = flight.as_ref().and_then(|flight| flight.next.as_ref()) {
            return Asked::Joined(next.answer.0.subscribe());
        }
        if self.loads >= self.at_most {
            return Asked::Full;
        }
        self.loads += 1;
        let (answer, ticket) = watch::channel(None);
        let next = Some(Next { since: now, answer: Passengers(Arc::new(answer)) });
        if let Some(flight) = flight {
            flight.next = next;
            Asked::Joined(ticket)
        } else {
            let flight = Flight { next, ..Flight::default() };
            self.by_session.insert(*key, flight);
            Asked::First(ticket)
        }
    }

    /// The session's next load, if anybody waits for it. The flight is over if nobody does.
    pub(super) fn next(&mut self, key: &SidHash) -> Option<Next> {
        let flight = self.by_session.get(key)?;
        // Asked under the lock: nobody can join while it is found out that nobody waits.
        let waited_for = |next: &&Next| next.answer.0.receiver_count() > 0;
        let next = flight.next.as_ref().filter(waited_for).cloned();
        if next.is_none() {
            self.end(key);
        }
        next
    }

    /// From here on nobody joins.
    pub(super) fn begin(&mut self, key: &SidHash) -> Passengers {
        let next = self.by_session.get_mut(key).and_then(|flight| {
            flight.is_under_way = true;
            flight.is_outdated = false;
            flight.next.take()
        });
        next.map_or_else(Passengers::none, |next| next.answer)
    }

    /// The load that has begun is over.
    pub(super) fn land(&mut self, key: &SidHash, answer: &Answer) {
        self.loads = self.loads.saturating_sub(1);
        if let Some(flight) = self.by_session.get_mut(key) {
            flight.is_under_way = false;
            if let (Some(kept), Ok(loaded), false) = (&mut self.kept, answer, flight.is_outdated) {
                kept.keep(*key, loaded);
            }
        }
        if let Err(error) = answer {
            self.give_up(key, error);
        }
    }

    /// The next load will not begin.
    pub(super) fn give_up(&mut self, key: &SidHash, error: &AuthorizeError) {
        if let Some(next) = self.by_session.get_mut(key).and_then(|flight| flight.next.take()) {
            self.loads = self.loads.saturating_sub(1);
            next.answer.give(Err(error.clone()));
        }
    }

    /// The flight is over, whatever state it is in.
    pub(super) fn end(&mut self, key: &SidHash) {
        if let Some(flight) = self.by_session.remove(key) {
            let loads = usize::from(flight.is_under_way) + usize::from(flight.next.is_some());
            self.loads = self.loads.saturating_sub(loads);
        }
    }

    pub(super) fn forget(&mut self, key: &SidHash) {
        if let Some(kept) = &mut self.kept {
            kept.forget(key);
        }
        if let Some(flight) = self.by_session.get_mut(key) {
            flight.is_outdated = true;
        }
    }

    pub(super) fn forget_all(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.forget_all();
        }
        self.by_session.values_mut().for_each(|flight| flight.is_outdated = true);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_session.is_empty() && self.loads == 0
    }
}

impl Next {
    pub(super) async fn nobody_waits(&self) {
        self.answer.0.closed().await;
    }
}

impl Passengers {
    fn none() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    pub(super) fn give(&self, answer: Answer) {
        self.0.send_replace(Some(answer));
    }
}
