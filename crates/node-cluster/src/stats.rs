//! What is counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::Malformed;

/// What has happened so far.
///
/// ```
/// use node_cluster::Counts;
///
/// assert_eq!(Counts::default().overflowed, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that came from the cluster.
    pub received: u64,
    /// Those that were dropped, because more came than this server could act on.
    pub dropped: u64,
    /// Those that could not be read, by reason.
    pub malformed: HashMap<Malformed, u64>,
    /// Those that named a room which no publisher may use.
    pub refused_names: u64,
    /// Joins of a room that no publisher may make a socket join.
    pub refused_joins: u64,
    /// Events that were handed to a socket, each socket counted.
    pub delivered: u64,
    /// Volatile events that a socket missed.
    pub missed_volatile: u64,
    /// Events that waited in a socket's queue.
    pub queued: u64,
    /// Sockets that were disconnected because they read too slowly.
    pub overflowed: u64,
    /// How often the Redis was connected anew.
    pub reconnected: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) received: Counter,
    pub(crate) refused_names: Counter,
    pub(crate) refused_joins: Counter,
    pub(crate) delivered: Counter,
    pub(crate) missed_volatile: Counter,
    pub(crate) queued: Counter,
    pub(crate) overflowed: Counter,
    pub(crate) reconnected: Counter,
    dropped: Counter,
    malformed: Mutex<HashMap<Malformed, u64>>,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Stats {
    /// The first is worth a warning.
    pub(crate) fn dropped(&self) {
        if self.dropped.value() == 0 {
            tracing::warn!(
                "more comes from the cluster than this server can act on: some is dropped"
            );
        }
        self.dropped.add();
    }

    /// The first of a kind is worth a warning: it tells of a program that publishes something else.
    pub(crate) fn malformed(&self, fault: Malformed) {
        let mut all = self.malformed.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(fault).or_default();
        *count += 1;
        if *count == 1 {
            tracing::warn!(
                reason = fault.code(),
                "a message from the cluster was dropped: {fault}"
            );
        } else {
            tracing::debug!(reason = fault.code(), "a message from the cluster was dropped");
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            received: self.received.value(),
            dropped: self.dropped.value(),
            malformed: self.malformed.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            refused_names: self.refused_names.value(),
            refused_joins: self.refused_joins.value(),
            delivered: self.delivered.value(),
            missed_volatile: self.missed_volatile.value(),
            queued: self.queued.value(),
            overflowed: self.overflowed.value(),
            reconnected: self.reconnected.value(),
        }
    }
}
