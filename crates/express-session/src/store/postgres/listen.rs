//! PostgreSQL tells of sessions that were destroyed, or have another user, where the operator has
//! installed the [triggers](super::notify).
//!
//! 1. A connection of its own, for a pool's is not listened to while it lies there.
//! 2. It listens, and sees then that the triggers are there: what changes later is told. What
//!    changed before is not, so the first thing told is that anything may have changed.
//! 3. Every few seconds it looks at the triggers again. That also finds a connection that has died
//!    without a word, and a table or a trigger that was made anew.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Error as DriverError, Notification};

use super::super::StoreError;
use super::connect::{Connection, Connector};
use super::error::failed;
use super::notify::{ALL, INSTALLED, TRIGGERS, channel};
use crate::SidHash;
use crate::watch::{Change, Changes, SessionWatch, WatchError};

/// Connecting, TLS and password included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that has died says nothing: it is asked.
const PING: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_secs(2);

/// The feed of one table.
pub(super) struct Listening {
    connector: Connector,
    table: String,
}

/// The triggers that were found, by number.
#[derive(PartialEq, Eq)]
struct Installed {
    table: u32,
    triggers: Vec<u32>,
}

impl Listening {
    /// `table` is quoted.
    pub(super) fn new(connector: Connector, table: String) -> Self {
        Self { connector, table }
    }

    async fn connect(&self) -> Result<(Client, Connection), WatchError> {
        let operation = "connecting to listen to PostgreSQL";
        match timeout(CONNECT_TIMEOUT, self.connector.open()).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(error)) => Err(WatchError::Lost(failed(operation.into(), error))),
            Err(late) => Err(WatchError::Lost(StoreError::new(operation, late))),
        }
    }

    /// Which channel it is, is known only when the triggers are found. They are looked at once more
    /// while it is listened to, so that nothing changes in between.
    async fn listen(&self, client: &Client) -> Result<Installed, WatchError> {
        let installed = self.installed(client).await?;
        let listen = format!("LISTEN {}", channel(installed.table));
        answer("listening to PostgreSQL", client.batch_execute(&listen)).await?;
        self.same_as(&installed, client).await?;
        Ok(installed)
    }

    /// Asks from time to time, until something has changed.
    async fn ask_on(
        &self,
        installed: &Installed,
        client: &Client,
    ) -> Result<Infallible, WatchError> {
        loop {
            sleep(PING).await;
            self.same_as(installed, client).await?;
        }
    }

    async fn same_as(&self, installed: &Installed, client: &Client) -> Result<(), WatchError> {
        if self.installed(client).await? == *installed {
            return Ok(());
        }
        let anew = format!("the triggers on {} were made anew", self.table);
        Err(WatchError::Lost(StoreError::message(anew)))
    }

    async fn installed(&self, client: &Client) -> Result<Installed, WatchError> {
        let names = TRIGGERS.as_slice();
        let values = [(&self.table as _, Type::TEXT), (&names as _, Type::TEXT_ARRAY)];
        let operation = "looking for the triggers in PostgreSQL";
        let rows = answer(operation, client.query_typed(INSTALLED, &values)).await?;
        let unread =
            |error| WatchError::Lost(StoreError::new("reading the answer of PostgreSQL", error));
        let mut installed = Installed { table: 0, triggers: Vec::new() };
        for row in rows {
            installed.table = row.try_get(0).map_err(unread)?;
            installed.triggers.push(row.try_get(1).map_err(unread)?);
        }
        if installed.triggers.len() == TRIGGERS.len() {
            return Ok(installed);
        }
        Err(WatchError::Refused(StoreError::message(format!(
            "the table {} has not all of the triggers that tell changes; its owner can install \
             them: see PostgresStore::notify_trigger and docs/postgres-notify.md",
            self.table
        ))))
    }
}

/// Waits for an answer, but not for long.
async fn answer<T>(
    operation: &'static str,
    asking: impl Future<Output = Result<T, DriverError>>,
) -> Result<T, WatchError> {
    match timeout(SILENCE, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let refused = is_refusal(&error);
            let error = failed(operation.into(), error);
            Err(if refused { WatchError::Refused(error) } else { WatchError::Lost(error) })
        }
        Err(late) => Err(WatchError::Lost(StoreError::new(operation, late))),
    }
}

/// A standby does not let anybody listen, and what only resembles PostgreSQL may not know how to.
fn is_refusal(error: &DriverError) -> bool {
    let refusals = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INSUFFICIENT_PRIVILEGE,
        SqlState::SYNTAX_ERROR,
    ];
    error.code().is_some_and(|code| refusals.contains(code))
}

/// Does `work` while the connection is kept going, and hears what is told meanwhile.
async fn hear<T>(
    connection: &mut Connection,
    work: impl Future<Output = Result<T, WatchError>>,
    mut told: impl FnMut(&Notification),
) -> Result<T, WatchError> {
    let mut work = pin!(work);
    poll_fn(|context| {
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            let lost = match ready!(connection.poll_message(context)) {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    told(&notification);
                    continue;
                }
                Some(Ok(_)) => continue,
                Some(Err(error)) => failed("listening to PostgreSQL".into(), error),
                None => StoreError::message("PostgreSQL's connection has ended"),
            };
            return Poll::Ready(Err(WatchError::Lost(lost)));
        }
    })
    .await
}

/// Anybody may tell anything: what can't have come from our triggers is not listened to.
fn change(payload: &str) -> Option<Change> {
    match payload {
        ALL => Some(Change::Unknown),
        hash => SidHash::from_hex(hash).map(Change::Hashed),
    }
}

#[async_trait]
impl SessionWatch for Listening {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        let (client, mut connection) = self.connect().await?;
        // Whatever is told this early is part of what may have changed.
        let installed = hear(&mut connection, self.listen(&client), |_| {}).await?;
        changes.report(Change::Unknown);
        hear(&mut connection, self.ask_on(&installed, &client), |told| {
            if let Some(change) = change(told.payload()) {
                changes.report(change);
            }
        })
        .await
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("table", &self.table).finish_non_exhaustive()
    }
}
