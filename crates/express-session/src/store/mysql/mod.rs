//! MySQL and MariaDB, in the layouts of express-mysql-session, connect-session-knex and
//! connect-session-sequelize.
//!
//! - The URL is `mysql://USER:PASSWORD@HOST:PORT/DATABASE?layout=…&table=…`, or `mariadb://…`. `layout` is
//!   `express-mysql-session` (the default), `knex` or `sequelize`; `table` is the package's default
//!   (`sessions`, `sessions`, `Sessions`) unless it is given. The names of the columns are the
//!   packages' defaults.
//! - The rest of the URL's parameters are the driver's: `require_ssl=true` for TLS, `pool_max`, ….
//!   TLS trusts what the system trusts, or the certificates in the file that `SSL_CERT_FILE` names.
//! - When a session is over: `layout.rs` says it for each package. The JSON's `expires` does not
//!   count.
//! - A session is found by the very bytes of its id. Most tables compare as people read, where `ABC`
//!   is `abc` and `é` is `e`, and so does Node, which finds a session by an id in other letters. Being
//!   stricter is deliberate: no session is found that was not asked for.
//! - MariaDB keeps JSON as the text it is; MySQL's JSON type gives it back written in another way.

mod connections;
mod error;
mod layout;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mysql_async::consts::ColumnType;
use mysql_async::{Row, Value};

use self::connections::Connections;
use self::layout::{Columns, Layout};
use super::json_column::session_json;
use super::{DestroySession, SessionStore, StoreError, StoredSession, TouchSession, parameters};
use crate::{Clock, SessionId, SystemClock};

/// Sessions that one statement asks for at most.
const BATCH: usize = 1024;

/// Sessions that a Node app keeps in MySQL or MariaDB.
///
/// At most 10 connections (the URL's `pool_max`), made when needed, closed after a minute without
/// use, made anew after an outage. Every call ends within 10 seconds. Cheap to clone.
///
/// ```no_run
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// use express_session::store::SessionStore;
/// use express_session::store::mysql::MysqlStore;
///
/// let store = MysqlStore::connect("mysql://app:secret@127.0.0.1/shop?layout=knex").await?;
/// assert!(store.load(&"no such session".into()).await?.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MysqlStore {
    connections: Arc<Connections>,
    table: Arc<str>,
    layout: Layout,
    /// Sequelize's `updatedAt`, which it sets whenever it changes a row; an app can do without.
    has_updated_at: bool,
    clock: Arc<dyn Clock>,
}

