//! SQLite, in the layouts of connect-sqlite3, better-sqlite3-session-store and
//! connect-session-knex.
//!
//! - The URL is `sqlite:PATH?layout=…&table=…`, the path as the system writes it. `layout` is
//!   `connect-sqlite3` (the default), `better-sqlite3` or `knex`; `table` is `sessions`, the default
//!   of all three, unless it is given.
//! - When a session is over: `layout.rs` says it for each package. The JSON's `expires` does not
//!   count.
//! - A row whose `sess` is empty is no session for better-sqlite3-session-store (`if (res.sess)`).

mod access;
mod layout;
mod thread;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{OpenFlags, OptionalExtension as _, Row, params, params_from_iter};

use self::layout::Layout;
use self::thread::Thread;
use super::{
    DestroySession, Life, SessionStore, StoreError, StoreUrl, StoredSession, TouchSession,
};
use crate::{Clock, SessionId, SystemClock};

/// Sessions that a Node app keeps in SQLite. Cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::{Duration, SystemTime};
/// use express_session::store::{SessionStore, sqlite::SqliteStore};
///
/// let dir = testkit::ScratchDir::new();
/// let store = SqliteStore::create(dir.join("sessions")).await?;
/// let expires = SystemTime::now() + Duration::from_secs(60);
/// store.set(&"sid-1".into(), r#"{"cookie":{},"passport":{"user":42}}"#, expires).await?;
/// assert!(store.load(&"sid-1".into()).await?.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    thread: Thread,
    table: Arc<str>,
    layout: Layout,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens connect-sqlite3's `dir`/`db`. Creates nothing and changes no setting of the database.
    ///
    /// # Errors
    /// [`StoreError`] if there is no such database, or it has no table `sessions` of this layout; also
    /// if opening it would leave files behind that its app may not write (WAL mode, another user, and
    /// the app does not run).
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_table(path, "sessions").await
    }

    /// The same with another table: connect-sqlite3's `table` option.
    ///
    /// # Errors
    /// As [`open`](Self::open); also if the name is not letters, digits and `_`.
    pub async fn open_table(path: impl AsRef<Path>, table: &str) -> Result<Self, StoreError> {
        Self::open_layout(path.as_ref(), Layout::ConnectSqlite3, table).await
    }

    /// Opens `sqlite:PATH?layout=…&table=…`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use express_session::store::sqlite::SqliteStore;
    ///
    /// let error = SqliteStore::open_url("sqlite:./app.db?layout=prisma").await.unwrap_err();
    /// assert!(error.to_string().contains("connect-sqlite3, better-sqlite3, knex"));
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`open_table`](Self::open_table); also if the layout or another parameter is unknown.
    pub async fn open_url(url: &str) -> Result<Self, StoreError> {
        let mut url = StoreUrl::new(url);
        let layout = Layout::named(url.take("layout")?.as_deref())?;
        let table = url.take("table")?;
        let rest = url.rest();
        if let Some((_, unknown)) = rest.split_once('?') {
            let name = unknown.split(['=', '&']).next().unwrap_or_default();
            return Err(StoreError::message(format!(
                "sqlite: knows no parameter `{name}`; there are `layout` and `table`"
            )));
        }
        match rest.split_once(':') {
            Some((_, path)) if !path.is_empty() => {
                let table = table.as_deref().unwrap_or("sessions");
                Self::open_layout(Path::new(path), layout, table).await
            }
            _ => Err(StoreError::message(
                "sqlite: needs the path of the database, such as sqlite:./sessions",
            )),
        }
    }

    async fn open_layout(path: &Path, layout: Layout, table: &str) -> Result<Self, StoreError> {
        access::check_is_there(path)?;
        access::check(path)?;
        let store = Self::start(path, layout, table, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Asks for a row that can't be there: finds out that the table and its columns are.
        store.load(&SessionId::new("")).await?;
        Ok(store)
    }

    /// Opens a database of your own, and creates it if there is none, with the table that
    /// connect-sqlite3 makes, and its `concurrentDb` (a write-ahead log).
    ///
    /// # Errors
    /// [`StoreError`] if the file can't be opened or written.
    pub async fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let store = Self::start(path.as_ref(), Layout::ConnectSqlite3, "sessions", flags)?;
        let sql = format!(
            "PRAGMA journal_mode = wal; CREATE TABLE IF NOT EXISTS \"{}\" (sid PRIMARY KEY, expired, sess)",
            store.table
        );
        store.thread.run("creating the table", move |db| db.execute_batch(&sql)).await?;
        Ok(store)
    }

    fn start(
        path: &Path,
        layout: Layout,
        table: &str,
        flags: OpenFlags,
    ) -> Result<Self, StoreError> {
        if table.is_empty() || !table.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(StoreError::message("a table's name is letters, digits and _"));
        }
        let thread = Thread::start(path, flags)?;
        Ok(Self { thread, table: table.into(), layout, clock: Arc::new(SystemClock) })
    }

    /// Creates or replaces a session, as express-session's `set` does: for apps that keep their
    /// own sessions here.
    ///
    /// # Errors
    /// [`StoreError`] if the database could not be written.
    pub async fn set(
        &self,
        sid: &SessionId,
        json: &str,
        expires: SystemTime,
    ) -> Result<(), StoreError> {
        let (table, end) = (&self.table, self.layout.end());
        let sql = format!("INSERT OR REPLACE INTO \"{table}\" (sid, {end}, sess) VALUES (?, ?, ?)");
        let (sid, end, json) = (sid.clone(), self.layout.moment(expires), json.to_owned());
        self.thread
            .run("saving a session", move |db| {
                db.prepare_cached(&sql)?.execute(params![sid.as_str(), end, json])
            })
            .await?;
        Ok(())
    }

    /// Every session that has not expired, as express-session's `all`: for apps that keep their own
    /// sessions here.
    ///
    /// # Errors
    /// [`StoreError`] if the database could not be read.
    pub async fn all(&self) -> Result<Vec<(SessionId, StoredSession)>, StoreError> {
        let sql = self.select(&self.layout.alive());
        let (layout, now) = (self.layout, self.now());
        self.thread
            .run("loading all sessions", move |db| {
                let mut select = db.prepare_cached(&sql)?;
                let rows = select.query_map([now], |row| {
                    let sid: String = row.get(2)?;
                    Ok(session(layout, row)?.map(|session| (SessionId::new(sid), session)))
                })?;
                rows.filter_map(Result::transpose).collect()
            })
            .await
    }

    /// Rows for [`session`], and their ids.
    fn select(&self, condition: &str) -> String {
        let (table, end) = (&self.table, self.layout.end_to_read());
        format!("SELECT sess, {end}, sid FROM \"{table}\" WHERE {condition}")
    }

    fn now(&self) -> Value {
        self.layout.moment(self.clock.now())
    }

    /// Sets one column of a session that is alive.
    async fn set_column(
        &self,
        operation: &'static str,
        column: &str,
        value: Value,
        sid: &SessionId,
    ) -> Result<bool, StoreError> {
        let (table, alive) = (&self.table, self.layout.alive());
        let sql = format!("UPDATE \"{table}\" SET {column} = ? WHERE sid = ? AND {alive}");
        self.change(operation, sql, vec![value, sid.as_str().to_owned().into(), self.now()]).await
    }

    /// Runs a statement that changes one session, and tells whether there was one.
    async fn change(
        &self,
        operation: &'static str,
        sql: String,
        params: Vec<Value>,
    ) -> Result<bool, StoreError> {
        let changed = self
            .thread
            .run(operation, move |db| db.prepare_cached(&sql)?.execute(params_from_iter(params)))
            .await?;
        Ok(changed > 0)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("layout", &self.layout)
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

/// A row that starts with the payload and the expiry.
fn session(layout: Layout, row: &Row<'_>) -> rusqlite::Result<Option<StoredSession>> {
    let payload = match row.get_ref(0)? {
        ValueRef::Text([]) if layout == Layout::BetterSqlite3 => return Ok(None),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        // `JSON.parse(null)` is null: no session.
        _ => b"null".to_vec(),
    };
    let life: Option<Life> = layout.life(row.get_ref(1)?);
    Ok(life.map(|life| StoredSession::new(payload, life)))
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let found = self.load_many(std::slice::from_ref(sid)).await?;
        Ok(found.into_iter().next().flatten())
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        if sids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = self.select("sid = ?");
        let (layout, sids) = (self.layout, sids.to_vec());
        // In the process: one trip to the store's thread.
        self.thread
            .run("loading sessions", move |db| {
                let mut select = db.prepare_cached(&sql)?;
                let mut load = |sid: &SessionId| {
                    let found = select.query_row([sid.as_str()], |row| session(layout, row));
                    Ok(found.optional()?.flatten())
                };
                sids.iter().map(&mut load).collect()
            })
            .await
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        Some(self)
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }
}

#[async_trait]
impl TouchSession for SqliteStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        let end = self.layout.moment(layout::later(self.clock.now(), life));
        self.set_column("touching a session", self.layout.end(), end, sid).await
    }
}

#[async_trait]
impl DestroySession for SqliteStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        let sql = format!("DELETE FROM \"{}\" WHERE sid = ?", self.table);
        self.change("destroying a session", sql, vec![sid.as_str().to_owned().into()]).await
    }
}
