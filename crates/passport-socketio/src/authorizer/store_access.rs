//! What is asked of the store, each within its time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use express_session::SessionId;
use express_session::store::{SessionStore, StoreError, StoredSession};
use futures_util::FutureExt as _;
use tokio::time::{Instant, timeout};

use crate::model::AuthorizeError;
use crate::observe::metrics;

/// The store, which answers within a time, or could not tell.
#[derive(Clone)]
pub(crate) struct StoreAccess {
    /// `None` where the cookie carries the session.
    store: Option<Arc<dyn SessionStore>>,
    timeout: Duration,
}

impl StoreAccess {
    pub(crate) fn new(store: Option<Arc<dyn SessionStore>>, timeout: Duration) -> Self {
        Self { store, timeout }
    }

    /// Whether there is a store.
    pub(crate) fn is_there(&self) -> bool {
        self.store.is_some()
    }

    /// For a question.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What the store has of a session.
    pub(crate) async fn load(
        &self,
        sid: &SessionId,
    ) -> Result<Option<StoredSession>, AuthorizeError> {
        let store = self.store()?;
        self.in_time("load", async { store.load(sid).await }).await
    }

    /// The same for many at once: one answer each, in their order.
    pub(crate) async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, AuthorizeError> {
        let store = self.store()?;
        let stored = self.in_time("load_many", async { store.load_many(sids).await }).await?;
        if stored.len() == sids.len() {
            Ok(stored)
        } else {
            let error = StoreError::message("it answered for fewer sessions, or for more");
            Err(AuthorizeError::StoreUnavailable(error))
        }
    }

    /// Lets a session live for `life` from now, if it is still there.
    pub(crate) async fn touch(
        &self,
        sid: &SessionId,
        life: Duration,
    ) -> Result<(), AuthorizeError> {
        match self.store()?.as_touch() {
            Some(store) => self
                .in_time("touch", async { store.touch(sid, life).await })
                .await
                .map(|_was_there| ()),
            None => Ok(()),
        }
    }

    /// Lets the store forget a session.
    pub(crate) async fn destroy(&self, sid: &SessionId) -> Result<(), AuthorizeError> {
        let store = self.store()?.as_destroy().ok_or_else(|| {
            let error = StoreError::message("it can't destroy sessions");
            AuthorizeError::StoreUnavailable(error)
        })?;
        self.in_time("destroy", async { store.destroy(sid).await }).await.map(|_was_there| ())
    }

    fn store(&self) -> Result<&dyn SessionStore, AuthorizeError> {
        self.store.as_deref().ok_or(AuthorizeError::NoStore)
    }

    /// A store that panics could not tell.
    async fn in_time<T>(
        &self,
        operation: &'static str,
        asked: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, AuthorizeError> {
        let (after, began) = (self.timeout, Instant::now());
        let answer = match timeout(after, AssertUnwindSafe(asked).catch_unwind()).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(AuthorizeError::StoreUnavailable(error)),
            Ok(Err(_panic)) => Err(AuthorizeError::StorePanicked),
            Err(_) => Err(AuthorizeError::StoreTimeout { after }),
        };
        metrics::store(operation, &answer, began.elapsed());
        answer
    }
}

impl std::fmt::Debug for StoreAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.store.fmt(f)
    }
}