impl MysqlStore {
    /// Connects, and looks whether the table is one of this layout. Creates nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the URL is none, the layout is unknown, the server can't be reached within
    /// 5 seconds or refuses the password, or the table or one of its columns is missing.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let mut url = parameters::read(url)?;
        let layout = Layout::named(url.take("layout")?.as_deref())?;
        let table = url.take("table")?.unwrap_or_else(|| layout.table().to_owned());
        if !is_name(&table) {
            return Err(StoreError::message(
                "a table's name is 1 to 64 letters, digits, `_`, `-` and `$`",
            ));
        }
        let connections = Arc::new(Connections::new(&url.rest(), layout.first())?);
        let sql = format!("SELECT * FROM `{table}` WHERE 1 = 0");
        let found = connections.ask("opening the table of sessions", &sql, Vec::new()).await?;
        // MySQL takes a column's name in any case.
        let has = |name: &str| found.columns.iter().any(|its| its.eq_ignore_ascii_case(name));
        let Columns { sid, payload, end } = layout.columns();
        if let Some(name) = [sid, payload, end].into_iter().find(|name| !has(name)) {
            return Err(StoreError::message(format!(
                "the table `{table}` has no column `{name}`: is it of another `layout` \
                 (express-mysql-session, knex, sequelize)?"
            )));
        }
        let has_updated_at = layout == Layout::Sequelize && has("updatedAt");
        let (table, clock) = (table.into(), Arc::new(SystemClock));
        Ok(Self { connections, table, layout, has_updated_at, clock })
    }

    /// What the store finds of at most [`BATCH`] sessions, by their ids.
    async fn find(
        &self,
        sids: &[SessionId],
    ) -> Result<HashMap<Vec<u8>, StoredSession>, StoreError> {
        let Columns { sid, payload, .. } = self.layout.columns();
        let (end, table) = (self.layout.end(), &self.table);
        // One statement for each power of two, so that there are few to prepare.
        let asked = sids.len().next_power_of_two();
        let marks = vec!["?"; asked].join(", ");
        let sql =
            format!("SELECT `{sid}`, `{payload}`, {end} FROM `{table}` WHERE `{sid}` IN ({marks})");
        let params = sids.iter().cycle().take(asked).map(|sid| sid.as_str().into()).collect();
        let found = self.connections.ask("loading sessions", &sql, params).await?;
        let sessions = found.rows.into_iter().filter_map(|row| self.session(row).transpose());
        sessions.collect()
    }

    fn session(&self, row: Row) -> Result<Option<(Vec<u8>, StoredSession)>, StoreError> {
        let is_json = row
            .columns_ref()
            .get(1)
            .is_some_and(|column| column.column_type() == ColumnType::MYSQL_TYPE_JSON);
        let Ok([Value::Bytes(sid), payload, end]) = <[Value; 3]>::try_from(row.unwrap()) else {
            return Err(StoreError::message("a session's id is no text"));
        };
        let payload = match payload {
            Value::Bytes(payload) if is_json || self.layout == Layout::Sequelize => {
                session_json(payload, is_json && self.layout == Layout::Sequelize)
            }
            Value::Bytes(payload) => payload,
            // `JSON.parse(null)` is null: no session.
            _ => b"null".to_vec(),
        };
        let life = self.layout.life(&end)?;
        Ok(life.map(|life| (sid, StoredSession::new(payload, life))))
    }

    /// Changes one session, or deletes it, and tells whether there was one. `and` is one more
    /// condition on it.
    async fn change(
        &self,
        operation: &'static str,
        what: &str,
        mut params: Vec<Value>,
        sid: &SessionId,
        and: Option<(&str, Value)>,
    ) -> Result<bool, StoreError> {
        let column = self.layout.columns().sid;
        // The first condition finds the row by its index, the second is exact.
        let mut sql = format!(
            "{what} WHERE `{column}` = ? \
             AND CAST(CONVERT(`{column}` USING utf8mb4) AS BINARY) = CAST(? AS BINARY)"
        );
        params.extend([sid.as_str().into(), sid.as_str().into()]);
        if let Some((condition, param)) = and {
            sql = format!("{sql} AND {condition}");
            params.push(param);
        }
        Ok(self.connections.ask(operation, &sql, params).await?.found > 0)
    }

    /// Sets one column of a session that is alive.
    async fn set(
        &self,
        operation: &'static str,
        column: &str,
        value: Value,
        sid: &SessionId,
    ) -> Result<bool, StoreError> {
        let now = self.layout.moment(self.clock.now());
        let mut what = format!("UPDATE `{}` SET `{column}` = ?", self.table);
        let mut params = vec![value];
        if self.has_updated_at {
            what.push_str(", `updatedAt` = ?");
            params.push(now.clone());
        }
        self.change(operation, &what, params, sid, Some((&self.layout.alive(), now))).await
    }
}

/// What may stand between backticks.
fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "_-$".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(good)
}

/// Without the address: its URL can hold a password.
impl fmt::Debug for MysqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlStore")
            .field("layout", &self.layout)
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for MysqlStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let mut found = self.find(std::slice::from_ref(sid)).await?;
        Ok(found.remove(sid.as_str().as_bytes()))
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        let mut sessions = Vec::with_capacity(sids.len());
        for batch in sids.chunks(BATCH) {
            let found = self.find(batch).await?;
            sessions.extend(batch.iter().map(|sid| found.get(sid.as_str().as_bytes()).cloned()));
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

#[async_trait]
impl TouchSession for MysqlStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        let end = self.layout.moment(layout::later(self.clock.now(), life));
        self.set("touching a session", self.layout.columns().end, end, sid).await
    }
}

#[async_trait]
impl DestroySession for MysqlStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        let what = format!("DELETE FROM `{}`", self.table);
        self.change("destroying a session", &what, Vec::new(), sid, None).await
    }
}
