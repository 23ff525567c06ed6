//! connect-redis 3.4 to 10.0 (`index.ts`), and connect-valkey, which is the same.
//!
//! - The key is a prefix (`sess:`) and the session id; the value is the session's JSON.
//! - Redis' own expiry is the only one: a key without one lives for ever (`disableTTL`), whatever
//!   its JSON says. Redis counts it down by its own clock, so that nobody else's matters.
//! - A `touch` is an `EXPIRE`.
//! - An empty value is no session (`if (!data)`).
//!
//! `address.rs` is what a URL says, `link.rs` the connection that comes back, `load.rs` what is asked
//! of it, `slots.rs` who has what in a cluster, `sentinel.rs` who is the master, `tracking.rs` and
//! `masters.rs` the feed of changes, `told.rs` what an error may say.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Cmd, FromRedisValue};
use async_trait::async_trait;

use super::{DestroySession, SessionStore, StoreError, StoredSession, TouchSession};
use crate::SessionId;
use crate::watch::SessionWatch;

mod address;
mod link;
mod load;
mod masters;
mod sentinel;
mod slots;
mod told;
mod tracking;

#[doc(hidden)]
pub use address::SingleServer;
#[doc(hidden)]
pub use told::harmless;

use address::Address;
use link::Link;
use load::{load, load_many};
use tracking::Tracking;

/// connect-redis' default.
const PREFIX: &str = "sess:";
/// Redis refuses an expiry that does not fit its clock.
const LONGEST_MS: i64 = i64::MAX / 2;

/// Sessions that connect-redis keeps, in Redis or Valkey: alone, in a cluster, or behind Sentinel.
///
/// | in the URL | is |
/// |---|---|
/// | `redis://ann:secret@10.0.0.1:6379/3` | user, password, server and database number |
/// | `rediss://…` | the same with TLS; the server's certificate must be good for the system's roots |
/// | `?prefix=myapp:` | connect-redis' `prefix`, by default `sess:` |
/// | `?ca=FILE` | roots to believe instead of the system's, in PEM |
/// | `?cert=FILE&key=FILE` | what this client shows a server that asks for certificates, in PEM |
/// | `redis://10.0.0.1,10.0.0.2:7000/?cluster=true` | a cluster, by some of its nodes |
/// | `redis://10.0.0.1,10.0.0.2:26379/?sentinel=mymaster` | the master of that name, as these sentinels know it |
///
/// # Connections
/// One connection to a server, or to each node of a cluster; commands of one moment share a round
/// trip on it. Any fault (it is cut, silent for a second while it is asked, or babbles) makes it a
/// new one, at once and then after pauses of 50 ms to 1 s; meanwhile every call fails at once.
/// A cluster goes on serving while it is connected to anew. Each call ends within 10 seconds.
/// Cheap to clone: clones share the connection.
///
/// # Permissions
/// `GET` and `PTTL` on the prefix' keys; `PEXPIRE` for touch, `DEL` for destroy; `HELLO` and
/// `CLIENT TRACKING` for the feed of changes; in a cluster `CLUSTER SLOTS`, behind Sentinel `ROLE`.
///
/// # Example
/// ```no_run
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// use express_session::store::redis::RedisStore;
///
/// let store = RedisStore::connect("redis://127.0.0.1/").await?.with_prefix("myapp:");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    link: Link,
    prefix: Box<str>,
}

impl RedisStore {
    /// Connects and asks for a session that can't be there, so that a wrong address, password or
    /// permission is found at the start.
    ///
    /// # Errors
    /// [`StoreError`] if the URL is none or has a parameter that does not exist, if the server
    /// can't be reached within 2 seconds, or if it refuses.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let (address, prefix) = Address::from_url(url)?;
        let link = Link::open(address).await?;
        let store = Self { link, prefix: prefix.as_deref().unwrap_or(PREFIX).into() };
        store.load(&SessionId::new("")).await?;
        Ok(store)
    }

    /// Reads keys with this prefix: connect-redis' `prefix` option, by default `sess:`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// For the fuzzer: what the feed of changes makes of these bytes from Redis.
    #[cfg(fuzzing)]
    #[doc(hidden)]
    pub fn fuzz_pushes(bytes: &[u8], prefix: &str) -> Vec<crate::watch::Change> {
        tracking::fuzz_pushes(bytes, prefix)
    }

    fn key(&self, sid: &SessionId) -> String {
        format!("{}{}", self.prefix, sid.as_str())
    }

    async fn change<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.link
            .change(|mut connection| async move { command.query_async(&mut connection).await })
            .await
    }
}

/// Without the address: its URL can hold a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let key = self.key(sid);
        self.link.read(|connection| load(connection, &key)).await
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        if sids.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = sids.iter().map(|sid| self.key(sid)).collect();
        self.link.read(|connection| load_many(connection, &keys)).await
    }

    fn watch(&self) -> Option<Arc<dyn SessionWatch>> {
        Some(Arc::new(Tracking::new(self.link.clone(), self.prefix.clone())))
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        Some(self)
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }
}

#[async_trait]
impl TouchSession for RedisStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        let ms = i64::try_from(life.as_millis()).map_or(LONGEST_MS, |ms| ms.min(LONGEST_MS));
        self.change(&Cmd::pexpire(self.key(sid), ms)).await
    }
}

#[async_trait]
impl DestroySession for RedisStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        let deleted: u64 = self.change(&Cmd::del(self.key(sid))).await?;
        Ok(deleted > 0)
    }
}
