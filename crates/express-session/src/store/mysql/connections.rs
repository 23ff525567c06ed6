//! A bounded number of connections, of which none waits longer than its caller.
//!
//! - A connection that idles is looked at before it is used again, without asking the server: one
//!   that the server has closed meanwhile is replaced.
//! - An unreachable server is tried again after 50 ms, then after twice that, up to once a second;
//!   whoever asks in between is told so at once.
//! - A call that is given up on closes its connection: nobody knows what is still under way on it.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{
    Conn, Error, Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, Row, SslOpts, Value,
};
use tokio::time::{Instant, timeout};

use super::error::Failure;
use crate::store::StoreError;

/// A server that is there accepts within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A backstop: who asks gives up earlier by itself (the authorizer's `store_timeout`).
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at most, unless the URL has a `pool_max`.
const MAX_CONNECTIONS: usize = 10;
/// How long a connection may idle before it is closed.
const IDLE: Duration = Duration::from_secs(60);
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LAST_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Connections {
    pool: Pool,
    backoff: Mutex<Option<Backoff>>,
}

/// Since a connection could not be made.
#[derive(Clone, Copy, Debug)]
struct Backoff {
    delay: Duration,
    until: Instant,
}

/// What a statement gave.
pub(super) struct Answer {
    /// The names of its columns.
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// How many rows it found, be they changed or not.
    pub(super) found: u64,
}

impl Connections {
    /// Connects to nothing yet. `first` runs on each new connection.
    pub(super) fn new(url: &str, first: Vec<&str>) -> Result<Self, StoreError> {
        let unreadable = |error| StoreError::new("reading the MySQL URL", Failure::from(error));
        // The driver knows one scheme for both.
        let url = match url.strip_prefix("mariadb:") {
            Some(rest) => &format!("mysql:{rest}"),
            None => url,
        };
        let from_url = Opts::from_url(url).map_err(|error| unreadable(Error::Url(error)))?;
        let tls = from_url.ssl_opts().cloned().map(trusting_the_system);
        let pool = PoolOpts::new()
            .with_constraints(constraints(&from_url))
            .with_inactive_connection_ttl(IDLE)
            // Costs a round trip, and there is nothing to reset.
            .with_reset_connection(false);
        let options = OptsBuilder::from_opts(from_url)
            .pool_opts(pool)
            .ssl_opts(tls)
            .init(first)
            // A row that already is as it should be is found all the same.
            .client_found_rows(true)
            // The address in the URL is meant: behind a tunnel, the server's own socket is another's.
            .prefer_socket(false);
        Ok(Self { pool: Pool::new(options), backoff: Mutex::default() })
    }

    /// Runs one prepared statement.
    pub(super) async fn ask(
        &self,
        operation: &'static str,
        sql: &str,
        params: Vec<Value>,
    ) -> Result<Answer, StoreError> {
        let asking = async {
            let mut lease = Lease { connection: Some(self.connection().await?), whole: false };
            lease.execute(sql, params).await
        };
        let answer = timeout(CALL_TIMEOUT, asking).await;
        answer
            .unwrap_or(Err(Failure::NoAnswer(CALL_TIMEOUT)))
            .map_err(|failure| failure.of(operation))
    }

    async fn connection(&self) -> Result<Conn, Failure> {
        let nobody_idles = self.pool.metrics().connections_in_pool.load(Ordering::Relaxed) == 0;
        if nobody_idles && self.backoff().is_some_and(|backoff| Instant::now() < backoff.until) {
            return Err(Failure::Waiting);
        }
        let connected = match timeout(CONNECT_TIMEOUT, self.pool.get_conn()).await {
            Ok(connected) => connected.map_err(Failure::from),
            Err(_) => Err(Failure::NoConnection(CONNECT_TIMEOUT)),
        };
        let backoff = connected.is_err().then(|| Backoff::after(self.backoff()));
        *self.backoff.lock().unwrap_or_else(PoisonError::into_inner) = backoff;
        connected
    }

    fn backoff(&self) -> Option<Backoff> {
        *self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backoff {
    fn after(last: Option<Self>) -> Self {
        let delay = last.map_or(FIRST_DELAY, |last| LAST_DELAY.min(last.delay * 2));
        Self { delay, until: Instant::now() + delay }
    }
}

/// What the URL says, if it says something.
fn constraints(from_url: &Opts) -> PoolConstraints {
    let said = from_url.pool_opts().constraints();
    let ours = PoolConstraints::new(0, MAX_CONNECTIONS).unwrap_or_default();
    if said == PoolConstraints::default() { ours } else { said }
}

/// The certificates that this system trusts, or those of `SSL_CERT_FILE`: a managed database often
/// has an authority of its own.
fn trusting_the_system(tls: SslOpts) -> SslOpts {
    // The driver takes the process' default provider, and panics where there are two to choose from.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let found = rustls_native_certs::load_native_certs();
    let roots = found.certs.into_iter().map(|root| root.to_vec().into());
    tls.with_root_certs(roots.collect())
}

/// A connection of the pool for the time of one statement.
struct Lease {
    connection: Option<Conn>,
    /// Whether the statement ran to its end.
    whole: bool,
}

impl Lease {
    async fn execute(&mut self, sql: &str, params: Vec<Value>) -> Result<Answer, Failure> {
        let Some(connection) = &mut self.connection else {
            return Err(Failure::Waiting);
        };
        let answer = execute(connection, sql, params).await;
        self.whole = matches!(&answer, Ok(_) | Err(Error::Server(_)));
        Ok(answer?)
    }
}

async fn execute(connection: &mut Conn, sql: &str, params: Vec<Value>) -> Result<Answer, Error> {
    let mut result = connection.exec_iter(sql, Params::Positional(params)).await?;
    let columns =
        result.columns_ref().iter().map(|column| column.name_str().into_owned()).collect();
    let rows = result.collect().await?;
    Ok(Answer { columns, rows, found: result.affected_rows() })
}

/// Left in the middle of an answer, a connection would first wait for the rest of it, for as long as
/// a silent network keeps it away, and be lacking in the pool.
impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.whole
        {
            // Polled once, it is closed; what remains is to say goodbye.
            let _ = pin!(connection.disconnect()).poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}
