//! What the builder says about crowds: how many may ask the store, how often somebody may ask.

use std::time::Duration;

use super::{AuthorizerBuilder, ConfigError};
use crate::authorizer::LoadLimits;
use crate::live::LiveSettings;

impl<U: Send + Sync + 'static> AuthorizerBuilder<U> {
    /// How many sessions handshakes may load from the store at the same time. 256 by default.
    ///
    /// Handshakes with one session at the same time share a load. Who comes when so many are under
    /// way waits in a [queue](Self::max_queued_loads). The sweep over live sessions is not counted:
    /// it has four loads of its own in flight at most, of many sessions each.
    ///
    /// The store's own pool of connections may allow less, and then is the bound.
    ///
    /// ```
    /// use passport_socketio::{Authorizer, ConfigError, store::MemoryStore};
    ///
    /// let builder = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests());
    /// assert!(matches!(builder.max_store_loads(0).build(), Err(ConfigError::NoStoreLoads)));
    /// ```
    pub fn max_store_loads(mut self, at_once: usize) -> Self {
        self.loads.in_flight = at_once;
        self
    }

    /// How many loads may wait for their turn. 8192 by default. Who comes then, and who has waited
    /// for the store's timeout, is told to try again (`overloaded`, the client reads `try_again`).
    ///
    /// 256 loads at once of a store that takes 50 ms are 5,120 a second: behind 8,192 others one
    /// would wait for the 2 s that the store is given, in vain.
    pub fn max_queued_loads(mut self, at_most: usize) -> Self {
        self.loads.queued = at_most;
        self
    }

    /// Uses a session's record again for this long after the store was asked for it: for pages with
    /// many namespaces, and browsers with many tabs. Off by default.
    ///
    /// At most a tenth of [`max_stale`](Self::max_stale), so that the two together stay within it.
    /// Only records are cached, in at most 32 MiB: never that there was none, an error, or a user.
    ///
    /// # Security
    /// A login that ended, or became another user's, may still open a socket within this time, if
    /// nothing told this node. Where the store has a feed of changes, and for what goes through
    /// [`Live`](crate::Live), it is told: the record is dropped, and what is loaded at that moment is
    /// not cached. A session that was revoked on this node is never let in, cached or not.
    pub fn cache_sessions_for(mut self, time: Duration) -> Self {
        self.loads.kept_for = Some(time).filter(|time| !time.is_zero());
        self
    }
}

pub(super) fn check(loads: &LoadLimits, live: &LiveSettings) -> Result<(), ConfigError> {
    if loads.in_flight == 0 {
        return Err(ConfigError::NoStoreLoads);
    }
    let at_most = live.max_stale / 10;
    match loads.kept_for {
        Some(kept_for) if kept_for > at_most => Err(ConfigError::CachedForTooLong { at_most }),
        _ => Ok(()),
    }
}
