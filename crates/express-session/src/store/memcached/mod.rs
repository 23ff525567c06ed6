//! connect-memcached 3.0.0 (`lib/connect-memcached.js`), with the client memcached 2.2.2.
//!
//! - The key is a prefix (none by default) and the session id; the value is the session's JSON, which
//!   flag 2 says. A value with another flag is a text, and no session.
//! - Memcached's own expiry is the only one, counted by its clock in whole seconds: a value without one
//!   lives for ever, whatever its JSON says. (`maxAge` below a second makes one: `(maxAge / 1000) | 0`.)
//! - In Node a touch is a `set`, which writes the whole session. Ours sets the expiry of what is there.
//! - Node's client replaces keys of more than 250 characters by their MD5: those are not found here.
//!   Ids with white space it refuses, and so are they here.
//! - connect-memcached's `secret` is not read: such a session is corrupt.
//!
//! The client is our own, because a session's remaining life is asked for by the meta protocol, and for
//! many sessions in one round trip.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;

use self::pool::Pool;
use self::protocol::{Answer, Commands, Found, Key, is_word};
use super::{
    DestroySession, Life, SessionStore, StoreError, StoreUrl, StoredSession, TouchSession,
};
use crate::store_error::is_network_kind;
use crate::{Clock, SessionId, SystemClock};

mod pool;
mod protocol;

const PORT: u16 = 11211;
/// The flag by which Node's client knows JSON.
const JSON: u32 = 2;
/// Memcached takes more seconds than these for a date.
const MAX_RELATIVE: u64 = 60 * 60 * 24 * 30;
/// A backstop: who asks gives up earlier by itself (the authorizer's `store_timeout`), and says so
/// more exactly.
const BACKSTOP: Duration = Duration::from_secs(10);
/// Keys in one question: some 250 KiB.
const CHUNK: usize = 1000;

/// Sessions that connect-memcached keeps. Needs memcached 1.6.
///
/// At most 8 connections, which come back by themselves after an outage. Cheap to clone.
///
/// ```no_run
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// use express_session::store::memcached::MemcachedStore;
///
/// let store = MemcachedStore::connect("memcached://127.0.0.1:11211?prefix=myapp:").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MemcachedStore {
    pool: Arc<Pool>,
    prefix: Box<str>,
    clock: Arc<dyn Clock>,
}

impl MemcachedStore {
    /// Connects to `memcached://HOST:PORT?prefix=…`: port 11211 and no prefix by default.
    ///
    /// One server: where there are several, Node's client spreads the sessions over them by a hash of
    /// its own, which is not imitated.
    ///
    /// # Errors
    /// [`StoreError`] if the URL says what is not understood, or the server can't be reached within 2
    /// seconds or does not speak the meta protocol.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let mut url = StoreUrl::new(url);
        let prefix = url.take("prefix")?.unwrap_or_default();
        if !is_word(&prefix) || prefix.len() > 200 {
            return Err(wrong("a prefix has no white space, and at most 200 bytes"));
        }
        let pool = Pool::to(&address(&url.rest())?);
        let store = Self { pool: pool.into(), prefix: prefix.into(), clock: Arc::new(SystemClock) };
        match store.ask("connecting to memcached", Commands::default().noop()).await?.as_slice() {
            [Answer::Noop] => Ok(store),
            _ => Err(unexpected()),
        }
    }

    fn key<'a>(&'a self, sid: &'a SessionId) -> Option<Key<'a>> {
        Key::new(&self.prefix, sid.as_str())
    }

    async fn ask(
        &self,
        operation: &'static str,
        commands: Commands,
    ) -> Result<Vec<Answer>, StoreError> {
        let asked = tokio::time::timeout(BACKSTOP, self.pool.ask(&commands)).await;
        asked.map_err(|late| StoreError::new(operation, late).server_away())?.map_err(|error| {
            let is_away = is_network_kind(error.kind());
            StoreError::new(operation, error).server_away_if(is_away)
        })
    }

    /// Asks one thing about what may be there.
    async fn ask_one(
        &self,
        operation: &'static str,
        command: Commands,
    ) -> Result<Option<Found>, StoreError> {
        match self.ask(operation, command).await?.pop() {
            Some(Answer::Found(found)) => Ok(Some(found)),
            Some(Answer::Missing) => Ok(None),
            _ => Err(unexpected()),
        }
    }

    /// A life as memcached takes it: seconds from now, or a date if they are many.
    fn expiry(&self, seconds: u64) -> i64 {
        let expiry = match seconds {
            0 => return -1,
            1..=MAX_RELATIVE => seconds,
            _ => {
                let now = self.clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
                now.as_secs().saturating_add(seconds)
            }
        };
        // Memcached's dates are 32 bits wide, and begin when it starts.
        expiry.min(u64::from(u32::MAX) / 2).cast_signed()
    }
}

