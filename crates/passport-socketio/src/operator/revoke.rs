//! An operator ends logins: so that they stay ended, not only until the client comes back.

use std::time::Duration;

use express_session::{SessionId, SidHash};
use tokio::time::Instant;

use crate::lookup::SessionLookup;
use crate::model::{EndReason, UserKey};

/// A request of the app that began before the session was destroyed may write it once more.
const LATE_WRITERS: Duration = Duration::from_secs(300);

/// When a session that was destroyed just now needs to be refused no more.
fn after_late_writers() -> Instant {
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

/// [`Live::revoke_session`](super::Live::revoke_session).
pub(super) async fn session<U>(lookup: &SessionLookup<U>, sid: &SessionId) -> Revoked
where
    U: Send + Sync + 'static,
{
    let registry = lookup.live().registry();
    // Refused before its sockets are closed: a socket that comes in between would not be found again.
    registry.deny_session(sid, None);
    let sockets = registry.end_session(sid, EndReason::Revoked);
    let destroyed = lookup.decider().store.destroy(sid).await;
    if destroyed.is_ok() {
        registry.deny_session(sid, Some(after_late_writers()));
    }
    lookup.observer().revoked_session(sid, sockets, destroyed.as_ref().copied());
    Revoked { sockets, sessions: 1, destroyed: usize::from(destroyed.is_ok()) }
}

/// [`Live::revoke_user`](super::Live::revoke_user), and which sessions those were.
pub(super) async fn user<U>(lookup: &SessionLookup<U>, key: &UserKey) -> (Revoked, Vec<SidHash>)
where
    U: Send + Sync + 'static,
{
    let registry = lookup.live().registry();
    registry.deny_handshakes_of(key);
    let mut revoked = Revoked::default();
    let sessions = registry.sessions_of(key);
    for sid in &sessions {
        revoked = revoked.and(&session(lookup, sid).await);
    }
    lookup.observer().revoked_user(key, revoked.sessions, revoked.sockets);
    (revoked, sessions.iter().map(SessionId::hash).collect())
}

/// Refuses sessions that another node revokes, and destroys.
#[cfg(feature = "redis")]
pub(super) fn sessions_of_another_node<U>(
    lookup: &SessionLookup<U>,
    hashes: &[SidHash],
) -> Revoked {
    let registry = lookup.live().registry();
    let mut sockets = 0;
    for hash in hashes {
        registry.deny_hash(*hash, None);
        let sid = registry.by_hash(hash);
        let ended = sid.map_or(0, |sid| registry.end_session(&sid, EndReason::Revoked));
        lookup.observer().obeyed_revocation(*hash, ended);
        sockets += ended;
    }
    Revoked { sockets, ..Revoked::default() }
}

/// Sessions that are gone from the store need not be refused for as long as this process lives.
#[cfg(feature = "redis")]
pub(super) fn are_destroyed<U>(lookup: &SessionLookup<U>, hashes: &[SidHash]) {
    for hash in hashes {
        lookup.live().registry().deny_hash(*hash, Some(after_late_writers()));
    }
}
