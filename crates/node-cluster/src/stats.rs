//! What is counted.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    /// Questions of other servers that were not answered, because too many waited.
    pub unanswered: u64,
    /// How often code of the app panicked while a message was acted on, such as a socket's disconnect handler. The
    /// messages that follow are acted on nevertheless.
    pub panicked: u64,
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
    pub(crate) panicked: Counter,
    pub(crate) unanswered: Counter,
    /// Part of the refused names, with a warning of its own.
    pub(crate) taken_names: Counter,
    dropped: Counter,
    malformed: Mutex<HashMap<Malformed, u64>>,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts, and logs the first at `warn`. Clients can cause any number of those that follow: they are logged at
    /// `debug`.
    pub(crate) fn warn_once(&self, what: &'static str) {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("{what} (further ones are counted, and logged at debug)");
        } else {
            tracing::debug!("{what}");
        }
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Stats {
    /// Runs what may call the app's code. `None` if that panicked: the panic must not end the task that hears the
    /// cluster, or one that hands on what waits for a socket.
    pub(crate) fn guard<T>(&self, act: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(act));
        if done.is_err() {
            self.panicked.warn_once("a handler of the app panicked when the cluster was heard");
        }
        done.ok()
    }

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
            refused_names: self.refused_names.value() + self.taken_names.value(),
            refused_joins: self.refused_joins.value(),
            delivered: self.delivered.value(),
            missed_volatile: self.missed_volatile.value(),
            queued: self.queued.value(),
            overflowed: self.overflowed.value(),
            reconnected: self.reconnected.value(),
            panicked: self.panicked.value(),
            unanswered: self.unanswered.value(),
        }
    }
}
