//! user → sessions → sockets, and the epochs that make a handshake race-free.
//!
//! 1. [`Registry::register`] enters a session id, before the store is asked about it.
//! 2. [`Registration::activate`] enters the socket, if no change was announced in between: the
//!    comparison and the entry are one act, under one lock.
//! 3. The [`Membership`] lies in the socket's extensions, and takes the entry out with the socket.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use express_session::SessionId;
use socketioxide::socket::Sid;

use super::EndReason;
use crate::{Identity, UserKey};

/// All live sessions of one authorizer on this node.
pub(crate) struct Registry<U>(Mutex<State<U>>);

struct State<U> {
    sessions: HashMap<SessionId, Entry<U>>,
    users: HashMap<UserKey, HashSet<SessionId>>,
    next_socket: u64,
}

/// A session that somebody is connected with, or is about to.
struct Entry<U> {
    /// Counts announced changes.
    epoch: u64,
    /// Handshakes that have registered and not finished.
    pending: usize,
    sockets: HashMap<u64, Arc<LiveSocket<U>>>,
}

impl<U> Default for Entry<U> {
    fn default() -> Self {
        Self { epoch: 0, pending: 0, sockets: HashMap::new() }
    }
}

/// One socket of a logged-in user, in one namespace.
pub(crate) struct LiveSocket<U> {
    identity: Identity<U>,
    namespace: Box<str>,
    id: Sid,
    connection: Box<dyn Connection>,
    ended: Arc<AtomicBool>,
}

/// The host's socket, with its adapter's type forgotten.
pub(crate) trait Connection: Send + Sync {
    /// Whether it is connected to its namespace.
    fn is_connected(&self) -> bool;

    /// Takes it out of its rooms, says `session_ended`, and disconnects it: as soon as it can be.
    fn end(&self, reason: EndReason);
}

impl<U> LiveSocket<U> {
    pub(crate) fn new(
        identity: Identity<U>,
        namespace: &str,
        id: Sid,
        connection: impl Connection + 'static,
    ) -> Self {
        Self {
            identity,
            namespace: namespace.into(),
            id,
            connection: Box::new(connection),
            ended: Arc::default(),
        }
    }

    pub(crate) fn identity(&self) -> &Identity<U> {
        &self.identity
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn id(&self) -> Sid {
        self.id
    }

    /// Ends this one socket.
    pub(crate) fn end(&self, reason: EndReason) {
        if self.flag() {
            self.connection.end(reason);
        }
    }

    /// Sets the flag. `false` if it was set before.
    fn flag(&self) -> bool {
        !self.ended.swap(true, Ordering::SeqCst)
    }

    /// The flag itself, for extractors that do not know `U`.
    pub(crate) fn flag_of_end(&self) -> Arc<AtomicBool> {
        self.ended.clone()
    }

    /// Set before anything else happens when the login ends; never unset.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(crate) fn is_live(&self) -> bool {
        !self.has_ended() && self.connection.is_connected()
    }
}

