//! user → sessions → sockets, and the epochs that make a handshake race-free.
//!
//! 1. [`Registry::register`] enters a session id, before the store is asked about it.
//! 2. [`Registration::activate`] enters the socket, if no change was announced in between: the
//!    comparison and the entry are one act, under one lock.
//! 3. The [`Membership`] lies in the socket's extensions, and takes the entry out with the socket.
//!
//! A session with sockets is looked at again when it is [due](super::schedule).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use express_session::{SessionId, SidHash};
use socketioxide::socket::Sid;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::denied::{Denied, Moments};
use super::schedule::{Schedule, Slot};
use super::{EndReason, Ending, LiveSocket, OverLimit};
use crate::authorizer::Loads;
use crate::observe::Tally;
use crate::{Session, UserKey};

/// All live sessions of one authorizer on this node.
pub(crate) struct Registry<U> {
    state: Mutex<State<U>>,
    /// Something is due earlier than what was due first.
    pub(super) sooner: Notify,
    /// Where records may be kept, which must not outlive what is told of their sessions.
    pub(super) loads: Arc<Loads>,
}

pub(super) struct State<U> {
    pub(super) sessions: HashMap<SessionId, Entry<U>>,
    users: HashMap<UserKey, HashSet<SessionId>>,
    /// For feeds that tell hashes.
    hashes: HashMap<SidHash, SessionId>,
    next_number: u64,
    pub(super) schedule: Schedule,
    pub(super) denied: Denied,
    /// Whose handshakes that began before know the user as they were.
    pub(super) refreshed: Moments,
    /// Who is shown in metrics.
    tally: Tally,
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
    /// Since when the store's answer about it makes no sense.
    pub(super) failing: Option<Instant>,
}

