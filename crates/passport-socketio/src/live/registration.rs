//! A handshake's way into the registry, race-free.
//!
//! 1. [`Registry::register`] enters a session id, before the store is asked about it.
//! 2. [`Registration::activate`] enters the socket, if no change was announced in between: the
//!    comparison and the entry are one act, under one lock.
//! 3. The [`Membership`] lies in the socket's extensions, and takes the entry out with the socket.

use std::sync::Arc;

use express_session::SessionId;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::registry::{Registry, end_all};
use super::{LiveSocket, OngoingHandshake, OverLimit, SocketEnd};
use crate::model::EndReason;

/// A session's place in the registry, from before the store is asked about it until that is decided.
pub(crate) struct Registration<U> {
    pub(super) registry: Arc<Registry<U>>,
    pub(super) sid: SessionId,
    pub(super) epoch: u64,
    /// Taken before its user was loaded.
    pub(super) asked: u64,
}

/// Why a socket was not entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotEntered {
    /// A change of the session was announced after the handshake registered: look again.
    Stale,
    /// The user was refreshed after the handshake registered: load them again.
    OldUser,
    /// The store was asked too long ago: look again.
    Old,
    /// An operator revoked it.
    Revoked,
    /// The user has as many connections as allowed.
    TooMany,
    /// This node is cut off from the others of its cluster.
    CutOff,
}

impl<U> Registration<U> {
    /// Its user was not loaded again, but by an earlier lookup: what was refreshed since that one
    /// counts.
    pub(crate) fn has_user_of(&mut self, earlier: &Self) {
        self.asked = earlier.asked;
    }

    /// Enters the socket of this handshake, if what was loaded still counts, to be looked at again at
    /// `due`. All checks and the entry are one act, so that of many at once no more come in than may.
    pub(crate) fn activate(
        &self,
        handshake: &OngoingHandshake<U>,
        socket: LiveSocket<U>,
        due: Instant,
        limit: Option<(usize, OverLimit)>,
    ) -> Result<Membership<U>, NotEntered> {
        let socket = Arc::new(socket);
        if limit.is_some() {
            // Who has left takes nobody's place.
            self.registry.logins_of(socket.user_key());
        }
        let mut guard = self.registry.state();
        let state = &mut *guard;
        let user = socket.user_key();
        if state.denied.has_session(&self.sid)
            || state.denied.has_handshake(user, handshake.number())
        {
            return Err(NotEntered::Revoked);
        }
        if state.cut_off > 0 {
            return Err(NotEntered::CutOff);
        }
        if state.refreshed.is_after(user, self.asked) {
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
        let sooner = state.schedule.at_most(&self.sid, entry, due);
        let is_away = state.is_away;
        drop(guard);
        if is_away {
            // The store has answered in between. From now on it owes an answer about this one, too.
            self.registry.asked.notify_one();
        }
        if sooner {
            self.registry.sooner.notify_waiters();
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
    pub(super) registry: Arc<Registry<U>>,
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

    /// Whether both are of one authorizer.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.registry, &other.registry)
    }
}

impl<U> Drop for Membership<U> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.socket.flag(SocketEnd::SocketLeft);
        self.registry.forget(self.number, &self.socket);
    }
}
