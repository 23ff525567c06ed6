//! Where sessions are kept.
//!
//! A [`SessionStore`] can [`load`](SessionStore::load). What else a backend can do are traits of
//! their own, so that what it can't do is absent from its type: [`TouchSession`],
//! [`DestroySession`]. None of them ever creates a session.
//!
//! | store | feature | layout of | touch | destroy |
//! |---|---|---|---|---|
//! | [`FileStore`](file::FileStore) | `file` | session-file-store | yes | yes |
//! | [`MemcachedStore`](memcached::MemcachedStore) | `memcached` | connect-memcached | yes | yes |
//! | [`MemoryStore`] | | express-session's `MemoryStore` (in this process only) | yes | yes |
//! | [`MongoStore`](mongodb::MongoStore) | `mongodb` | connect-mongo, connect-mongodb-session | yes | yes |
//! | [`MysqlStore`](mysql::MysqlStore) | `mysql` | express-mysql-session, connect-session-knex, connect-session-sequelize | yes | yes |
//! | [`PostgresStore`](postgres::PostgresStore) | `postgres` | connect-pg-simple, connect-session-knex, connect-session-sequelize | yes | yes |
//! | [`RedisStore`](redis::RedisStore) | `redis` | connect-redis | yes | yes |
//! | [`SqliteStore`](sqlite::SqliteStore) | `sqlite` | connect-sqlite3, better-sqlite3-session-store, connect-session-knex | yes | yes |
//!
//! [`open`] opens any of them by its URL, now or as soon as it is there; [`open_later`] does the same
//! for one of its own type.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::SessionId;
use crate::watch::SessionWatch;

#[cfg(feature = "file")]
pub mod file;
#[cfg(feature = "memcached")]
pub mod memcached;
mod memory;
#[cfg(feature = "mongodb")]
pub mod mongodb;
#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(any(feature = "mysql", feature = "postgres"))]
mod json_column;
mod later;
mod open;
#[cfg(any(feature = "mongodb", feature = "mysql", feature = "postgres", feature = "redis"))]
mod parameters;
mod url;

pub use crate::store_error::StoreError;
pub use later::open_later;
pub use memory::MemoryStore;
pub use open::{open, open_now};
pub use url::StoreUrl;

/// Loads that [`SessionStore::load_many`] has under way at once, unless a backend has a better way.
const LOADS_AT_ONCE: usize = 32;

/// Loads sessions.
///
/// # Expiry
/// Each store of Node has its own rule of when a session is over, and the app obeys that rule and
/// no other. An implementation gives that moment as a [`Life`], also for one that has passed (if it
/// still finds the row), so that "expired" can be told from "never heard of it".
///
/// # Example
/// ```
/// use async_trait::async_trait;
/// use express_session::SessionId;
/// use express_session::store::{Life, SessionStore, StoreError, StoredSession};
///
/// /// Everybody is user 42.
/// #[derive(Debug)]
/// struct Everybody;
///
/// #[async_trait]
/// impl SessionStore for Everybody {
///     async fn load(&self, _: &SessionId) -> Result<Option<StoredSession>, StoreError> {
///         let json = r#"{"cookie":{},"passport":{"user":42}}"#;
///         Ok(Some(StoredSession::new(json.as_bytes().to_vec(), Life::Forever)))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert!(Everybody.load(&"sid".into()).await.unwrap().is_some());
/// assert!(Everybody.as_touch().is_none());
/// # }
/// ```
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// What is stored under `sid`, or `None` if nothing is.
    ///
    /// # Errors
    /// [`StoreError`] if the store could not tell.
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError>;

    /// The same for many, one answer each, in their order. A backend that can asks for all in one
    /// round trip; this default asks for each by itself, for 32 at a time.
    ///
    /// # Errors
    /// [`StoreError`] if the store could not tell, be it for one of them.
    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        // Each of them is a box, and none has begun.
        let loads: Vec<_> = sids.iter().map(|sid| self.load(sid)).collect();
        stream::iter(loads).buffered(LOADS_AT_ONCE).try_collect().await
    }

    /// The store's own feed of changes, if it has one.
    fn watch(&self) -> Option<Arc<dyn SessionWatch>> {
        None
    }

    /// This store as one that can prolong sessions, if it can.
    fn as_touch(&self) -> Option<&dyn TouchSession> {
        None
    }

    /// This store as one that can end sessions, if it can.
    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        None
    }
}

