//! connect-sqlite3 0.9 (`lib/connect-sqlite3.js`).
//!
//! - A table `sessions (sid PRIMARY KEY, expired, sess)`: `sess` is the session's JSON, `expired`
//!   a number of milliseconds, stored as REAL by the Node driver.
//! - A session is valid while `now <= expired`. Its JSON's own `expires` does not count.
//!
//! SQLite blocks, so one thread of this store's own runs the statements, in their order.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};
use tokio::sync::oneshot;

use super::{
    DestroySession, Life, SessionStore, StoreError, StoreUrl, StoredSession, TouchSession,
    UpdateSession,
};
use crate::{Clock, SessionId, SystemClock};

/// How long a statement waits for another process' lock.
const BUSY_TIMEOUT: Duration = Duration::from_millis(1500);
/// Statements that may wait for the thread; at some 20 µs each they are done in a few milliseconds.
const QUEUE: usize = 256;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Sessions that connect-sqlite3 keeps.
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
    jobs: SyncSender<Job>,
    table: Arc<str>,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens the database of a Node app: connect-sqlite3's `dir`/`db`. Creates nothing and changes
    /// no setting of the database.
    ///
    /// # Errors
    /// [`StoreError`] if there is no such database, or it has no table `sessions`.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_table(path, "sessions").await
    }

    /// The same with another table: connect-sqlite3's `table` option.
    ///
    /// # Errors
    /// As [`open`](Self::open); also if the name is not letters, digits and `_`.
    pub async fn open_table(path: impl AsRef<Path>, table: &str) -> Result<Self, StoreError> {
        let store = Self::start(path.as_ref(), table, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Asks for a row that can't be there: finds out that the table is.
        store.load(&SessionId::new("")).await?;
        Ok(store)
    }

    /// The same for `sqlite:PATH?table=NAME`.
    ///
    /// # Errors
    /// As [`open_table`](Self::open_table).
    pub async fn open_url(url: &str) -> Result<Self, StoreError> {
        let mut url = StoreUrl::new(url);
        let table = url.take("table")?;
        let rest = url.rest();
        match rest.split_once(':') {
            Some((_, path)) if !path.is_empty() => {
                Self::open_table(path, table.as_deref().unwrap_or("sessions")).await
            }
            _ => Err(StoreError::message(
                "sqlite: needs the path of the database, such as sqlite:./sessions",
            )),
        }
    }

    /// Opens a database of your own, and creates it if there is none, with the table that
    /// connect-sqlite3 makes, and its `concurrentDb` (a write-ahead log).
    ///
    /// # Errors
    /// [`StoreError`] if the file can't be opened or written.
    pub async fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let store = Self::start(path.as_ref(), "sessions", flags)?;
        let sql = format!(
            "PRAGMA journal_mode = wal; CREATE TABLE IF NOT EXISTS {} (sid PRIMARY KEY, expired, sess)",
            store.table
        );
        store.run("creating the table", move |db| db.execute_batch(&sql)).await?;
        Ok(store)
    }

    fn start(path: &Path, table: &str, flags: OpenFlags) -> Result<Self, StoreError> {
        if table.is_empty() || !table.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(StoreError::message("a table's name is letters, digits and _"));
        }
        let mut db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .and_then(|db| db.busy_timeout(BUSY_TIMEOUT).map(|()| db))
            .map_err(|error| StoreError::new("opening the database", error))?;
        let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE);
        std::thread::Builder::new()
            .name("sqlite-sessions".into())
            .spawn(move || queue.iter().for_each(|job| job(&mut db)))
            .map_err(|error| StoreError::new("starting the SQLite thread", error))?;
        Ok(Self { jobs, table: table.into(), clock: Arc::new(SystemClock) })
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
        let sql = format!("INSERT OR REPLACE INTO {} VALUES (?, ?, ?)", self.table);
        let (sid, json) = (sid.clone(), json.to_owned());
        self.run("saving a session", move |db| {
            db.prepare_cached(&sql)?.execute(params![sid.as_str(), millis(expires), json])
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
        let sql = format!("SELECT sess, expired, sid FROM {} WHERE ? <= expired", self.table);
        let now = millis(self.clock.now());
        self.run("loading all sessions", move |db| {
            let mut select = db.prepare_cached(&sql)?;
            let rows = select.query_map([now], |row| {
                let sid: String = row.get(2)?;
                Ok(session(row)?.map(|session| (SessionId::new(sid), session)))
            })?;
            rows.filter_map(Result::transpose).collect()
        })
        .await
    }

    /// Runs a statement on the store's thread.
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        statement: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            // Whoever asked may have given up while the statement was in the queue.
            if !answer.is_closed() {
                let _ = answer.send(statement(db));
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::message("too many statements wait for SQLite"),
            TrySendError::Disconnected(_) => StoreError::message("the SQLite thread has ended"),
        })?;
        answered
            .await
            .map_err(|_| StoreError::message("the SQLite thread has ended"))?
            .map_err(|error| StoreError::new(operation, error))
    }

    /// Runs a statement that changes one session, and tells whether there was one.
    async fn change(
        &self,
        operation: &'static str,
        sql: String,
        params: Vec<Value>,
    ) -> Result<bool, StoreError> {
        let changed = self
            .run(operation, move |db| {
                db.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(params))
            })
            .await?;
        Ok(changed > 0)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("table", &self.table).finish_non_exhaustive()
    }
}

