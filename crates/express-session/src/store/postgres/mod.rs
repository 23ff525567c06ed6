//! connect-pg-simple 10.0, connect-session-knex 5.0 and connect-session-sequelize 7.1 on PostgreSQL.
//!
//! - A session is good while the app's clock is not past a column of its row (`layout.rs` has each
//!   package's rounding). Its JSON's own `expires` does not count. Sequelize's `get` does not look at
//!   the column, which only its clean-up obeys, every quarter of an hour: here the column counts.
//! - connect-pg-simple keeps that moment without a time zone, in the zone that its connection has:
//!   the role's, the database's or the server's. So connect **as the same user to the same database**
//!   as the Node app, with the same `options` if it sets any; then the moment is right, whatever the
//!   zone.
//! - A `touch` moves the column, an `update` leaves it; neither finds a session that has ended.
//!
//! `layout.rs` is the rules, `table.rs` the statements, `connect.rs` and `tls.rs` the way to the
//! server, `pool.rs` what happens when that fails, `error.rs` what may be told about it.
//! `notify.sql` lets PostgreSQL tell of changes, and `listen.rs` listens.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSqlOwned, Type};

use super::json_column::session_json;
use super::{DestroySession, SessionStore, StoreError, StoredSession, TouchSession, parameters};
use crate::watch::SessionWatch;
use crate::{Clock, SessionId, SystemClock};

mod connect;
mod error;
mod hosts;
mod layout;
mod listen;
mod notify;
mod pool;
mod table;
mod tls;

use connect::Connector;
use layout::Layout;
use listen::Listening;
use pool::Connections;
use table::{HAS_UPDATED_AT, Table};

const NO_IDS: [&str; 0] = [];

/// Sessions in PostgreSQL.
///
/// Up to 8 connections, opened when they are needed, and one for [`watch`](SessionStore::watch). Each
/// call takes one round trip and ends within 10 seconds; connections come back by themselves after an
/// outage. Cheap to clone.
///
/// ```no_run
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// use express_session::store::postgres::PostgresStore;
///
/// // connect-pg-simple, in its table "session":
/// let store = PostgresStore::connect("postgres://app:secret@db.example/app?sslmode=require").await?;
///
/// // connect-session-knex, in a schema of its own:
/// let store = PostgresStore::connect("postgres://app:secret@db/app?layout=knex&schema=web").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    connector: Connector,
    connections: Connections,
    statements: Arc<Statements>,
    clock: Arc<dyn Clock>,
}

/// Made once, when it is known what columns there are.
struct Statements {
    table: Table,
    load: String,
    touch: String,
    destroy: String,
}

