//! A store that counts how often it is asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use express_session::SessionId;
use express_session::store::{SessionStore, StoreError, StoredSession};

/// Passes every call on, and counts the loads, to show that a refusal came before any load.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use express_session::store::{MemoryStore, SessionStore};
/// use testkit::CountingStore;
///
/// let store = CountingStore::new(MemoryStore::for_tests());
/// store.load(&"sid".into()).await.unwrap();
/// assert_eq!(store.loads(), 1);
/// # }
/// ```
#[derive(Debug)]
pub struct CountingStore<S> {
    inner: S,
    loads: AtomicUsize,
}

impl<S> CountingStore<S> {
    /// Counts what `inner` is asked.
    pub fn new(inner: S) -> Self {
        Self { inner, loads: AtomicUsize::new(0) }
    }

    /// How often a session was loaded.
    pub fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    /// The store itself.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

#[async_trait]
impl<S: SessionStore> SessionStore for CountingStore<S> {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.inner.load(sid).await
    }
}