impl<U> Registry<U> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            sessions: HashMap::new(),
            users: HashMap::new(),
            next_socket: 0,
        })))
    }

    /// Enters a session that a handshake is about to load.
    pub(crate) fn register(self: &Arc<Self>, sid: &SessionId) -> Registration<U> {
        let mut state = self.state();
        let entry = state.sessions.entry(sid.clone()).or_default();
        entry.pending += 1;
        Registration { registry: self.clone(), sid: sid.clone(), epoch: entry.epoch }
    }

    /// Announces that what was loaded of this session before now no longer counts.
    pub(crate) fn session_changed(&self, sid: &SessionId) {
        if let Some(entry) = self.state().sessions.get_mut(sid) {
            entry.epoch += 1;
        }
    }

    /// Ends all sockets of a session, and makes the handshakes that are under way with it start
    /// over. How many sockets that were.
    pub(crate) fn end_session(&self, sid: &SessionId, reason: EndReason) -> usize {
        let sockets: Vec<_> = {
            let mut state = self.state();
            let Some(entry) = state.sessions.get_mut(sid) else {
                return 0;
            };
            entry.epoch += 1;
            entry.sockets.values().cloned().collect()
        };
        // All flags first: from here on no extractor gives the user to a handler.
        let ending: Vec<_> = sockets.into_iter().filter(|socket| socket.flag()).collect();
        for socket in &ending {
            socket.connection.end(reason);
        }
        ending.len()
    }

    /// The users with a live socket.
    pub(crate) fn users(&self) -> Vec<UserKey> {
        let state = self.state();
        let users = state.users.keys().filter(|user| state.live_sockets_of(user).next().is_some());
        users.cloned().collect()
    }

    /// How many sessions the user has live sockets with.
    pub(crate) fn sessions_of(&self, user: &UserKey) -> usize {
        let state = self.state();
        let sessions = state.live_sockets_of(user).map(|socket| socket.identity.session().id());
        sessions.collect::<HashSet<_>>().len()
    }

    pub(crate) fn sockets_of(&self, user: &UserKey) -> Vec<Arc<LiveSocket<U>>> {
        self.state().live_sockets_of(user).cloned().collect()
    }

    /// No code that holds the lock can panic, so a poisoned one is whole.
    fn state(&self) -> MutexGuard<'_, State<U>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<U> State<U> {
    /// Whoever the host only remembers is not live: a handler that panicked, a `SocketRef` that
    /// the app has kept.
    fn live_sockets_of<'s>(
        &'s self,
        user: &'s UserKey,
    ) -> impl Iterator<Item = &'s Arc<LiveSocket<U>>> {
        let sessions = self.users.get(user).into_iter().flatten();
        let entries = sessions.filter_map(|sid| self.sessions.get(sid));
        let sockets = entries.flat_map(|entry| entry.sockets.values());
        sockets.filter(move |socket| socket.identity.user_key() == user && socket.is_live())
    }

    /// Changes an entry, and removes it when nobody is left in it.
    fn leave(&mut self, sid: &SessionId, change: impl FnOnce(&mut Entry<U>)) {
        let Some(entry) = self.sessions.get_mut(sid) else {
            return;
        };
        change(entry);
        if entry.pending == 0 && entry.sockets.is_empty() {
            self.sessions.remove(sid);
        }
    }

    /// Forgets that a user has this session, unless a socket of it is still theirs.
    fn forget_user(&mut self, user: &UserKey, sid: &SessionId) {
        let entry = self.sessions.get(sid);
        let mut sockets = entry.into_iter().flat_map(|entry| entry.sockets.values());
        if sockets.any(|socket| socket.identity.user_key() == user) {
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
}

/// A change of the session was announced after the handshake registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stale;

impl<U> Registration<U> {
    /// Enters the socket, if what was loaded still counts.
    pub(crate) fn activate(&self, socket: LiveSocket<U>) -> Result<Membership<U>, Stale> {
        let socket = Arc::new(socket);
        let user = socket.identity.user_key();
        let mut guard = self.registry.state();
        let state = &mut *guard;
        let entry = state.sessions.get_mut(&self.sid).ok_or(Stale)?;
        if entry.epoch != self.epoch {
            return Err(Stale);
        }
        let number = state.next_socket;
        state.next_socket += 1;
        entry.sockets.insert(number, socket.clone());
        state.users.entry(user.clone()).or_default().insert(self.sid.clone());
        Ok(Membership { registry: self.registry.clone(), socket, number })
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
}

impl<U> Membership<U> {
    pub(crate) fn socket(&self) -> &Arc<LiveSocket<U>> {
        &self.socket
    }
}

impl<U> Drop for Membership<U> {
    fn drop(&mut self) {
        self.socket.ended.store(true, Ordering::SeqCst);
        let identity = &self.socket.identity;
        let sid = identity.session().id();
        let mut state = self.registry.state();
        state.leave(sid, |entry| {
            entry.sockets.remove(&self.number);
        });
        state.forget_user(identity.user_key(), sid);
    }
}

#[cfg(test)]
mod tests;
