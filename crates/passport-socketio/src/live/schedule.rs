//! When each live session is looked at again.
//!
//! One time for each: the end of its life, its turn in the sweep, or at once, if a change was told.
//! Whoever looks [takes](Registry::take_due) what is due, asks the store, and
//! [settles](Registry::settle) what came of it.

use std::sync::Arc;
use std::time::Duration;

use express_session::SessionId;
use tokio::time::Instant;

use super::registry::{Entry, State, end_all};
use super::slots::{Manner, Schedule};
use super::{LiveSocket, Registry};
use crate::model::{EndReason, Session};
use crate::observe::metrics;

/// An app writes a session several times in a row, and each write is told.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// When everybody is looked at: 200 sessions a second, two round trips, are nothing to a store.
const APART: Duration = Duration::from_millis(5);

/// A session that is being looked at.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) sid: SessionId,
    epoch: u64,
    /// Before the store was asked.
    pub(super) taken: Instant,
    /// When a feed told of a change; else, when it was due.
    since: Instant,
    was_told: bool,
}

/// What a look at the store gave.
pub(super) enum Finding {
    /// There it is, with a user in it.
    Stands(Session),
    /// It is not there any more: somebody destroyed it, or its time was over.
    Gone,
    /// It is over.
    Over(EndReason),
    /// It can't be told, and that is no fault of the store as a whole. As what it ends, should that
    /// stay so.
    Unclear(EndReason),
}

impl<U> Registry<U> {
    /// When the next session is due.
    pub(super) fn next_due(&self, manner: Manner) -> Option<Instant> {
        self.state().schedule.first(manner)
    }

    /// Takes what is due, at most so many.
    pub(super) fn take_due(&self, manner: Manner, at_most: usize) -> Vec<Due> {
        let now = Instant::now();
        let mut state = self.state();
        let state = &mut *state;
        let mut taken = Vec::new();
        while taken.len() < at_most
            && let Some((since, sid)) = state.schedule.pop(manner, now)
        {
            if let Some(entry) = state.sessions.get_mut(&sid) {
                entry.due = None;
                entry.checked = now;
                entry.asked = Some(now);
                state.unanswered.insert(sid.clone());
                let told = entry.told.take();
                let (since, was_told) = (told.unwrap_or(since), told.is_some());
                taken.push(Due { sid, epoch: entry.epoch, taken: now, since, was_told });
            }
        }
        if !taken.is_empty() {
            self.asked.notify_one();
        }
        taken
    }

    /// What was loaded of this session before now no longer counts: handshakes start over, and it
    /// is looked at soon.
    pub(crate) fn session_changed(&self, sid: &SessionId) {
        self.loads.forget(&sid.hash());
        let now = Instant::now();
        let mut state = self.state();
        let sooner = state.with_entry(sid, |schedule, entry| {
            entry.epoch += 1;
            if !entry.sockets.is_empty() {
                entry.told.get_or_insert(now);
            }
            let at = now.max(entry.checked + DEBOUNCE);
            !entry.sockets.is_empty() && schedule.at_most(sid, entry, at)
        });
        drop(state);
        if sooner == Some(true) {
            self.sooner.notify_waiters();
        }
    }

    /// The same for all of them, looked at one after the other within `window`: at once, if they are
    /// few.
    pub(super) fn all_changed(&self, window: Duration) {
        self.loads.forget_all();
        let now = Instant::now();
        let mut state = self.state();
        let State { sessions, schedule, .. } = &mut *state;
        let window =
            window.min(APART.saturating_mul(u32::try_from(sessions.len()).unwrap_or(u32::MAX)));
        for (sid, entry) in sessions {
            entry.epoch += 1;
            if !entry.sockets.is_empty() {
                let at = now + window.mul_f64(fastrand::f64());
                schedule.at_most(sid, entry, at);
            }
        }
        drop(state);
        self.sooner.notify_waiters();
    }

    /// The store gave no answer about these together: each is looked up alone, at once.
    pub(super) fn set_apart(&self, due: &[Due]) {
        let now = Instant::now();
        let mut state = self.state();
        for due in due {
            state.with_entry(&due.sid, |schedule, entry| {
                if entry.sockets.is_empty() {
                    return;
                }
                entry.asked = Some(now);
                entry.unclear.get_or_insert(EndReason::StoreUnavailable);
                if due.was_told {
                    entry.told.get_or_insert(due.since);
                }
                // They keep their order.
                schedule.at_most(&due.sid, entry, due.since);
            });
        }
        drop(state);
        self.sooner.notify_waiters();
    }

