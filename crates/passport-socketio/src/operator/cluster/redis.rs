//! Redis as the nodes' transport: publish and subscribe, one hash as the list, and its clock.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use express_session::store::redis::{SingleServer, harmless};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue as _, PushInfo, PushKind, RedisError};
use tokio::sync::mpsc;

use super::ClusterError;
use super::presence::{SILENCE, millis};
use super::transport::{Connected, Connection, Heard, ListChange, Listed, Transport};

/// One Redis server.
pub(super) struct RedisTransport(Client);

impl RedisTransport {
    /// By a URL as a `RedisStore` takes it, with its `ca`, `cert` and `key`.
    pub(super) fn new(url: &str) -> Result<Self, ClusterError> {
        let server = SingleServer::from_url(url).map_err(|error| {
            let (what, source) = error.into_parts();
            ClusterError::Url { what, source }
        })?;
        Ok(Self(server.into_client()))
    }
}

#[async_trait]
impl Transport for RedisTransport {
    async fn connect(&self, channels: &[String]) -> Result<Connected, ClusterError> {
        let failed = |error| failed("connecting to the nodes' Redis", error);
        let (hear, heard) = mpsc::unbounded_channel();
        let hear = Mutex::new(Some(hear));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(SILENCE))
            .set_response_timeout(Some(SILENCE))
            .set_push_sender(move |push: PushInfo| {
                let mut hear = hear.lock().unwrap_or_else(PoisonError::into_inner);
                if push.kind == PushKind::Disconnection {
                    *hear = None;
                }
                match (message(&push), &*hear) {
                    (Some(message), Some(hear)) => hear.send(message),
                    _ => Ok(()),
                }
            });
        let connecting = self.0.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await.map_err(failed)?;
        connection.subscribe(channels).await.map_err(failed)?;
        Ok(Connected { connection: Arc::new(RedisConnection(connection)), heard })
    }
}

struct RedisConnection(MultiplexedConnection);

#[async_trait]
impl Connection for RedisConnection {
    async fn time(&self) -> Result<u64, ClusterError> {
        let asked = redis::cmd("TIME").query_async::<(u64, u64)>(&mut self.0.clone()).await;
        let (seconds, micros) = asked.map_err(|error| failed("TIME", error))?;
        Ok(seconds.saturating_mul(1000).saturating_add(micros / 1000))
    }

    async fn publish(&self, channel: &str, message: &str) -> Result<u64, ClusterError> {
        let mut publish = redis::cmd("PUBLISH");
        let published = publish.arg(channel).arg(message).query_async(&mut self.0.clone()).await;
        published.map_err(|error| failed("PUBLISH", error))
    }

    async fn list(&self, change: ListChange<'_>) -> Result<Vec<Listed>, ClusterError> {
        let ListChange { list, write, remove, keep } = change;
        let mut ask = redis::pipe();
        ask.atomic();
        if !remove.is_empty() {
            ask.hdel(list, remove).ignore();
        }
        if let Some((name, text)) = write {
            ask.hset(list, name, text).ignore();
        }
        let keep = i64::try_from(millis(keep)).unwrap_or(i64::MAX).min(i64::MAX / 2);
        ask.pexpire(list, keep).ignore().hgetall(list);
        let asked = ask.query_async::<(Vec<(Vec<u8>, Vec<u8>)>,)>(&mut self.0.clone()).await;
        let (entries,) = asked.map_err(|error| failed("the list of nodes", error))?;
        Ok(entries.into_iter().map(|(name, text)| Listed { name, text }).collect())
    }
}

fn message(push: &PushInfo) -> Option<Heard> {
    if push.kind != PushKind::Message {
        return None;
    }
    let mut said = push.data.iter().map(|part| Vec::<u8>::from_redis_value_ref(part).ok());
    let (channel, message) = (said.next()??, said.next()??);
    Some(Heard { channel: String::from_utf8(channel).ok()?, message })
}

fn failed(operation: &'static str, error: RedisError) -> ClusterError {
    ClusterError::new(operation, harmless(error))
}
