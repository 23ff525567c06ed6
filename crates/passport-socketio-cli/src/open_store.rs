//! From `--store` to a store.

use std::sync::Arc;

use passport_socketio::store::{self, SessionStore, StoreError, StoreUrl};

/// Opens the store of your app, now or as soon as it is there.
/// `prefix` is what Redis' keys begin with if the URL does not say.
pub(crate) async fn open(url: &str, prefix: &str) -> Result<Arc<dyn SessionStore>, StoreError> {
    store::open(&with_prefix(url, prefix)).await
}

/// The same, if it is there.
pub(crate) async fn open_now(url: &str, prefix: &str) -> Result<Arc<dyn SessionStore>, StoreError> {
    store::open_now(&with_prefix(url, prefix)).await
}

fn with_prefix(url: &str, prefix: &str) -> String {
    let mut url = StoreUrl::new(url);
    if is_redis(&url) {
        url.set_default("prefix", prefix);
    }
    url.rest()
}

/// Elsewhere an app of any kind keeps its sessions under their ids.
pub(crate) fn is_redis(url: &StoreUrl) -> bool {
    matches!(url.scheme(), "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "unix")
        || url.scheme().ends_with("sentinel")
}
