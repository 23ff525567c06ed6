//! Publishes, and counts servers, on a connection that is made anew when it fails.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::address::{Address, subscribers};
use super::{PATIENCE, RedisError};

/// After a failed attempt, so long nothing else is tried: callers fail at once.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) struct Publisher {
    address: Arc<Address>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    failed: Option<(Instant, RedisError)>,
    number: u64,
}

impl Publisher {
    pub(crate) fn new(address: Arc<Address>) -> Self {
        Self { address, state: Mutex::default() }
    }

    /// In the order of the calls, as far as they wait for each other.
    pub(crate) async fn publish(&self, channel: &str, message: &[u8]) -> Result<(), RedisError> {
        let (number, mut connection) = self.connection().await?;
        let mut publish = ::redis::cmd("PUBLISH");
        publish.arg(channel).arg(message);
        let publishing = publish.query_async::<()>(&mut connection);
        let published = timeout(PATIENCE, publishing).await;
        let published = published.unwrap_or_else(|_| Err(late()));
        self.told(number, published.map_err(|error| RedisError::new("publishing on Redis", error)))
            .await
    }

    /// How many connections are subscribed to exactly this channel, in all of a cluster.
    pub(crate) async fn subscribers(&self, channel: &str) -> Result<u64, RedisError> {
        if self.address.is_cluster() {
            return self.address.subscribers(channel).await;
        }
        let (number, mut connection) = self.connection().await?;
        let asking = timeout(PATIENCE, subscribers(&mut connection, channel)).await;
        let asked =
            asking.unwrap_or_else(|_| Err(RedisError::message("the Redis did not answer in time")));
        self.told(number, asked).await
    }

    /// After a fault, the next call makes another connection.
    async fn told<T>(&self, number: u64, answer: Result<T, RedisError>) -> Result<T, RedisError> {
        if answer.is_err() {
            let mut state = self.state.lock().await;
            if state.number == number {
                state.connection = None;
            }
        }
        answer
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection), RedisError> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((state.number, connection.clone()));
        }
        if let Some((at, error)) = &state.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        match self.address.commands().await {
            Ok(connection) => {
                state.number += 1;
                state.failed = None;
                state.connection = Some(connection.clone());
                Ok((state.number, connection))
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}

fn late() -> ::redis::RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
