//! What is asked about a session that is known, after the handshake: past the crowd of those.

use std::time::Duration;

use express_session::SessionId;
use express_session::store::{SessionStore, StoreError, StoredSession};
use http::request::Parts;
use serde_json::Value;

use super::Decider;
use super::in_time::in_time;
use crate::model::{AuthorizeError, Session};

impl<U: Send + Sync + 'static> Decider<U> {
    /// What a session is now, past the crowd of handshakes.
    pub(crate) async fn ask_store(
        &self,
        sid: &SessionId,
    ) -> Result<Option<StoredSession>, AuthorizeError> {
        let store = self.known_store()?;
        self.in_time("load", async { store.load(sid).await }).await
    }

    /// The same for many at once: one answer each, in their order.
    pub(crate) async fn ask_store_for(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, AuthorizeError> {
        let store = self.known_store()?;
        let stored = self.in_time("load_many", async { store.load_many(sids).await }).await?;
        if stored.len() == sids.len() {
            Ok(stored)
        } else {
            let error = StoreError::message("it answered for fewer sessions, or for more");
            Err(AuthorizeError::StoreUnavailable(error))
        }
    }

    fn known_store(&self) -> Result<&dyn SessionStore, AuthorizeError> {
        self.store.as_deref().ok_or(AuthorizeError::NoStore)
    }

    async fn in_time<T>(
        &self,
        operation: &'static str,
        asked: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, AuthorizeError> {
        in_time(operation, self.limits.store_timeout, asked).await
    }

    /// Lets a session live for `life` from now, if it is still there.
    pub(crate) async fn touch(
        &self,
        sid: &SessionId,
        life: Duration,
    ) -> Result<(), AuthorizeError> {
        match self.known_store()?.as_touch() {
            Some(store) => self
                .in_time("touch", async { store.touch(sid, life).await })
                .await
                .map(|_was_there| ()),
            None => Ok(()),
        }
    }

    /// Lets the store forget a session.
    pub(crate) async fn destroy(&self, sid: &SessionId) -> Result<(), AuthorizeError> {
        let store = self.known_store()?.as_destroy().ok_or_else(|| {
            let error = StoreError::message("it can't destroy sessions");
            AuthorizeError::StoreUnavailable(error)
        })?;
        self.in_time("destroy", async { store.destroy(sid).await }).await.map(|_was_there| ())
    }

    /// The user of a session that is known, loaded anew.
    pub(crate) async fn load_user(
        &self,
        session: &Session,
        request: &Parts,
    ) -> Result<Option<U>, AuthorizeError> {
        match session.get::<Value>(&self.user_pointer) {
            Some(key) => self.deserialize(&key, request).await,
            None => Ok(None),
        }
    }
}
