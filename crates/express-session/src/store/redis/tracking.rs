//! Redis tells of each session that was loaded and then changed: client-side caching's tracking,
//! without a setting of the server.
//!
//! `CLIENT TRACKING ON` lets Redis remember which keys this connection has read, and tell once when
//! one of them is written, touched, deleted, or has expired. Whoever is told loads the session again,
//! over the same connection, and so will be told again. What nobody loaded here is not told of: the
//! other users of a busy store cost nothing.
//!
//! Its own expiries Redis tells late, on a busy server many seconds late: a session's end has to be
//! watched by a timer.

use std::convert::Infallible;
use std::time::Duration;

use ::redis::{ErrorKind, FromRedisValue as _, PushInfo, PushKind, RedisError, Value};
use async_trait::async_trait;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::super::StoreError;
use super::link::Link;
use super::told::told;
use crate::SessionId;
use crate::watch::{Change, Changes, SessionWatch, WatchError};

/// A connection that has died says nothing: it is asked.
const PING: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(super) struct Tracking {
    link: Link,
    prefix: Box<str>,
}

impl Tracking {
    pub(super) fn new(link: Link, prefix: Box<str>) -> Self {
        Self { link, prefix }
    }

    /// Turns tracking on for the connection that there is now. Which one it is.
    async fn turn_on(&self) -> Result<u64, WatchError> {
        let (number, connection) = self.link.current().await.map_err(WatchError::Lost)?;
        if connection.is_cluster() {
            let error = "a cluster's nodes are not listened to";
            return Err(WatchError::Refused(StoreError::message(error)));
        }
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

    async fn ping(&self) -> Result<(), StoreError> {
        let ping = self
            .link
            .change(async |mut connection| ::redis::cmd("PING").exec_async(&mut connection).await);
        match timeout(SILENCE, ping).await {
            Ok(answer) => answer,
            Err(late) => Err(StoreError::new("asking Redis whether it is there", late)),
        }
    }

    /// A key is told as it is; everything at once (`FLUSHALL`) as nothing.
    fn report(&self, push: &PushInfo, changes: &Changes) {
        match push.kind {
            PushKind::Invalidate => {}
            PushKind::Disconnection => return changes.report(Change::Unknown),
            _ => return,
        }
        for told in &push.data {
            match told {
                Value::Array(keys) => {
                    let keys = keys.iter().filter_map(|key| String::from_redis_value_ref(key).ok());
                    for key in keys {
                        if let Some(sid) = key.strip_prefix(&*self.prefix) {
                            changes.report(Change::Session(SessionId::new(sid)));
                        }
                    }
                }
                _ => changes.report(Change::Unknown),
            }
        }
    }
}

fn is_refusal(error: &RedisError) -> bool {
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
        let mut pushes = self.link.pushes();
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let number = self.turn_on().await?;
            // What was loaded over this connection before is not tracked.
            changes.report(Change::Unknown);
            let replaced = self.link.replaced(number);
            tokio::pin!(replaced);
            loop {
                tokio::select! {
                    push = pushes.recv() => match push {
                        Ok(push) => self.report(&push, changes),
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
                    _ = pings.tick() => self.ping().await.map_err(WatchError::Lost)?,
                }
            }
        }
    }
}
