//! A bounded pool that comes back by itself after any fault.
//!
//! - A connection that did not finish what it was asked (a fault, a time-out, a caller who gave up)
//!   is closed: what it would answer next nobody knows. PostgreSQL is told to stop working on it, for
//!   it would notice by itself only when it is done, which behind a lock may be never.
//! - After a failed attempt to connect, calls fail at once with its error for a while that grows
//!   from 50 milliseconds to one second, so that a server that comes back is not run over.
//! - Statements are not prepared: a pooler may stand between, in any mode, a table may be altered,
//!   and the driver does not log their values (session ids), as it does for prepared ones.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error as DriverError, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::StoreError;
use super::connect::Connector;
use super::error::{failed, no_connection};

/// Connections at most.
const SIZE: usize = 8;
/// Connecting, TLS and password included.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);
/// A backstop: who asks gives up earlier by itself (the authorizer's `store_timeout`), and says so
/// more exactly.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses between attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Telling PostgreSQL to stop.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);
/// Whoever was silent for so long has been given up, not just interrupted.
const HANGS: Duration = Duration::from_secs(1);

/// A statement's values, each with its type.
pub(super) type Values<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// The connections of a store. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool,
    tls: MakeRustlsConnect,
    outage: Arc<Mutex<Option<Outage>>>,
}

/// The last attempt to connect failed.
struct Outage {
    error: StoreError,
    pause: Duration,
    until: Instant,
}

impl Connections {
    pub(super) fn new(connector: Connector) -> Result<Self, StoreError> {
        // `Fast` sends nothing: a `DISCARD` between two callers would cost a round trip each.
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let tls = connector.tls.clone();
        let manager = Manager::from_connect(connector.config.clone(), connector, config);
        let pool = Pool::builder(manager)
            .max_size(SIZE)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(CREATE_TIMEOUT))
            .build()
            .map_err(|error| StoreError::new("making the connection pool", error))?;
        Ok(Self { pool, tls, outage: Arc::default() })
    }

    /// Runs a statement, and gives its rows.
    pub(super) async fn query(
        &self,
        operation: &'static str,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let answer = self.ask(operation, sql, values).await?;
        answer.map_err(|error| failed(operation.into(), error))
    }

    /// The same, with PostgreSQL's own refusal.
    pub(super) async fn ask(
        &self,
        operation: &'static str,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Result<Vec<Row>, DriverError>, StoreError> {
        within(operation, async {
            let lease = self.lease(operation).await?;
            let answer = lease.client(operation)?.query_typed(sql, values).await;
            Ok(lease.end(answer))
        })
        .await
    }

    /// Runs a statement, and tells how many rows it changed.
    pub(super) async fn execute(
        &self,
        operation: &'static str,
        sql: &str,
        values: Values<'_>,
    ) -> Result<u64, StoreError> {
        within(operation, async {
            let lease = self.lease(operation).await?;
            let answer = lease.client(operation)?.execute_typed(sql, values).await;
            lease.end(answer).map_err(|error| failed(operation.into(), error))
        })
        .await
    }

    async fn lease(&self, operation: &'static str) -> Result<Lease<'_>, StoreError> {
        if let Some(error) = self.pausing() {
            return Err(error);
        }
        match self.pool.get().await {
            Ok(connection) => {
                *self.outage() = None;
                let since = Instant::now();
                Ok(Lease { connection: Some(connection), from: self, since })
            }
            Err(error) => {
                let connecting = matches!(
                    error,
                    PoolError::Backend(_) | PoolError::Timeout(TimeoutType::Create)
                );
                let error = no_connection(operation.into(), error);
                if connecting {
                    self.note(&error);
                }
                Err(error)
            }
        }
    }

    /// The error of the last attempt to connect, while it is too early for another, and one is needed.
    fn pausing(&self) -> Option<StoreError> {
        if self.pool.status().available > 0 {
            return None;
        }
        let outage = self.outage();
        outage.as_ref().filter(|outage| Instant::now() < outage.until).map(|o| o.error.clone())
    }

    fn note(&self, error: &StoreError) {
        let (now, mut outage) = (Instant::now(), self.outage());
        let pause = match outage.as_ref() {
            None => PAUSES.0,
            // It was under way at the same time.
            Some(last) if now < last.until => last.pause,
            Some(last) => PAUSES.1.min(last.pause * 2),
        };
        *outage = Some(Outage { error: error.clone(), pause, until: now + pause });
    }

    fn outage(&self) -> MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn within<T>(
    operation: &'static str,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(StoreError::new(operation, elapsed).server_away()),
    }
}

/// A connection for one statement: back to the pool when that is done, else closed.
struct Lease<'a> {
    connection: Option<Object>,
    from: &'a Connections,
    since: Instant,
}

impl Lease<'_> {
    fn client(&self, operation: &'static str) -> Result<&Client, StoreError> {
        self.connection.as_deref().map(Deref::deref).ok_or_else(|| StoreError::message(operation))
    }

    /// PostgreSQL has answered, be it with a refusal: the connection is good for the next statement.
    fn end<T>(mut self, answer: Result<T, DriverError>) -> Result<T, DriverError> {
        if answer.as_ref().map_or_else(|error| error.as_db_error().is_some(), |_| true) {
            drop(self.connection.take());
        }
        answer
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        // Where no runtime is left, nothing is left to be told either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(stop(connection, self.from.tls.clone()));
        }
        let held = self.since.elapsed();
        if held > HANGS {
            // Whatever silenced this one has silenced those that were idle meanwhile.
            drop(self.from.pool.retain(|_, metrics| metrics.last_used() < held));
        }
    }
}

/// Ends what the connection is at, and closes it. Until then it counts as one of the pool's.
async fn stop(connection: Object, tls: MakeRustlsConnect) {
    if !connection.is_closed() {
        let cancelling = connection.cancel_token();
        // It is closed in any case.
        let _ = tokio::time::timeout(CANCEL_TIMEOUT, cancelling.cancel_query(tls)).await;
    }
    drop(Object::take(connection));
}
