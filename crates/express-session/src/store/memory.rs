//! Sessions in this process: for tests, and for apps of one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{DestroySession, Life, SessionStore, StoreError, StoredSession, TouchSession};
use crate::{Clock, SessionId, SystemClock};

/// Sessions in this process' memory.
///
/// No Node app can share it: an app with express-session's `MemoryStore` (or npm `memorystore`)
/// has to move to a store outside its process first.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use express_session::store::{DestroySession, Life, MemoryStore, SessionStore};
///
/// let store = MemoryStore::for_tests();
/// store.set("sid-1", r#"{"cookie":{}}"#, Life::Forever);
/// assert!(store.load(&"sid-1".into()).await.unwrap().is_some());
/// assert!(store.destroy(&"sid-1".into()).await.unwrap());
/// assert!(store.load(&"sid-1".into()).await.unwrap().is_none());
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    sessions: Mutex<HashMap<SessionId, StoredSession>>,
    clock: Arc<dyn Clock>,
}

impl MemoryStore {
    /// An empty store. Logs a warning: its sessions are lost at a restart, never shared, and kept
    /// until somebody removes them.
    #[expect(
        clippy::new_without_default,
        reason = "a store that warns should be asked for by name"
    )]
    pub fn new() -> Self {
        tracing::warn!(
            "MemoryStore: sessions are lost at a restart and shared with no other process"
        );
        Self::for_tests()
    }

    /// The same without the warning.
    pub fn for_tests() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// The same with a clock of the test's own, which `touch` counts from.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { sessions: Mutex::default(), clock }
    }

    /// Creates or replaces a session, as express-session's `set` does.
    pub fn set(&self, sid: impl Into<SessionId>, json: impl Into<Vec<u8>>, life: Life) {
        self.sessions().insert(sid.into(), StoredSession::new(json, life));
    }

    /// Every session, as express-session's `all`.
    pub fn all(&self) -> Vec<(SessionId, StoredSession)> {
        let sessions = self.sessions();
        sessions.iter().map(|(sid, session)| (sid.clone(), session.clone())).collect()
    }

    /// No code that holds the lock can panic, so a poisoned one is whole.
    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, StoredSession>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a session that is there and alive.
    fn change(&self, sid: &SessionId, change: impl FnOnce(&mut StoredSession)) -> bool {
        let now = self.clock.now();
        match self.sessions().get_mut(sid) {
            Some(session) if session.life.ended_at(now).is_none() => {
                change(session);
                true
            }
            _ => false,
        }
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        Ok(self.sessions().get(sid).cloned())
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        let sessions = self.sessions();
        Ok(sids.iter().map(|sid| sessions.get(sid).cloned()).collect())
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        Some(self)
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }
}

#[async_trait]
impl TouchSession for MemoryStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        let end = self.clock.now().checked_add(life).map_or(Life::Forever, Life::Until);
        Ok(self.change(sid, |session| session.life = end))
    }
}

#[async_trait]
impl DestroySession for MemoryStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        Ok(self.sessions().remove(sid).is_some())
    }
}
