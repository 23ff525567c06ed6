//! From `--store` to a store.

use std::sync::Arc;

use passport_socketio::store::{self, SessionStore, StoreError, StoreUrl};

/// Opens the store of somebody else's app.
/// `prefix` is what Redis' keys begin with if the URL does not say.
pub(crate) async fn open(url: &str, prefix: &str) -> Result<Arc<dyn SessionStore>, StoreError> {
    let mut url = StoreUrl::new(url);
    if is_redis(&url) {
        url.set_default("prefix", prefix);
    }
    store::open(&url.rest()).await
}

/// Elsewhere an app of any kind keeps its sessions under their ids.
pub(crate) fn is_redis(url: &StoreUrl) -> bool {
    matches!(url.scheme(), "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "unix")
}
