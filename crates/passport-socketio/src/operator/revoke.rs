//! An operator ends logins: so that they stay ended, not only until the client comes back.

use std::time::Duration;

use express_session::{SessionId, SidHash};
use futures_util::stream::{self, StreamExt as _};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::lookup::SessionLookup;
use crate::model::{EndReason, UserKey};

/// A request of the app that began before the session was destroyed may write it once more.
const LATE_WRITERS: Duration = Duration::from_secs(300);

/// How many sessions of a user the store destroys at the same time.
const DESTROYED_AT_ONCE: usize = 32;

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

    #[cfg(feature = "redis")]
    pub(super) fn and(self, other: &Self) -> Self {
        Self {
            sockets: self.sockets + other.sockets,
            sessions: self.sessions + other.sessions,
            destroyed: self.destroyed + other.destroyed,
        }
    }
}

/// [`Live::revoke_session`](super::Live::revoke_session). What the store need not answer is done when this
/// returns, the rest whether or not the future is polled.
pub(super) fn session<U>(
    lookup: &SessionLookup<U>,
    sid: &SessionId,
) -> impl Future<Output = Revoked> + Send + use<U>
where
    U: Send + Sync + 'static,
{
    let closed = Closed::by_revoking(lookup, [sid.clone()]);
    let unfinished = closed.unfinished();
    let task = in_a_task(closed.destroy());
    async move { task.await.unwrap_or(unfinished) }
}

/// [`Live::revoke_user`](super::Live::revoke_user), and which sessions those were. What the store need not
/// answer is done when this returns, the rest whether or not the future is polled.
pub(super) fn user<U>(
    lookup: &SessionLookup<U>,
    key: &UserKey,
) -> impl Future<Output = (Revoked, Vec<SidHash>)> + Send + use<U>
where
    U: Send + Sync + 'static,
{
    let registry = lookup.live().registry();
    registry.deny_handshakes_of(key);
    let sessions = registry.sessions_of(key);
    let hashes = sessions.iter().map(SessionId::hash).collect();
    let closed = Closed::by_revoking(lookup, sessions);
    let (unfinished, observer, key) = (closed.unfinished(), lookup.observer().clone(), key.clone());
    let task = in_a_task(async move {
        let revoked = closed.destroy().await;
        observer.revoked_user(&key, revoked.sessions, revoked.sockets);
        revoked
    });
    async move { (task.await.unwrap_or(unfinished), hashes) }
}

/// Sessions that this node refuses, whose sockets are closed, and that the store still has.
struct Closed<U> {
    lookup: SessionLookup<U>,
    /// With how many sockets were closed.
    sessions: Vec<(SessionId, usize)>,
}

impl<U: Send + Sync + 'static> Closed<U> {
    /// All of them before anything is waited for: a store that hangs lets no session live on.
    fn by_revoking(
        lookup: &SessionLookup<U>,
        sessions: impl IntoIterator<Item = SessionId>,
    ) -> Self {
        let registry = lookup.live().registry();
        let sessions: Vec<_> = sessions.into_iter().collect();
        // Refused before their sockets are closed: a socket that comes in between would not be found again.
        for sid in &sessions {
            registry.deny_session(sid, None);
        }
        let end = |sid| {
            let sockets = registry.end_session(&sid, EndReason::Revoked);
            (sid, sockets)
        };
        Self { lookup: lookup.clone(), sessions: sessions.into_iter().map(end).collect() }
    }

    /// What was done until the store answers.
    fn unfinished(&self) -> Revoked {
        Revoked {
            sockets: self.sessions.iter().map(|(_, sockets)| sockets).sum(),
            sessions: self.sessions.len(),
            destroyed: 0,
        }
    }

    async fn destroy(self) -> Revoked {
        let (unfinished, lookup) = (self.unfinished(), &self.lookup);
        let destroying = self.sessions.into_iter().map(|(sid, sockets)| async move {
            let destroyed = lookup.decider().store.destroy(&sid).await;
            if destroyed.is_ok() {
                lookup.live().registry().deny_session(&sid, Some(after_late_writers()));
            }
            lookup.observer().revoked_session(&sid, sockets, destroyed.as_ref().copied());
            usize::from(destroyed.is_ok())
        });
        let destroyed: Vec<usize> =
            stream::iter(destroying).buffer_unordered(DESTROYED_AT_ONCE).collect().await;
        Revoked { destroyed: destroyed.iter().sum(), ..unfinished }
    }
}

/// Goes on when its caller is dropped: as a web framework drops a handler whose client hangs up.
pub(super) fn in_a_task<T: Send + 'static>(
    what: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(what.in_current_span())
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
