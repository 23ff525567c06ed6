//! connect-redis 3.4 to 10.0 (`index.ts`), and connect-valkey, which is the same.
//!
//! - The key is a prefix (`sess:`) and the session id; the value is the session's JSON.
//! - Redis' own expiry is the only one: a key without one lives for ever (`disableTTL`), whatever
//!   its JSON says. A `touch` is an `EXPIRE`.
//! - An empty value is no session (`if (!data)`).

use std::fmt;
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, FromRedisValue, Pipeline, RedisError};
use async_trait::async_trait;

use super::{
    DestroySession, Life, SessionStore, StoreError, StoreUrl, StoredSession, TouchSession,
    UpdateSession,
};
use crate::SessionId;

/// connect-redis' default.
const PREFIX: &str = "sess:";
/// A server that is there accepts within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A backstop: who asks gives up earlier by itself (the authorizer's `store_timeout`), and says so
/// more exactly.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Sessions that connect-redis keeps.
///
/// One multiplexed connection, which comes back by itself after an outage; commands of one moment
/// share a round trip. Cheap to clone.
///
/// ```no_run
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// use express_session::store::redis::RedisStore;
///
/// let store = RedisStore::connect("redis://127.0.0.1/").await?.with_prefix("myapp:");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    connection: ConnectionManager,
    prefix: Box<str>,
}

impl RedisStore {
    /// Connects, so that a wrong address or password is found at the start.
    ///
    /// # Errors
    /// [`StoreError`] if the URL is none, or the server can't be reached within 2 seconds.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let mut url = StoreUrl::new(url);
        let prefix = url.take("prefix")?;
        let client =
            Client::open(url.rest()).map_err(|error| failed("reading the Redis URL", error))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_secs(1));
        let connection = ConnectionManager::new_with_config(client, config)
            .await
            .map_err(|error| failed("connecting to Redis", error))?;
        Ok(Self { connection, prefix: prefix.as_deref().unwrap_or(PREFIX).into() })
    }

    /// Reads keys with this prefix: connect-redis' `prefix` option, by default `sess:`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    fn key(&self, sid: &SessionId) -> String {
        format!("{}{}", self.prefix, sid.as_str())
    }

    async fn query<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, StoreError> {
        commands
            .query_async(&mut self.connection.clone())
            .await
            .map_err(|error| failed("asking Redis", error))
    }
}

fn failed(operation: &'static str, error: RedisError) -> StoreError {
    StoreError::new(operation, error)
}

/// Without the address: its URL can hold a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The answers to `GET` and `PTTL`.
fn session(payload: Option<Vec<u8>>, ttl: i64) -> Option<StoredSession> {
    // -1: no expiry; -2: no key, gone between the two commands.
    let life = match ttl {
        -1 => Life::Forever,
        ttl => Life::For(Duration::from_millis(u64::try_from(ttl).ok()?)),
    };
    let payload = payload.filter(|payload| !payload.is_empty())?;
    Some(StoredSession::new(payload, life))
}

fn read_pair(answers: &[::redis::Value]) -> Result<Option<StoredSession>, StoreError> {
    let [payload, ttl] = answers else {
        return Err(StoreError::message("Redis answered with less than it was asked"));
    };
    let unreadable = |error| StoreError::new("reading the answer of Redis", error);
    Ok(session(
        ::redis::from_redis_value_ref(payload).map_err(unreadable)?,
        ::redis::from_redis_value_ref(ttl).map_err(unreadable)?,
    ))
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let key = self.key(sid);
        let (payload, ttl) = self.query(::redis::pipe().get(&key).pttl(&key)).await?;
        Ok(session(payload, ttl))
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        if sids.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = sids.iter().map(|sid| self.key(sid)).collect();
        let mut ask = ::redis::pipe();
        for key in &keys {
            ask.get(key).pttl(key);
        }
        // One flat list of answers, two for each session.
        let answers: Vec<::redis::Value> = self.query(&ask).await?;
        answers.chunks(2).map(read_pair).collect()
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        Some(self)
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }

    fn as_update(&self) -> Option<&dyn UpdateSession> {
        Some(self)
    }
}

#[async_trait]
impl TouchSession for RedisStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        let ms = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
        let (touched,) = self.query(::redis::pipe().pexpire(self.key(sid), ms)).await?;
        Ok(touched)
    }
}

#[async_trait]
impl DestroySession for RedisStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        let (deleted,): (u64,) = self.query(::redis::pipe().del(self.key(sid))).await?;
        Ok(deleted > 0)
    }
}

#[async_trait]
impl UpdateSession for RedisStore {
    async fn update(&self, sid: &SessionId, json: &str) -> Result<bool, StoreError> {
        let mut set = ::redis::pipe();
        set.cmd("SET").arg(self.key(sid)).arg(json).arg("XX").arg("KEEPTTL");
        let (answer,): (Option<String>,) = self.query(&set).await?;
        Ok(answer.is_some())
    }
}
