//! user → sessions → sockets, on this node, over all namespaces.
//!
//! A handshake [registers](super::registration) its session before the store is asked about it, under
//! an epoch that counts announced changes. A session with sockets is looked at again when it is
//! [due](super::schedule).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use express_session::{SessionId, SidHash};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::denied::{Denied, UserChanges};
use super::handshakes::OngoingHandshakes;
use super::slots::{Schedule, Slot};
use super::{EndBegun, LiveSocket, SocketEnd};
use crate::authorizer::Loads;
use crate::model::{EndReason, Session, UserKey};
use crate::observe::Tally;

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

pub(super) struct State<U> {
    pub(super) sessions: HashMap<SessionId, Entry<U>>,
    pub(super) users: HashMap<UserKey, HashSet<SessionId>>,
    /// For feeds that tell hashes.
    pub(super) hashes: HashMap<SidHash, SessionId>,
    next_number: u64,
    pub(super) ongoing: OngoingHandshakes,
    pub(super) schedule: Schedule,
    /// Sessions about which the store was asked and has not answered.
    pub(super) unanswered: HashSet<SessionId>,
    /// Whether the store answers nothing at all.
    pub(super) is_away: bool,
    /// In how many clusters this node is cut off from the others: then nobody is let in.
    pub(super) cut_off: usize,
    pub(super) denied: Denied,
    /// Whose handshakes that began before know the user as they were.
    pub(super) refreshed: UserChanges,
    /// Who is shown in metrics.
    pub(super) tally: Tally,
}

/// A session that somebody is connected with, or is about to.
pub(super) struct Entry<U> {
    /// Counts announced changes.
    pub(super) epoch: u64,
    /// Handshakes that have registered and not finished.
    pub(super) pending: usize,
    pub(super) sockets: HashMap<u64, Arc<LiveSocket<U>>>,
    /// Since when a change is known that nobody has looked at.
    pub(super) told: Option<Instant>,
    /// When it is looked at again; `None` while it is being looked at, and while it has no socket.
    pub(super) due: Option<Slot>,
    pub(super) checked: Instant,
    /// When the store was asked for the last answer that said that the login stands.
    pub(super) confirmed: Option<Instant>,
    /// Since when the store is being asked about it.
    pub(super) asked: Option<Instant>,
    /// Where the last lookup of it gave no answer: as what it ends, should that stay so. It is looked
    /// up alone until one does.
    pub(super) unclear: Option<EndReason>,
}

impl<U> Registry<U> {
    pub(crate) fn new(loads: Arc<Loads>) -> Arc<Self> {
        let state = State {
            sessions: HashMap::new(),
            users: HashMap::new(),
            hashes: HashMap::new(),
            next_number: 0,
            ongoing: OngoingHandshakes::default(),
            schedule: Schedule::default(),
            unanswered: HashSet::new(),
            is_away: false,
            cut_off: 0,
            denied: Denied::default(),
            refreshed: UserChanges::default(),
            tally: Tally::default(),
        };
        Arc::new(Self {
            state: Mutex::new(state),
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

impl<U> State<U> {
    pub(super) fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The user's sockets whose login has not ended. Whether they are connected is for the host to
    /// say, and must not be asked under the lock: to ask may be to drop the host's last socket, which
    /// leaves by this same lock.
    pub(super) fn standing(&self, user: &UserKey) -> Vec<Arc<LiveSocket<U>>> {
        let sessions = self.users.get(user).into_iter().flatten();
        let entries = sessions.filter_map(|sid| self.sessions.get(sid));
        let sockets = entries.flat_map(|entry| entry.sockets.values());
        let theirs =
            |socket: &&Arc<LiveSocket<U>>| socket.user_key() == user && !socket.has_ended();
        sockets.filter(theirs).cloned().collect()
    }

    /// Changes an entry, and removes it when nobody is left in it.
    pub(super) fn leave(&mut self, sid: &SessionId, change: impl FnOnce(&mut Entry<U>)) {
        let Some(entry) = self.sessions.get_mut(sid) else {
            return;
        };
        let before = entry.sockets.len();
        change(entry);
        self.tally.session(before, entry.sockets.len());
        if entry.sockets.is_empty() {
            entry.told = None;
            (entry.asked, entry.unclear) = (None, None);
            self.unanswered.remove(sid);
            self.schedule.remove(entry.due.take());
            if entry.pending == 0 {
                self.sessions.remove(sid);
                self.hashes.remove(&sid.hash());
            }
        }
    }

    /// Forgets that a user has this session, unless a socket of it is still theirs.
    fn forget_user(&mut self, user: &UserKey, sid: &SessionId) {
        let entry = self.sessions.get(sid);
        let mut sockets = entry.into_iter().flat_map(|entry| entry.sockets.values());
        if sockets.any(|socket| socket.user_key() == user) {
            return;
        }
        if let Some(sessions) = self.users.get_mut(user) {
            sessions.remove(sid);
            if sessions.is_empty() {
                self.users.remove(user);
            }
        }
    }
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