    /// Acts on what was found, and says when to look again. Sockets that came
    /// meanwhile are left alone, and what may have changed meanwhile is looked at once more.
    ///
    /// Returns when the store was asked for what was known before, if it has answered about it each
    /// time since.
    pub(super) fn settle(&self, due: &Due, finding: &Finding, again: Instant) -> Option<Instant> {
        // What was just found is newer than any record that is kept.
        self.loads.forget(&due.sid.hash());
        let now = Instant::now();
        let mut state = self.state();
        let unclear = match finding {
            Finding::Unclear(reason) => Some(*reason),
            Finding::Stands(_) | Finding::Gone | Finding::Over(_) => None,
        };
        if unclear.is_none() {
            state.unanswered.remove(&due.sid);
        }
        let mut known_since = None;
        let settled = state.with_entry(&due.sid, |schedule, entry| {
            if entry.sockets.is_empty() {
                return None;
            }
            let known = |socket: &&Arc<LiveSocket<U>>| socket.entered() < due.taken;
            let sockets: Vec<_> = entry.sockets.values().filter(known).cloned().collect();
            let changed = entry.epoch != due.epoch;
            let unsettled = changed || sockets.len() < entry.sockets.len();
            let next = if unsettled { now.max(entry.checked + DEBOUNCE) } else { again };
            if unclear.is_none() && entry.unclear.is_none() {
                known_since = sockets.iter().map(|socket| entry.confirmed(socket)).min();
            }
            entry.asked = None;
            entry.unclear = unclear;
            schedule.at_most(&due.sid, entry, next);
            match finding {
                Finding::Stands(session) => {
                    entry.confirmed = Some(due.taken);
                    let (same, other): (Vec<_>, Vec<_>) =
                        sockets.into_iter().partition(|socket| socket.is_of(session));
                    for socket in same.iter().filter(|_| !changed) {
                        socket.refresh_session(session);
                    }
                    Some((other, EndReason::UserChanged))
                }
                Finding::Gone => {
                    // A handshake that found it just before must look again.
                    entry.epoch += 1;
                    let outlived = sockets.iter().any(|socket| socket.has_outlived_its_session());
                    let reason = if outlived { EndReason::Expired } else { EndReason::LoggedOut };
                    Some((sockets, reason))
                }
                Finding::Over(reason) => {
                    entry.epoch += 1;
                    Some((sockets, *reason))
                }
                // Sockets stay for their [grace](super::grace).
                Finding::Unclear(_) => None,
            }
        });
        drop(state);
        if let Some((sockets, reason)) = settled.flatten() {
            let delay = due.since.elapsed();
            if end_all(&sockets, reason) > 0 {
                metrics::revocation_delay(due.was_told, delay);
            }
        }
        self.sooner.notify_waiters();
        known_since
    }

    /// Forgets the sockets that their host only remembers, of these sessions. How many they were.
    pub(super) fn reap(&self, due: &[Due]) -> usize {
        // The host is asked without the lock: see `standing`.
        let sockets: Vec<(u64, Arc<LiveSocket<U>>)> = {
            let state = self.state();
            let entries = due.iter().filter_map(|due| state.sessions.get(&due.sid));
            let sockets = entries.flat_map(|entry| &entry.sockets);
            sockets.map(|(number, socket)| (*number, socket.clone())).collect()
        };
        let mut reaped = 0;
        for (number, socket) in sockets {
            if socket.is_left_behind() {
                socket.remove();
                self.forget(number, &socket);
                reaped += 1;
            }
        }
        reaped
    }
}

impl<U> State<U> {
    fn with_entry<T>(
        &mut self,
        sid: &SessionId,
        change: impl FnOnce(&mut Schedule, &mut Entry<U>) -> T,
    ) -> Option<T> {
        let Self { sessions, schedule, .. } = self;
        sessions.get_mut(sid).map(|entry| change(schedule, entry))
    }
}
