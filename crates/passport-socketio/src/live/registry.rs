//! user → sessions → sockets, on this node, over all namespaces.
//!
//! A handshake [registers](super::registration) its session before the store is asked about it, under
//! an epoch that counts announced changes. A session with sockets is looked at again when it is
//! [due](super::schedule).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use express_session::{SessionId, SidHash};
use tokio::sync::Notify;
use tokio::time::Instant;

#[cfg(feature = "redis")]
use super::cut_off::CutOff;
use super::grace::{Grace, StoreAway};
use super::schedule::{APART, DEBOUNCE, Due, Finding};
use super::slots::Manner;
use super::state::{Entry, Settled, State};
use super::{EndBegun, LiveSocket, OngoingHandshake, Registration, SocketEnd};
use crate::authorizer::Loads;
use crate::model::{EndReason, Session, UserKey};
use crate::observe::metrics;

/// All live sessions of one authorizer on this node.
pub(crate) struct Registry<U> {
    state: Mutex<State<U>>,
    /// Something is due earlier than what was due first.
    pub(super) sooner: Notify,
    /// The store is asked, or does not answer.
    pub(super) asked: Notify,
    /// Where records may be kept, which must not outlive what is told of their sessions.
    pub(super) loads: Arc<Loads>,
}

impl<U> Registry<U> {
    pub(crate) fn new(loads: Arc<Loads>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::new()),
            sooner: Notify::new(),
            asked: Notify::new(),
            loads,
        })
    }

    /// Ends all sockets of a session, and makes the handshakes that are under way with it start
    /// over. How many sockets that were.
    pub(crate) fn end_session(&self, sid: &SessionId, reason: EndReason) -> usize {
        self.loads.forget(&sid.hash());
        let sockets: Vec<_> = {
            let mut state = self.state();
            let Some(entry) = state.sessions.get_mut(sid) else {
                return 0;
            };
            entry.epoch += 1;
            entry.sockets.values().cloned().collect()
        };
        end_all(&sockets, reason)
    }

    /// Whether this node may not know whom an operator revoked.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.state().cut_off > 0
    }

    /// The session with this hash, if somebody is connected with it.
    pub(crate) fn by_hash(&self, hash: &SidHash) -> Option<SessionId> {
        self.state().hashes.get(hash).cloned()
    }

    /// A session as it was last loaded.
    pub(super) fn session_of(&self, sid: &SessionId) -> Option<Session> {
        let state = self.state();
        let socket = state.sessions.get(sid)?.sockets.values().next()?;
        Some(socket.login().session())
    }

    /// The users with a live socket.
    pub(crate) fn users(&self) -> Vec<UserKey> {
        let users: Vec<_> = {
            let state = self.state();
            let users = state.users.keys();
            users.map(|user| (user.clone(), state.standing(user))).collect()
        };
        let live = |sockets: &[Arc<LiveSocket<U>>]| sockets.iter().any(|socket| socket.is_live());
        users.into_iter().filter(|(_, sockets)| live(sockets)).map(|(user, _)| user).collect()
    }

    /// The sessions of the user's logins, connected or just being connected.
    pub(crate) fn sessions_of(&self, user: &UserKey) -> HashSet<SessionId> {
        self.logins_of(user).iter().map(|socket| socket.sid().clone()).collect()
    }

    /// The user's sockets whose login stands: also those whose handshake is not over. Those that have
    /// left, and are held by something, count no more from now on.
    pub(crate) fn logins_of(&self, user: &UserKey) -> Vec<Arc<LiveSocket<U>>> {
        let mut sockets = self.state().standing(user);
        sockets.retain(|socket| {
            let has_left = socket.has_left();
            if has_left {
                socket.flag(SocketEnd::SocketLeft);
            }
            !has_left
        });
        sockets
    }

    /// The user's sockets that are connected.
    pub(crate) fn sockets_of(&self, user: &UserKey) -> Vec<Arc<LiveSocket<U>>> {
        let sockets = self.logins_of(user);
        sockets.into_iter().filter(|socket| socket.is_live()).collect()
    }

    /// Later ones are greater, and none is 0.
    pub(crate) fn next_number(&self) -> u64 {
        self.state().take_number()
    }

    /// Forgets a socket that its host only remembers.
    pub(super) fn forget(&self, number: u64, socket: &LiveSocket<U>) {
        let mut state = self.state();
        state.leave(socket.sid(), |entry| {
            entry.sockets.remove(&number);
        });
        state.forget_user(socket.user_key(), socket.sid());
        let users = state.users.len();
        state.tally.users(users);
    }

    /// Says once more how many there are.
    pub(super) fn tell_tally(&self) {
        self.state().tally.repeat();
    }

    /// A handshake begins.
    pub(crate) fn begin_handshake(self: &Arc<Self>) -> OngoingHandshake<U> {
        let mut state = self.state();
        let number = state.take_number();
        state.ongoing.begin(number);
        OngoingHandshake::new(self.clone(), number)
    }

    /// Enters a session that a handshake is about to load.
    pub(crate) fn register(self: &Arc<Self>, sid: &SessionId) -> Registration<U> {
        let mut state = self.state();
        let state = &mut *state;
        let entry = state.sessions.entry(sid.clone()).or_insert_with(|| {
            state.hashes.insert(sid.hash(), sid.clone());
            Entry {
                epoch: 0,
                pending: 0,
                sockets: HashMap::new(),
                told: None,
                due: None,
                checked: Instant::now(),
                confirmed: None,
                asked: None,
                unclear: None,
            }
        });
        entry.pending += 1;
        let epoch = entry.epoch;
        let asked = state.take_number();
        Registration { registry: self.clone(), sid: sid.clone(), epoch, asked }
    }

    /// Refuses a session until then, or for as long as this process lives.
    pub(crate) fn deny_session(&self, sid: &SessionId, until: Option<Instant>) {
        self.deny_hash(sid.hash(), until);
    }

    /// The same for a session whose id another node has not told.
    pub(crate) fn deny_hash(&self, hash: SidHash, until: Option<Instant>) {
        self.loads.forget(&hash);
        self.state().denied.session(hash, until);
    }

    pub(crate) fn is_denied(&self, sid: &SessionId) -> bool {
        self.state().denied.has_session(sid)
    }

    /// Refuses the user's handshakes that are under way.
    pub(crate) fn deny_handshakes_of(&self, user: &UserKey) {
        let mut state = self.state();
        let now = state.take_number();
        let State { denied, ongoing, .. } = &mut *state;
        denied.users.record(user, now, ongoing);
    }

    /// Lets the user's handshakes that are under way load them once more.
    pub(crate) fn renew_handshakes_of(&self, user: &UserKey) {
        let mut state = self.state();
        let now = state.take_number();
        let State { refreshed, ongoing, .. } = &mut *state;
        refreshed.record(user, now, ongoing);
    }

    /// Of how many users it is remembered that they were revoked.
    #[cfg(test)]
    pub(super) fn revoked_users(&self) -> usize {
        self.state().denied.users()
    }

    /// When the next session is due.
    pub(super) fn next_due(&self, manner: Manner) -> Option<Instant> {
        self.state().schedule.first(manner)
    }

    /// Takes what is due, at most so many.
    pub(super) fn take_due(&self, manner: Manner, at_most: usize) -> Vec<Due> {
        let taken = self.state().take_due(manner, at_most);
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
        let Settled { ended, known_since } = self.state().settle(due, finding, again);
        if let Some((sockets, reason)) = ended {
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

    /// Ends all sockets of users, and lets nobody in. How many sockets those were.
    #[cfg(feature = "redis")]
    pub(crate) fn cut_off(self: &Arc<Self>) -> (CutOff<U>, usize) {
        let sockets: Vec<_> = {
            let mut state = self.state();
            state.cut_off += 1;
            let entries = state.sessions.values();
            entries.flat_map(|entry| entry.sockets.values()).cloned().collect()
        };
        (CutOff::new(self.clone()), end_all(&sockets, EndReason::CouldNotTell))
    }

    /// No code that holds the lock can panic, so a poisoned one is whole.
    pub(super) fn state(&self) -> MutexGuard<'_, State<U>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All flags first: from here on no extractor gives the user to a handler. How many they were.
pub(crate) fn end_all<U>(sockets: &[Arc<LiveSocket<U>>], reason: EndReason) -> usize {
    let ending: Vec<EndBegun<'_, U>> =
        sockets.iter().filter_map(|socket| socket.begin_end(reason)).collect();
    let ended = ending.len();
    ending.into_iter().for_each(EndBegun::go_on);
    ended
}

/// How much is in it, never what.
impl<U> fmt::Debug for Registry<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let sockets: usize = state.sessions.values().map(|entry| entry.sockets.len()).sum();
        f.debug_struct("Registry")
            .field("users", &state.users.len())
            .field("sessions", &state.sessions.len())
            .field("sockets", &sockets)
            .finish()
    }
}

#[cfg(test)]
mod tests;
