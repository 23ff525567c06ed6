//! Keyspace events: the other feed of changes, for a Redis whose operator has turned them on.
//!
//! Redis publishes every change of every key, if `notify-keyspace-events` has `K` and the events
//! (`KA` for all): of all sessions, whoever is connected with them. Tracking, which a `RedisStore`
//! has by itself, needs no setting and tells less. This is for what can't track: an older protocol,
//! a user who may not `CLIENT TRACKING`.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use ::redis::{Client, RedisError};
use async_trait::async_trait;
use futures_util::StreamExt as _;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::super::StoreError;
use super::address::Address;
use super::told::told;
use crate::SessionId;
use crate::watch::{Change, Changes, SessionWatch, WatchError};

const PING: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_secs(2);
/// Those that a session's end or change shows in: generic commands, strings, expiries.
const EVENTS: [char; 3] = ['g', '$', 'x'];

/// Listens to Redis' keyspace events, on a connection of its own.
///
/// ```no_run
/// # async fn build(builder: ()) -> Result<(), Box<dyn std::error::Error>> {
/// use express_session::store::redis::KeyspaceEvents;
///
/// // redis-cli config set notify-keyspace-events Kg$x
/// let events = KeyspaceEvents::new("redis://127.0.0.1/0?prefix=myapp:")?;
/// // …, and to the authorizer: `.watch(events)`
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct KeyspaceEvents {
    client: Client,
    prefix: Box<str>,
}

impl KeyspaceEvents {
    /// Those of the keys with the URL's `prefix` (`sess:` by default), in the URL's database.
    ///
    /// # Errors
    /// [`StoreError`] if the URL is none, or is that of a cluster, whose nodes publish each its own.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let (address, prefix) = Address::from_url(url)?;
        match address {
            Address::Server { client, .. } => {
                let prefix = prefix.as_deref().unwrap_or(super::PREFIX).into();
                Ok(Self { client: *client, prefix })
            }
            Address::Cluster(_) => {
                Err(StoreError::message("a cluster's keyspace events are not listened to"))
            }
        }
    }

    /// Looks whether they are turned on, where the user may look.
    async fn look(&self) -> Result<(), WatchError> {
        let lost = |error| WatchError::Lost(told("connecting to Redis", error));
        let mut connection = self.client.get_multiplexed_async_connection().await.map_err(lost)?;
        let mut ask = ::redis::cmd("CONFIG");
        ask.arg("GET").arg("notify-keyspace-events");
        let setting: Result<(String, String), RedisError> = ask.query_async(&mut connection).await;
        match setting {
            Ok((_, events)) if !tells_enough(&events) => {
                let error = "notify-keyspace-events is off: it needs at least Kg$x";
                Err(WatchError::Refused(StoreError::message(error)))
            }
            _ => Ok(()),
        }
    }
}

fn tells_enough(events: &str) -> bool {
    let all = events.contains('A');
    events.contains('K') && EVENTS.iter().all(|event| all || events.contains(*event))
}

/// Redis' patterns have wildcards.
fn literally(text: &str) -> String {
    let special = |c: char| matches!(c, '*' | '?' | '[' | ']' | '\\' | '^');
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

impl fmt::Debug for KeyspaceEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyspaceEvents").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionWatch for KeyspaceEvents {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        let lost = |error| WatchError::Lost(told("listening to Redis", error));
        let silent = |late| WatchError::Lost(StoreError::new("listening to Redis", late));
        timeout(2 * SILENCE, self.look()).await.map_err(silent)??;
        let connecting = self.client.get_async_pubsub();
        let pubsub = timeout(SILENCE, connecting).await.map_err(silent)?.map_err(lost)?;
        let (mut asks, mut events) = pubsub.split();
        let database = self.client.get_connection_info().redis_settings().db();
        let channel = format!("__keyspace@{database}__:");
        let subscribing = asks.psubscribe(format!("{channel}{}*", literally(&self.prefix)));
        timeout(SILENCE, subscribing).await.map_err(silent)?.map_err(lost)?;
        changes.report(Change::Unknown);
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event else {
                        let error = StoreError::message("Redis' connection has ended");
                        return Err(WatchError::Lost(error));
                    };
                    let key = event.get_channel_name().strip_prefix(&channel);
                    if let Some(sid) = key.and_then(|key| key.strip_prefix(&*self.prefix)) {
                        changes.report(Change::Session(SessionId::new(sid)));
                    }
                }
                _ = pings.tick() => {
                    let pong = timeout(SILENCE, asks.ping::<::redis::Value>());
                    pong.await.map_err(silent)?.map_err(lost)?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_no_pattern_and_a_setting_must_tell_of_ends_and_changes() {
        assert_eq!(literally("a[1]*?\\:"), r"a\[1\]\*\?\\:");
        for (events, enough) in
            [("KA", true), ("Kg$x", true), ("AKE", true), ("", false), ("EA", false), ("Kx", false)]
        {
            assert_eq!(tells_enough(events), enough, "{events}");
        }
    }
}
