//! What the builder says about crowds: how many may ask the store, how often somebody may ask.

use std::time::Duration;

use super::AuthorizerBuilder;
#[cfg(doc)]
use crate::Authorizer;
use crate::authorizer::LoadLimits;
use crate::live::LiveSettings;
use crate::model::{ConfigError, RateLimit};

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
        self.loads.cached_for = Some(time).filter(|time| !time.is_zero());
        self
    }

    /// How many cookies a request may have, of any names. 256 by default, which is more than browsers
    /// keep for a site. Who has more is denied (`malformed_cookie`).
    ///
    /// Of several session cookies the first counts, as in Express.
    pub fn max_cookies(mut self, at_most: usize) -> Self {
        self.limits.cookies = at_most;
        self
    }

    /// How often connections may be opened from one address (of IPv6: one /64). No limit by default.
    /// Needs the [layer](Authorizer::layer), which answers `429 {"code":"try_again"}` with a
    /// `Retry-After`; official clients then come back by themselves, later and later.
    ///
    /// Counted is every request that opens a connection, but those of foreign origins, before it is
    /// known whose it is. Needs the peer's address, as [`trust_proxy`](Self::trust_proxy) does;
    /// behind a proxy that is trusted the address is the last one in `X-Forwarded-For` that is no
    /// such proxy. Mind offices and mobile networks, where thousands share an address.
    ///
    /// ```
    /// use passport_socketio::{Authorizer, RateLimit, store::MemoryStore};
    ///
    /// let auth = Authorizer::<i64>::builder()
    ///     .limit_handshakes_per_ip(RateLimit::per_minute(120))
    ///     .limit_connects_per_ip(RateLimit::per_minute(600))
    ///     .limit_connects_per_session(RateLimit::per_minute(30))
    /// #   .secret("s").store(MemoryStore::for_tests())
    /// #   .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)))
    ///     .build()?;
    /// # Ok::<(), passport_socketio::ConfigError>(())
    /// ```
    pub fn limit_handshakes_per_ip(mut self, limit: RateLimit) -> Self {
        self.admission.handshakes_per_ip = Some(limit);
        self
    }

    /// How often namespaces may be connected to from one address, with or without the layer. No
    /// limit by default. Who is one too many reads `try_again`.
    ///
    /// One connection may ask for namespaces without an end, each time at the cost of a look at its
    /// session. Addresses are those of [`limit_handshakes_per_ip`](Self::limit_handshakes_per_ip).
    pub fn limit_connects_per_ip(mut self, limit: RateLimit) -> Self {
        self.admission.connects_per_ip = Some(limit);
        self
    }

    /// How often a session may be looked up for its connections. No limit by default. A handshake
    /// together with its first namespace counts once, every other namespace once more; without the
    /// layer every namespace counts.
    ///
    /// Only a session whose cookie has a good signature is counted, so that nobody uses up another's
    /// allowance. Who is one too many reads `try_again`; the layer answers 429.
    pub fn limit_connects_per_session(mut self, limit: RateLimit) -> Self {
        self.admission.connects_per_session = Some(limit);
        self
    }
}

pub(super) fn check(loads: &LoadLimits, live: &LiveSettings) -> Result<(), ConfigError> {
    if loads.in_flight == 0 {
        return Err(ConfigError::NoStoreLoads);
    }
    let at_most = live.max_stale / 10;
    match loads.cached_for {
        Some(time) if time > at_most => Err(ConfigError::CachedForTooLong { at_most }),
        _ => Ok(()),
    }
}