impl PostgresStore {
    /// Connects, and reads the table once, so that a wrong address, password or table is found at
    /// the start.
    ///
    /// The URL is that of the Node app, with up to three parameters of ours: `layout` (`pg-simple`
    /// by default, `knex` or `sequelize`), `schema` and `table`. `sslmode` is `disable`, `prefer`
    /// (the default), `require` (as `no-verify`: both encrypt, and believe any certificate, as for
    /// libpq) or `verify-full`; `sslrootcert` is a PEM file of who may vouch for the server, else
    /// the system's. Other parameters are [tokio-postgres'](tokio_postgres::Config).
    ///
    /// The user needs the right to SELECT, and for [`as_touch`](SessionStore::as_touch) (UPDATE) and
    /// [`as_destroy`](SessionStore::as_destroy) (DELETE) those as well.
    ///
    /// # Errors
    /// [`StoreError`] if the URL is none, the server can't be reached within 5 seconds or refuses,
    /// or there is no table of that layout that may be read.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let mut url = parameters::read(url)?;
        let table = Table::from_url(&mut url)?;
        let connector = Connector::from_url(url)?;
        let connections = Connections::new(connector.clone())?;
        let load = table.load();
        connections
            .ask("connecting to PostgreSQL", &load, &[(&NO_IDS.as_slice(), Type::TEXT_ARRAY)])
            .await?
            .map_err(|error| error::table_unusable(&table, error))?;
        let stamped =
            table.layout == Layout::Sequelize && has_updated_at(&connections, &table).await?;
        let statements =
            Statements { load, touch: table.touch(stamped), destroy: table.destroy(), table };
        let clock = Arc::new(SystemClock);
        Ok(Self { connector, connections, statements: statements.into(), clock })
    }

    /// The SQL of the triggers that let PostgreSQL tell [`watch`](SessionStore::watch) which sessions
    /// were destroyed or have another user, for the store's own table. We never run it: the table's
    /// owner does, once, on PostgreSQL 11 or later. It begins with how to uninstall it.
    ///
    /// A change is told by a hash of the session's id. Neither a touch nor the pruning of sessions
    /// that are over is told, nor a save that leaves the user as it is. The user is looked for in
    /// `passport`; for another `user_pointer`, write its first name instead.
    ///
    /// ```no_run
    /// # use express_session::store::postgres::PostgresStore;
    /// # async fn print() -> Result<(), express_session::store::StoreError> {
    /// let store = PostgresStore::connect("postgres://app:secret@db/app?layout=knex&schema=web").await?;
    /// println!("{}", store.notify_trigger());
    /// # Ok(()) }
    /// ```
    pub fn notify_trigger(&self) -> String {
        notify::sql(&self.statements.table)
    }

    /// The rows of these ids, by id.
    async fn rows(
        &self,
        operation: &'static str,
        sids: &[SessionId],
    ) -> Result<HashMap<String, StoredSession>, StoreError> {
        let asked: Vec<&str> = sids.iter().filter_map(storable).collect();
        if asked.is_empty() {
            return Ok(HashMap::new());
        }
        let values = [(&asked as _, Type::TEXT_ARRAY)];
        let rows = self.connections.query(operation, &self.statements.load, &values).await?;
        let read = |row: &Row| -> Result<_, StoreError> {
            let sid: String = column(row, 0)?;
            // `JSON.parse(null)` is null: no session.
            let mut json =
                column::<Option<String>>(row, 1)?.map_or_else(|| b"null".to_vec(), Into::into);
            let layout = self.statements.table.layout;
            if column(row, 3)? {
                json = session_json(json, layout == Layout::Sequelize);
            }
            let life = layout.life(column(row, 2)?);
            Ok(life.map(|life| (sid, StoredSession::new(json, life))))
        };
        rows.iter().filter_map(|row| read(row).transpose()).collect()
    }

    /// What the Node package would take for the time.
    fn now(&self) -> SystemTime {
        self.statements.table.layout.now(self.clock.now())
    }
}

async fn has_updated_at(connections: &Connections, table: &Table) -> Result<bool, StoreError> {
    let values = [(&table.quoted as _, Type::TEXT)];
    let rows = connections.query("reading the table's columns", HAS_UPDATED_AT, &values).await?;
    Ok(!rows.is_empty())
}

/// PostgreSQL's text has no zero byte: an id with one is nobody's, and asking for it an error.
fn storable(sid: &SessionId) -> Option<&str> {
    Some(sid.as_str()).filter(|sid| !sid.contains('\0'))
}

fn column<T: FromSqlOwned>(row: &Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|error| StoreError::new("reading the answer of PostgreSQL", error))
}

/// Without the address: its URL can hold a password.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("layout", &self.statements.table.layout)
            .field("table", &self.statements.table.quoted)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let mut found = self.rows("loading a session", std::slice::from_ref(sid)).await?;
        Ok(found.remove(sid.as_str()))
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        let found = self.rows("loading sessions", sids).await?;
        Ok(sids.iter().map(|sid| found.get(sid.as_str()).cloned()).collect())
    }

    /// Listens on a connection of its own, by `LISTEN`: the server itself has to be at its other end,
    /// or a pooler in session mode. Behind one in transaction mode nothing is ever told.
    ///
    /// It is refused while the triggers of [`notify_trigger`](PostgresStore::notify_trigger) are not
    /// installed.
    fn watch(&self) -> Option<Arc<dyn SessionWatch>> {
        let table = self.statements.table.quoted.clone();
        Some(Arc::new(Listening::new(self.connector.clone(), table)))
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        Some(self)
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }
}

#[async_trait]
impl TouchSession for PostgresStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        let Some(sid) = storable(sid) else {
            return Ok(false);
        };
        let end = self.statements.table.layout.expiry(self.clock.now(), life);
        let values = [
            (&sid as _, Type::TEXT),
            (&end as _, Type::TIMESTAMPTZ),
            (&self.now() as _, Type::TIMESTAMPTZ),
        ];
        let changed =
            self.connections.execute("touching a session", &self.statements.touch, &values);
        Ok(changed.await? > 0)
    }
}

#[async_trait]
impl DestroySession for PostgresStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        let Some(sid) = storable(sid) else {
            return Ok(false);
        };
        let values = [(&sid as _, Type::TEXT)];
        let deleted =
            self.connections.execute("destroying a session", &self.statements.destroy, &values);
        Ok(deleted.await? > 0)
    }
}
