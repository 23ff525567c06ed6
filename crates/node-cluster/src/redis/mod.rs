//! The Redis between the servers.

mod address;
mod inbox;
mod publisher;
mod subscriber;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use address::Address;
pub(crate) use publisher::Publisher;
pub(crate) use subscriber::{Incoming, Subscriber, Topic};

/// A server that is there accepts, and answers, within this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the Redis is that Node's servers and emitters use.
///
/// | URL | |
/// |---|---|
/// | `redis://127.0.0.1:6379/` | one server |
/// | `rediss://:secret@example.com/?ca=ca.pem` | over TLS; `ca`, `cert` and `tls-key` name PEM files |
/// | `redis://h1:7000,h2:7000/?cluster=true` | a cluster |
/// | `redis://h1:26379,h2:26379/?sentinel=mymaster` | the master of that name, as sentinels know it |
///
/// With `?key=app` the key of Node's option of that name, which is `socket.io` unless set.
///
/// ```
/// use node_cluster::Redis;
///
/// let redis = Redis::from_url("redis://127.0.0.1:6379/?key=app")?;
/// assert_eq!(redis.key(), "app");
/// assert!(Redis::from_url("http://127.0.0.1/").is_err());
/// # Ok::<(), node_cluster::RedisError>(())
/// ```
///
/// # Security
/// Who may publish on this Redis reaches every socket: protect it with a password, an ACL (`&socket.io*`)
/// and TLS. `Debug` and errors show no password.
#[derive(Clone)]
pub struct Redis {
    address: Arc<Address>,
    key: String,
}

impl Redis {
    /// Reads a URL. Connects to nothing.
    ///
    /// See [`Redis`] for an example.
    ///
    /// # Errors
    /// [`RedisError`] if it is none, or a certificate's file cannot be read.
    pub fn from_url(url: &str) -> Result<Self, RedisError> {
        let (address, key) = Address::from_url(url)?;
        Ok(Self { address: Arc::new(address), key: key.unwrap_or_else(|| "socket.io".to_owned()) })
    }

    /// Another key: the prefix of all channels, in Node the option `key`.
    ///
    /// ```
    /// use node_cluster::Redis;
    ///
    /// assert_eq!(Redis::from_url("redis://127.0.0.1/")?.with_key("app").key(), "app");
    /// # Ok::<(), node_cluster::RedisError>(())
    /// ```
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.key = key.into();
        self
    }

    /// The prefix of all channels.
    ///
    /// See [`Redis`] for an example.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn address(&self) -> Arc<Address> {
        self.address.clone()
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Redis").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The Redis could not be reached, or refused.
///
/// ```
/// use node_cluster::Redis;
///
/// let error = Redis::from_url("redis://:hunter2@h/?layout=knex").unwrap_err();
/// assert_eq!(error.to_string(), "a Redis URL has no parameter `layout`");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct RedisError {
    text: String,
    #[source]
    source: Option<Arc<::redis::RedisError>>,
}

impl RedisError {
    pub(crate) fn message(text: impl Into<String>) -> Self {
        Self { text: text.into(), source: None }
    }

    pub(crate) fn new(doing: &str, source: ::redis::RedisError) -> Self {
        Self { text: doing.to_owned(), source: Some(Arc::new(source)) }
    }
}
