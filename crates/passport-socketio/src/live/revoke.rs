//! An operator ends logins: so that they stay ended, not only until the client comes back.

use std::time::Duration;

use express_session::{SessionId, SidHash};
use socketioxide::adapter::Adapter;
use tokio::time::Instant;

use super::Live;
use crate::model::{EndReason, UserKey};

/// A request of the app that began before the session was destroyed may write it once more.
const LATE_WRITERS: Duration = Duration::from_secs(300);

/// When a session that was destroyed just now needs to be refused no more.
pub(super) fn after_late_writers() -> Instant {
    Instant::now() + LATE_WRITERS
}

/// What a revocation did, on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// Sockets that were closed.
    pub sockets: usize,
    /// Sessions that were revoked.
    pub sessions: usize,
    /// Of these, sessions that are in the store no more.
    pub destroyed: usize,
}

impl Revoked {
    /// Whether no session is left that another node, or this one after a restart, would still
    /// believe: where the store can't destroy, or did not answer, only this node refuses it.
    pub fn is_final(&self) -> bool {
        self.destroyed == self.sessions
    }

    pub(super) fn and(self, other: &Self) -> Self {
        Self {
            sockets: self.sockets + other.sockets,
            sessions: self.sessions + other.sessions,
            destroyed: self.destroyed + other.destroyed,
        }
    }
}

impl<U: Send + Sync + 'static, A: Adapter> Live<U, A> {
    /// Closes the user's sockets on this node (`evicted`). Their sessions stay as they are: a client
    /// may come back at once. How many sockets they were.
    pub fn disconnect_user(&self, key: impl Into<UserKey>) -> usize {
        let key = key.into();
        let sockets = self.registry().logins_of(&key);
        let ended = super::registry::end_all(&sockets, EndReason::Evicted);
        self.observer().disconnected_user(&key, ended);
        ended
    }

    /// Ends a session for good: its sockets on this node are closed (`revoked`), the store destroys
    /// it, and this node believes it no more, whoever writes it again. An app that keeps a session's
    /// id at a login (Passport up to 0.5) may use that id again after five minutes.
    ///
    /// Where the store can't destroy sessions, or does not answer, this node refuses it until it
    /// restarts, since the app may prolong it again and again (see [`Revoked::is_final`]); other nodes
    /// find out if it disappears.
    pub async fn revoke_session(&self, sid: &SessionId) -> Revoked {
        let registry = self.registry();
        // First the door, then the room: nobody comes in any more who would have to be found again.
        registry.deny_session(sid, None);
        let sockets = registry.end_session(sid, EndReason::Revoked);
        let destroyed = self.auth().decider().destroy(sid).await;
        if destroyed.is_ok() {
            registry.deny_session(sid, Some(after_late_writers()));
        }
        self.observer().revoked_session(sid, sockets, destroyed.as_ref().copied());
        Revoked { sockets, sessions: 1, destroyed: usize::from(destroyed.is_ok()) }
    }

    /// Revokes every session that the user is connected with on this node, and whatever connection
    /// of theirs is being made at this moment.
    ///
    /// Sessions that nobody is connected with are not known here, and stay: let the app destroy them,
    /// or its deserializer refuse the user.
    pub async fn revoke_user(&self, key: impl Into<UserKey>) -> Revoked {
        self.revoke_user_here(&key.into()).await.0
    }

    /// And which sessions those were.
    pub(super) async fn revoke_user_here(&self, key: &UserKey) -> (Revoked, Vec<SidHash>) {
        self.registry().deny_handshakes_of(key);
        let mut revoked = Revoked::default();
        let sessions = self.registry().sessions_of(key);
        for sid in &sessions {
            revoked = revoked.and(&self.revoke_session(sid).await);
        }
        self.observer().revoked_user(key, revoked.sessions, revoked.sockets);
        (revoked, sessions.iter().map(SessionId::hash).collect())
    }
}