/// A row that starts with `sess, expired`.
fn session(row: &Row<'_>) -> rusqlite::Result<Option<StoredSession>> {
    let payload = match row.get_ref(0)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        // `JSON.parse(null)` is null: no session.
        _ => b"null".to_vec(),
    };
    Ok(life(row.get_ref(1)?).map(|life| StoredSession::new(payload, life)))
}

/// JavaScript's date: milliseconds since 1970, as the REAL that the Node driver stores.
#[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
fn millis(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as f64
}

/// The first moment at which `now <= expired` is false.
///
/// SQLite orders any number below any text and NULL below nothing: a row whose `expired` is a text
/// or a blob never ends for connect-sqlite3, one without `expired` is never found.
fn life(expired: ValueRef<'_>) -> Option<Life> {
    let ms = match expired {
        ValueRef::Null => return None,
        #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
        ValueRef::Integer(ms) => ms as f64,
        ValueRef::Real(ms) => ms,
        ValueRef::Text(_) | ValueRef::Blob(_) => return Some(Life::Forever),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    let last = Duration::from_millis(ms.floor() as u64);
    let end =
        last.checked_add(Duration::from_millis(1)).and_then(|end| UNIX_EPOCH.checked_add(end));
    Some(end.map_or(Life::Forever, Life::Until))
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let sql = format!("SELECT sess, expired FROM {} WHERE sid = ?", self.table);
        let sid = sid.clone();
        self.run("loading a session", move |db| {
            let mut select = db.prepare_cached(&sql)?;
            let found = select.query_row([sid.as_str()], session);
            Ok(found.optional()?.flatten())
        })
        .await
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        let sql = format!("SELECT sess, expired FROM {} WHERE sid = ?", self.table);
        let sids = sids.to_vec();
        // In the process: one trip to the store's thread.
        self.run("loading sessions", move |db| {
            let mut select = db.prepare_cached(&sql)?;
            let load = |sid: &SessionId| {
                Ok(select.query_row([sid.as_str()], session).optional()?.flatten())
            };
            sids.iter().map(load).collect()
        })
        .await
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        Some(self)
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }

    fn as_update(&self) -> Option<&dyn UpdateSession> {
        Some(self)
    }
}

#[async_trait]
impl TouchSession for SqliteStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        let sql = format!("UPDATE {} SET expired = ? WHERE sid = ? AND ? <= expired", self.table);
        let now = self.clock.now();
        let params =
            vec![millis(now + life).into(), sid.as_str().to_owned().into(), millis(now).into()];
        self.change("touching a session", sql, params).await
    }
}

#[async_trait]
impl DestroySession for SqliteStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        let sql = format!("DELETE FROM {} WHERE sid = ?", self.table);
        self.change("destroying a session", sql, vec![sid.as_str().to_owned().into()]).await
    }
}

#[async_trait]
impl UpdateSession for SqliteStore {
    async fn update(&self, sid: &SessionId, json: &str) -> Result<bool, StoreError> {
        let sql = format!("UPDATE {} SET sess = ? WHERE sid = ? AND ? <= expired", self.table);
        let now = millis(self.clock.now());
        let params = vec![json.to_owned().into(), sid.as_str().to_owned().into(), now.into()];
        self.change("updating a session", sql, params).await
    }
}
