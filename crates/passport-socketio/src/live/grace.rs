//! How long sockets stay while the store does not say whether their login stands.
//!
//! Each has a grace of its own. It begins when the store was asked for the last answer that said that
//! the login stands, whether that let the socket in or was found by the sweep, and no outage that
//! begins or ends meanwhile changes it: else a store that answers for a moment from time to time would
//! let a login that ended keep its sockets for ever.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::registry::{Entry, State, end_all};
use super::{LiveSocket, Registry};
use crate::model::EndReason;

/// How long without an answer is too long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grace {
    /// For a socket, since the store was asked for the last answer about it.
    pub(super) socket: Duration,
    /// For one question, before it counts as not answered.
    pub(super) question: Duration,
}

impl<U> Registry<U> {
    /// The store answers nothing at all, for as long as this lives.
    pub(super) fn store_is_away(&self) -> StoreAway<'_, U> {
        self.state().is_away = true;
        self.asked.notify_one();
        StoreAway(self)
    }

    /// Ends the sockets whose grace is over. How many they were, and when the next grace is, of those
    /// that the store owes an answer about now.
    pub(super) fn end_overdue(&self, grace: Grace) -> (usize, Option<Instant>) {
        let (over, next) = self.state().overdue(grace);
        (over.iter().map(|(reason, sockets)| end_all(sockets, *reason)).sum(), next)
    }

    /// Whether the store answers nothing at all.
    pub(super) fn is_store_away(&self) -> bool {
        self.state().is_away
    }
}

/// While the store is away. Made by [`Registry::store_is_away`].
#[must_use]
pub(super) struct StoreAway<'r, U>(&'r Registry<U>);

impl<U> Drop for StoreAway<'_, U> {
    fn drop(&mut self) {
        self.0.state().is_away = false;
    }
}

/// Sockets whose grace is over, by what they end as.
type Overdue<U> = HashMap<EndReason, Vec<Arc<LiveSocket<U>>>>;

impl<U> State<U> {
    /// The sockets whose grace is over, and when the next grace is.
    fn overdue(&self, grace: Grace) -> (Overdue<U>, Option<Instant>) {
        let now = Instant::now();
        let (mut over, mut next) = (Overdue::new(), None::<Instant>);
        let mut consider = |entry: &Entry<U>| {
            let answer_by = match entry.asked {
                Some(asked) if !self.is_away => asked + grace.question,
                _ => now,
            };
            for socket in entry.sockets.values().filter(|socket| !socket.has_ended()) {
                let ends = (entry.confirmed(socket) + grace.socket).max(answer_by);
                if ends <= now {
                    let reason = entry.unclear.filter(|_| !self.is_away);
                    let reason = reason.unwrap_or(EndReason::StoreUnavailable);
                    over.entry(reason).or_default().push(socket.clone());
                } else {
                    next = Some(next.map_or(ends, |next| next.min(ends)));
                }
            }
        };
        if self.is_away {
            self.sessions.values().for_each(&mut consider);
        } else {
            let entries = self.unanswered.iter().filter_map(|sid| self.sessions.get(sid));
            entries.for_each(&mut consider);
        }
        (over, next)
    }
}

impl<U> Entry<U> {
    /// When the store was asked for the last answer that said that this socket's login stands.
    pub(super) fn confirmed(&self, socket: &LiveSocket<U>) -> Instant {
        // What was asked before it came may have been answered about somebody else.
        let since_it_came = self.confirmed.filter(|asked| socket.entered() < *asked);
        since_it_came.unwrap_or_else(|| socket.asked())
    }
}