/// `HOST:PORT` of a URL.
fn address(url: &str) -> Result<String, StoreError> {
    let (hosts, parameters) = url.split_once('?').unwrap_or((url, ""));
    let host = hosts.strip_prefix("memcached://").unwrap_or_default().trim_end_matches('/');
    if !parameters.is_empty() {
        return Err(wrong("`prefix` is the only parameter"));
    }
    if host.contains(',') {
        return Err(wrong(
            "one server only: how Node's client spreads sessions over several is not imitated",
        ));
    }
    if host.contains('@') {
        return Err(wrong("connect-memcached knows no user and no password"));
    }
    if host.is_empty() || host.contains(['/', ' ']) {
        return Err(wrong("the URL is memcached://HOST:PORT?prefix=PREFIX"));
    }
    // The colons of an IPv6 address stand in brackets.
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => match port.parse::<u16>() {
            Ok(1..) if !name.is_empty() => Ok(host.to_owned()),
            _ => Err(wrong("the port is a number from 1 to 65535")),
        },
        _ => Ok(format!("{host}:{PORT}")),
    }
}

fn wrong(what: &str) -> StoreError {
    StoreError::message(format!("reading the memcached URL: {what}"))
}

fn unexpected() -> StoreError {
    StoreError::message("memcached answered what it was not asked")
}

/// What Node makes of a value.
fn session(found: Found) -> Option<StoredSession> {
    let life = found.left.map_or(Life::Forever, |left| Life::For(Duration::from_secs(left)));
    if found.flags == JSON {
        return Some(StoredSession::new(found.value, life));
    }
    // A text, which express-session can't take for a session, unless it is none (`if (!data)`).
    let text = String::from_utf8_lossy(&found.value);
    let json = serde_json::Value::from(text.into_owned()).to_string();
    (!found.value.is_empty()).then(|| StoredSession::new(json, life))
}

impl fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for MemcachedStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let Some(key) = self.key(sid) else { return Ok(None) };
        let found = self.ask_one("loading a session", Commands::default().get(key)).await?;
        Ok(found.and_then(session))
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        let mut sessions = Vec::with_capacity(sids.len());
        for chunk in sids.chunks(CHUNK) {
            let keys: Vec<_> = chunk.iter().map(|sid| self.key(sid)).collect();
            let commands =
                keys.iter().flatten().fold(Commands::default(), |all, key| all.get(*key));
            let answers = match commands.count() {
                0 => Vec::new(),
                _ => self.ask("loading sessions", commands).await?,
            };
            let mut answers = answers.into_iter();
            for key in keys {
                let answer = key.map(|_| answers.next().ok_or_else(unexpected)).transpose()?;
                sessions.push(match answer {
                    Some(Answer::Found(found)) => session(found),
                    Some(Answer::Missing) | None => None,
                    Some(_) => return Err(unexpected()),
                });
            }
        }
        Ok(sessions)
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        Some(self)
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }
}

/// To the next whole second: memcached knows no less.
#[async_trait]
impl TouchSession for MemcachedStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        let Some(key) = self.key(sid) else { return Ok(false) };
        let seconds = life.as_secs() + u64::from(life.subsec_nanos() > 0);
        let touch = Commands::default().touch(key, self.expiry(seconds));
        Ok(self.ask_one("touching a session", touch).await?.is_some())
    }
}

#[async_trait]
impl DestroySession for MemcachedStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        let Some(key) = self.key(sid) else { return Ok(false) };
        let delete = Commands::default().delete(key);
        Ok(self.ask_one("destroying a session", delete).await?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_names_one_server() {
        for (url, expected) in [
            ("memcached://127.0.0.1:1234", "127.0.0.1:1234"),
            ("memcached://cache", "cache:11211"),
            ("memcached://cache/", "cache:11211"),
            ("memcached://[::1]", "[::1]:11211"),
            ("memcached://[::1]:1234/", "[::1]:1234"),
        ] {
            assert_eq!(address(url).unwrap(), expected);
        }
        for (url, said) in [
            ("memcached://a:1,b:2", "one server only"),
            ("memcached://ann:hunter2@cache", "no password"),
            ("memcached://cache:0", "the port"),
            ("memcached://cache:http", "the port"),
            ("memcached://", "memcached://HOST:PORT"),
            ("memcached:cache", "memcached://HOST:PORT"),
            ("memcached://cache?layout=x", "`prefix` is the only"),
        ] {
            let error = address(url).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("hunter2"), "{url}: {error}");
        }
    }

    #[test]
    fn only_values_flagged_as_json_are_sessions() {
        let payload = |flags, value: &str| {
            let found = Found { flags, value: value.into(), ..Found::default() };
            session(found).map(|session| String::from_utf8(session.payload().to_vec()).unwrap())
        };
        assert_eq!(payload(2, "{}").unwrap(), "{}");
        assert_eq!(payload(2, "").unwrap(), "", "JSON.parse throws");
        assert_eq!(payload(0, "{}").unwrap(), "\"{}\"");
        assert_eq!(payload(0, ""), None);
        assert_eq!(payload(8, "42").unwrap(), "\"42\"");
    }
}