impl<U> Registry<U> {
    pub(crate) fn new(loads: Arc<Loads>) -> Arc<Self> {
        let state = State {
            sessions: HashMap::new(),
            users: HashMap::new(),
            hashes: HashMap::new(),
            next_number: 0,
            schedule: Schedule::default(),
            denied: Denied::default(),
            refreshed: Moments::default(),
            tally: Tally::default(),
        };
        Arc::new(Self { state: Mutex::new(state), sooner: Notify::new(), loads })
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
                failing: None,
            }
        });
        entry.pending += 1;
        let (epoch, began) = (entry.epoch, Instant::now());
        Registration { registry: self.clone(), sid: sid.clone(), epoch, began }
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

    /// The session with this hash, if somebody is connected with it.
    pub(super) fn by_hash(&self, hash: &SidHash) -> Option<SessionId> {
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

    /// The user's sockets whose login stands: also those whose handshake is not over.
    pub(crate) fn logins_of(&self, user: &UserKey) -> Vec<Arc<LiveSocket<U>>> {
        self.state().standing(user)
    }

    /// The user's sockets that are connected.
    pub(crate) fn sockets_of(&self, user: &UserKey) -> Vec<Arc<LiveSocket<U>>> {
        let sockets = self.logins_of(user);
        sockets.into_iter().filter(|socket| socket.is_live()).collect()
    }

    /// Every socket of every session.
    pub(super) fn all_sockets(&self) -> Vec<Arc<LiveSocket<U>>> {
        let state = self.state();
        let sockets = state.sessions.values().flat_map(|entry| entry.sockets.values());
        sockets.cloned().collect()
    }

    /// Later ones are greater, and none is 0.
    pub(super) fn next_number(&self) -> u64 {
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
pub(super) fn end_all<U>(sockets: &[Arc<LiveSocket<U>>], reason: EndReason) -> usize {
    let ending: Vec<Ending<'_, U>> =
        sockets.iter().filter_map(|socket| socket.begin_end(reason)).collect();
    let ended = ending.len();
    ending.into_iter().for_each(Ending::go_on);
    ended
}

impl<U> State<U> {
    fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The user's sockets whose login has not ended. Whether they are connected is for the host to
    /// say, and must not be asked under the lock: to ask may be to drop the host's last socket, which
    /// leaves by this same lock.
    fn standing(&self, user: &UserKey) -> Vec<Arc<LiveSocket<U>>> {
        let sessions = self.users.get(user).into_iter().flatten();
        let entries = sessions.filter_map(|sid| self.sessions.get(sid));
        let sockets = entries.flat_map(|entry| entry.sockets.values());
        let theirs =
            |socket: &&Arc<LiveSocket<U>>| socket.user_key() == user && !socket.has_ended();
        sockets.filter(theirs).cloned().collect()
    }

    /// The sockets that must go so that this one can come: none, or those of the oldest connection.
    fn make_room(
        &self,
        socket: &LiveSocket<U>,
        most: usize,
        over: OverLimit,
    ) -> Result<Vec<Arc<LiveSocket<U>>>, NotEntered> {
        let theirs = self.standing(socket.user_key());
        // One connection has a socket in each of its namespaces, all with its id.
        let mut connections = HashMap::<Sid, Instant>::new();
        for other in &theirs {
            let entered = connections.entry(other.id()).or_insert(other.entered());
            *entered = other.entered().min(*entered);
        }
        if connections.contains_key(&socket.id()) || connections.len() < most {
            return Ok(Vec::new());
        }
        let oldest = connections.iter().min_by_key(|(_, entered)| **entered);
        match (over, oldest) {
            (OverLimit::EvictOldest, Some((oldest, _))) => {
                let is_oldest = |other: &Arc<LiveSocket<U>>| other.id() == *oldest;
                Ok(theirs.iter().filter(|other| is_oldest(other)).cloned().collect())
            }
            _ => Err(NotEntered::TooMany),
        }
    }

    /// Changes an entry, and removes it when nobody is left in it.
    fn leave(&mut self, sid: &SessionId, change: impl FnOnce(&mut Entry<U>)) {
        let Some(entry) = self.sessions.get_mut(sid) else {
            return;
        };
        let before = entry.sockets.len();
        change(entry);
        self.tally.session(before, entry.sockets.len());
        if entry.sockets.is_empty() {
            entry.told = None;
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

/// A handshake's place in the registry, from before the store is asked until it is decided.
pub(crate) struct Registration<U> {
    registry: Arc<Registry<U>>,
    sid: SessionId,
    epoch: u64,
    began: Instant,
}

/// Why a socket was not entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotEntered {
    /// A change of the session was announced after the handshake registered: look again.
    Stale,
    /// The user was refreshed after the handshake registered: load them again.
    OldUser,
    /// An operator revoked it.
    Revoked,
    /// The user has as many connections as allowed.
    TooMany,
}

impl<U> Registration<U> {
    /// Enters the socket, if what was loaded still counts, to be looked at again at `due`. All
    /// checks and the entry are one act, so that of many at once no more come in than may.
    pub(crate) fn activate(
        &self,
        socket: LiveSocket<U>,
        due: Instant,
        limit: Option<(usize, OverLimit)>,
    ) -> Result<Membership<U>, NotEntered> {
        let socket = Arc::new(socket);
        let mut guard = self.registry.state();
        let state = &mut *guard;
        let user = socket.user_key();
        if state.denied.has_session(&self.sid) || state.denied.has_handshake(user, self.began) {
            return Err(NotEntered::Revoked);
        }
        if state.refreshed.is_after(user, self.began) {
            return Err(NotEntered::OldUser);
        }
        let evicted = match limit {
            Some((most, over)) => state.make_room(&socket, most, over)?,
            None => Vec::new(),
        };
        let number = state.take_number();
        let entry = state.sessions.get_mut(&self.sid).ok_or(NotEntered::Stale)?;
        if entry.epoch != self.epoch {
            return Err(NotEntered::Stale);
        }
        entry.sockets.insert(number, socket.clone());
        state.tally.session(entry.sockets.len() - 1, entry.sockets.len());
        state.users.entry(socket.user_key().clone()).or_default().insert(self.sid.clone());
        state.tally.users(state.users.len());
        if entry.sockets.len() == 1 {
            entry.checked = Instant::now();
        }
        let sooner = state.schedule.at_most(&self.sid, &mut entry.due, due);
        drop(guard);
        if sooner {
            self.registry.sooner.notify_one();
        }
        end_all(&evicted, EndReason::Evicted);
        Ok(Membership { registry: self.registry.clone(), socket, number, task: None })
    }
}

impl<U> Drop for Registration<U> {
    fn drop(&mut self) {
        self.registry.state().leave(&self.sid, |entry| entry.pending -= 1);
    }
}

/// A socket's place in the registry. Lies in its extensions, and leaves with it.
pub(crate) struct Membership<U> {
    registry: Arc<Registry<U>>,
    socket: Arc<LiveSocket<U>>,
    number: u64,
    task: Option<JoinHandle<()>>,
}

impl<U> Membership<U> {
    /// A task for this socket, which is of no use after it.
    pub(crate) fn ends_with(&mut self, task: JoinHandle<()>) {
        self.task = Some(task);
    }

    pub(crate) fn socket(&self) -> &Arc<LiveSocket<U>> {
        &self.socket
    }
}

impl<U> Drop for Membership<U> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.socket.flag();
        self.registry.forget(self.number, &self.socket);
    }
}

#[cfg(test)]
mod tests;
