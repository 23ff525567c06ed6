//! Redis tells of each session that was loaded and then changed: client-side caching's tracking,
//! without a setting of the server. (A cluster does so in another way: `masters.rs`.)
//!
//! `CLIENT TRACKING ON` lets Redis remember which keys this connection has read, and tell once when
//! one of them is written, touched, deleted, or has expired. Whoever is told loads the session again,
//! over the same connection, and so will be told again. What nobody loaded here is not told of: the
//! other users of a busy store cost nothing.
//!
//! Its own expiries Redis tells late, on a busy server many seconds late: a session's end has to be
//! watched by a timer.
//!
//! Redis remembers a limited number of keys (`tracking-table-max-keys`). Beyond it, it forgets some
//! of them and tells that as a change; each such session is loaded, which makes Redis forget another
//! one, without end. To notice that, the feed reads a key that nothing can change ([`Canary`]): if
//! Redis tells several times within seconds that this key changed, the feed ends, and is not begun
//! again for a while.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::{Cmd, ErrorKind, FromRedisValue as _, PushInfo, PushKind, RedisError, Value};
use async_trait::async_trait;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::super::StoreError;
use super::link::Link;
use super::masters;
use super::told::told;
use crate::SessionId;
use crate::watch::{Change, Changes, SessionWatch, WatchError};

/// A connection that has died says nothing: it is asked.
const PING: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_secs(2);

/// How often the canary is forgotten within how long until the table counts as full. Sessions are
/// forgotten as often as it is: that costs more than looking at each of them now and then.
const FORGOTTEN: (usize, Duration) = (3, Duration::from_secs(10));
/// For how long a full table is left alone: at first, and at most.
const LEFT_ALONE: (Duration, Duration) = (Duration::from_secs(240), Duration::from_secs(3600));

#[derive(Clone)]
pub(super) struct Tracking {
    link: Link,
    prefix: Box<str>,
    full: Arc<Mutex<FullTable>>,
}

/// When Redis' table was last found full.
#[derive(Default)]
struct FullTable {
    left_alone_until: Option<Instant>,
    pause: Duration,
}

impl FullTable {
    fn is_left_alone(&self) -> bool {
        self.left_alone_until.is_some_and(|until| Instant::now() < until)
    }

    fn found(&mut self) {
        // If it has been good for as long as it was left alone, this is another time.
        let is_another = self.left_alone_until.is_none_or(|until| until.elapsed() > self.pause);
        let next = if is_another { LEFT_ALONE.0 } else { 2 * self.pause };
        self.pause = next.min(LEFT_ALONE.1);
        self.left_alone_until = Some(Instant::now() + self.pause);
    }
}

/// A key that does not exist and that nobody can guess, so that nothing changes it. Redis remembers
/// that it was read, as of any other key; if Redis tells that it changed, it was forgotten.
struct Canary {
    key: String,
    forgotten: Vec<Instant>,
}

impl Canary {
    fn new(prefix: &str) -> Self {
        let [high, low] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
        Self { key: format!("{prefix}{high:016x}{low:016x}"), forgotten: Vec::new() }
    }

    /// It was forgotten once more. Whether that is too often.
    fn was_forgotten(&mut self) -> bool {
        let now = Instant::now();
        self.forgotten.retain(|then| now - *then < FORGOTTEN.1);
        self.forgotten.push(now);
        self.forgotten.len() >= FORGOTTEN.0
    }
}

impl Tracking {
    pub(super) fn new(link: Link, prefix: Box<str>) -> Self {
        Self { link, prefix, full: Arc::default() }
    }

    /// Turns tracking on for the connection that there is now. Which one it is.
    async fn turn_on(&self) -> Result<u64, WatchError> {
        let (number, connection) =
            self.link.current_with_resp3().await.map_err(WatchError::Lost)?;
        if !connection.tells_changes() {
            let error = "it does not speak RESP3 (Redis 6.0), or its user may not say HELLO";
            return Err(WatchError::Refused(StoreError::message(error)));
        }
        let mut command = ::redis::cmd("CLIENT");
        command.arg("TRACKING").arg("ON");
        let turned_on = self.link.change(async |mut connection| {
            let answer: Result<(), RedisError> = command.query_async(&mut connection).await;
            match answer {
                Ok(()) => Ok(None),
                Err(error) if is_refusal(&error) => Ok(Some(told("CLIENT TRACKING", error))),
                Err(error) => Err(error),
            }
        });
        match turned_on.await.map_err(WatchError::Lost)? {
            None => Ok(number),
            Some(refused) => Err(WatchError::Refused(refused)),
        }
    }