/// Prolongs sessions.
#[async_trait]
pub trait TouchSession: SessionStore {
    /// Lets the session live for `life` from now. `false` if there is no such session: a touch
    /// never brings one back.
    ///
    /// # Errors
    /// [`StoreError`] if the store could not tell.
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError>;
}

/// Ends sessions.
#[async_trait]
pub trait DestroySession: SessionStore {
    /// Deletes the session. `false` if there was none.
    ///
    /// # Errors
    /// [`StoreError`] if the store could not tell.
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError>;
}

/// A session as its store holds it: bytes nobody has read yet, and a life.
#[derive(Clone)]
pub struct StoredSession {
    payload: Arc<Vec<u8>>,
    life: Life,
}

impl StoredSession {
    /// These bytes, with this life.
    pub fn new(payload: impl Into<Vec<u8>>, life: Life) -> Self {
        Self { payload: Arc::new(payload.into()), life }
    }

    /// The same bytes, not copied, with another life.
    ///
    /// ```
    /// use express_session::store::{Life, StoredSession};
    /// use std::time::Duration;
    ///
    /// let stored = StoredSession::new("{}", Life::For(Duration::from_secs(60)));
    /// let later = stored.with_life(Life::For(Duration::from_secs(50)));
    /// assert_eq!(later.payload(), stored.payload());
    /// assert_eq!(later.life(), Life::For(Duration::from_secs(50)));
    /// ```
    pub fn with_life(&self, life: Life) -> Self {
        Self { payload: self.payload.clone(), life }
    }

    /// The record, for [`SessionSource::read`](crate::source::SessionSource::read).
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// How long the store will keep it.
    pub fn life(&self) -> Life {
        self.life
    }
}

/// Says how large it is, never what it holds.
impl fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSession")
            .field("bytes", &self.payload.len())
            .field("life", &self.life)
            .finish()
    }
}

/// How long a store keeps a session.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use express_session::store::Life;
///
/// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(43_200);
/// assert_eq!(Life::Until(noon).ended_at(noon), Some(noon));
/// assert_eq!(Life::Until(noon).ended_at(noon - Duration::from_millis(1)), None);
/// assert_eq!(Life::Forever.ended_at(noon), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It has no expiry.
    Forever,
    /// The first moment (of the app's clock) at which its Node store would not return it.
    Until(SystemTime),
    /// The store counts down by itself, and has this much left.
    For(Duration),
}

impl Life {
    /// The same, but over at `end` in any case.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use express_session::store::Life;
    ///
    /// let (now, hour) = (SystemTime::UNIX_EPOCH, Duration::from_secs(3600));
    /// let end = now + hour;
    /// assert_eq!(Life::Forever.until(end, now), Life::Until(end));
    /// assert_eq!(Life::For(hour / 2).until(end, now), Life::For(hour / 2));
    /// assert_eq!(Life::For(hour * 2).until(end, now), Life::Until(end));
    /// ```
    #[must_use]
    pub fn until(self, end: SystemTime, now: SystemTime) -> Self {
        match self {
            Self::Until(sooner) if sooner <= end => self,
            Self::For(left) if now.checked_add(left).is_some_and(|sooner| sooner <= end) => self,
            _ => Self::Until(end),
        }
    }

    /// When the session ended, if it has by `now`.
    pub fn ended_at(self, now: SystemTime) -> Option<SystemTime> {
        match self {
            Self::Until(end) if end <= now => Some(end),
            _ => None,
        }
    }
}

#[async_trait]
impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        (**self).load(sid).await
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        (**self).load_many(sids).await
    }

    fn watch(&self) -> Option<Arc<dyn SessionWatch>> {
        (**self).watch()
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        (**self).as_touch()
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        (**self).as_destroy()
    }
}
