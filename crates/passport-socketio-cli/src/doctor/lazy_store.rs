//! A store that is connected to when it is first asked: a bad cookie needs none.

use std::sync::Arc;

use async_trait::async_trait;
use express_session::SessionId;
use passport_socketio::store::{SessionStore, StoreError, StoredSession};

use crate::open_store;

#[derive(Debug)]
pub(super) struct LazyStore {
    url: Option<String>,
    prefix: &'static str,
}

impl LazyStore {
    pub(super) fn new(url: Option<String>, prefix: &'static str) -> Self {
        Self { url, prefix }
    }

    async fn open(&self) -> Result<Arc<dyn SessionStore>, StoreError> {
        let url = self.url.as_ref().ok_or_else(|| StoreError::message("no --store was given"))?;
        open_store::open_now(url, self.prefix).await
    }
}

#[async_trait]
impl SessionStore for LazyStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.open().await?.load(sid).await
    }
}