    /// Asks whether Redis is there. Its answer is how often databases were swapped (`SWAPDB`), of
    /// which it tells nothing unasked, if this user may know.
    async fn ping(&self) -> Result<Option<u64>, StoreError> {
        let mut info = ::redis::cmd("INFO");
        info.arg("commandstats");
        let ping = self.link.change(async |mut connection| {
            match info.query_async::<String>(&mut connection).await {
                Ok(info) => Ok(swaps(&info)),
                Err(error) if is_refusal(&error) => Ok(None),
                Err(error) => Err(error),
            }
        });
        in_time(ping).await
    }

    async fn read(&self, canary: &Canary) -> Result<(), StoreError> {
        let get = Cmd::get(&canary.key);
        in_time(self.link.change(async |mut connection| get.exec_async(&mut connection).await))
            .await
    }

    fn full(&self) -> MutexGuard<'_, FullTable> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports what a push says. Whether it says that the key `canary` changed.
///
/// A key is told as it is; everything at once (`FLUSHALL`) as nothing.
pub(super) fn report(
    push: &PushInfo,
    prefix: &str,
    canary: Option<&str>,
    changes: &Changes,
) -> bool {
    match push.kind {
        PushKind::Invalidate => {}
        PushKind::Disconnection => {
            changes.report(Change::Unknown);
            return false;
        }
        _ => return false,
    }
    let mut has_canary = false;
    for told in &push.data {
        let Value::Array(keys) = told else {
            changes.report(Change::Unknown);
            continue;
        };
        for key in keys.iter().filter_map(|key| String::from_redis_value_ref(key).ok()) {
            if canary == Some(key.as_str()) {
                has_canary = true;
            } else if let Some(sid) = key.strip_prefix(prefix) {
                changes.report(Change::Session(SessionId::new(sid)));
            }
        }
    }
    has_canary
}

/// For the fuzzer: what is reported of the answers that these bytes are.
#[cfg(fuzzing)]
pub(super) fn fuzz_pushes(bytes: &[u8], prefix: &str) -> Vec<Change> {
    let (tell, told) = std::sync::mpsc::channel();
    let changes = Changes::to(move |change| drop(tell.send(change)));
    let mut parser = ::redis::Parser::new();
    let mut rest = bytes;
    while let Ok(value) = parser.parse_value(&mut rest) {
        if let Value::Push { kind, data } = value {
            report(&PushInfo { kind, data }, prefix, Some("canary"), &changes);
        }
        if rest.is_empty() {
            break;
        }
    }
    told.try_iter().collect()
}

async fn in_time<T>(asking: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match timeout(SILENCE, asking).await {
        Ok(answer) => answer,
        Err(late) => Err(StoreError::new("asking Redis whether it is there", late)),
    }
}

/// `cmdstat_swapdb:calls=3,…` of `INFO commandstats`.
fn swaps(info: &str) -> Option<u64> {
    let (_, rest) = info.split_once("cmdstat_swapdb:calls=")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn full_table() -> WatchError {
    WatchError::Refused(StoreError::message(
        "Redis forgets what was read as soon as more is: its tracking table is full, and its \
         setting tracking-table-max-keys is too small",
    ))
}

pub(super) fn is_refusal(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

impl std::fmt::Debug for Tracking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracking").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionWatch for Tracking {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        if let Some(nodes) = self.link.nodes() {
            return masters::watch(&self.link, nodes, &self.prefix, changes).await;
        }
        if self.full().is_left_alone() {
            return Err(full_table());
        }
        let mut pushes = self.link.pushes();
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut canary = Canary::new(&self.prefix);
        let mut swapped = self.ping().await.map_err(WatchError::Lost)?;
        loop {
            let number = self.turn_on().await?;
            self.read(&canary).await.map_err(WatchError::Lost)?;
            // What was loaded over this connection before is not tracked.
            changes.report(Change::Unknown);
            let replaced = self.link.replaced(number);
            tokio::pin!(replaced);
            loop {
                tokio::select! {
                    push = pushes.recv() => match push {
                        Ok(push) => if report(&push, &self.prefix, Some(&canary.key), changes) {
                            if canary.was_forgotten() {
                                self.full().found();
                                return Err(full_table());
                            }
                            self.read(&canary).await.map_err(WatchError::Lost)?;
                        },
                        Err(RecvError::Lagged(_)) => changes.report(Change::Unknown),
                        Err(RecvError::Closed) => {
                            let error = StoreError::message("Redis' connection has ended");
                            return Err(WatchError::Lost(error));
                        }
                    },
                    replaced = &mut replaced => {
                        replaced.map_err(WatchError::Lost)?;
                        break;
                    }
                    // Who finds out that it is gone reports that, and another one is made.
                    _ = pings.tick() => {
                        let now = self.ping().await.map_err(WatchError::Lost)?;
                        if std::mem::replace(&mut swapped, now) != now {
                            changes.report(Change::Unknown);
                        }
                    }
                }
            }
        }
    }
}
