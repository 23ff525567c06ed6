//! connect-sqlite3's layout.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use express_session::store::sqlite::SqliteStore;
use express_session::store::{Life, SessionStore as _};
use testkit::ScratchDir;
use testkit::conformance::{self, Subject};

/// The table as connect-sqlite3 makes it, behind the store's back.
#[derive(Debug)]
struct Sqlite {
    store: SqliteStore,
    dir: ScratchDir,
}

impl Sqlite {
    async fn new() -> Self {
        let dir = ScratchDir::new();
        let raw = rusqlite::Connection::open(dir.join("sessions")).unwrap();
        raw.execute_batch("CREATE TABLE IF NOT EXISTS sessions (sid PRIMARY KEY, expired, sess)")
            .unwrap();
        let store = SqliteStore::open(dir.join("sessions")).await.unwrap();
        Self { store, dir }
    }

    fn insert(&self, sid: &str, expired: impl rusqlite::ToSql, sess: impl rusqlite::ToSql) {
        let raw = rusqlite::Connection::open(self.dir.join("sessions")).unwrap();
        let sql = "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)";
        raw.execute(sql, rusqlite::params![sid, expired, sess]).unwrap();
    }

    async fn life(&self, sid: &str) -> Option<Life> {
        self.store.load(&sid.into()).await.unwrap().map(|session| session.life())
    }
}

#[async_trait]
impl Subject for Sqlite {
    type Store = SqliteStore;

    fn store(&self) -> &SqliteStore {
        &self.store
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        let ms = expires.duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1000.0;
        self.insert(sid, ms.floor(), std::str::from_utf8(json).unwrap());
    }
}

#[tokio::test]
async fn sqlite() {
    conformance::run(&Sqlite::new().await).await;
}

#[tokio::test]
async fn a_session_lives_while_now_is_not_after_expired_whatever_type_the_number_has() {
    let sqlite = Sqlite::new().await;
    let end = UNIX_EPOCH + Duration::from_millis(1_795_405_204_629);
    sqlite.insert("real", 1_795_405_204_628.0_f64, "{}");
    sqlite.insert("integer", 1_795_405_204_628_i64, "{}");
    sqlite.insert("fraction", 1_795_405_204_628.7_f64, "{}");
    for sid in ["real", "integer", "fraction"] {
        assert_eq!(sqlite.life(sid).await, Some(Life::Until(end)), "{sid}");
    }
}

#[tokio::test]
async fn odd_expiries_count_as_in_the_comparison_of_sqlite() {
    let sqlite = Sqlite::new().await;
    sqlite.insert("null", rusqlite::types::Null, "{}");
    sqlite.insert("text", "soon", "{}");
    sqlite.insert("huge", 1e300, "{}");
    sqlite.insert("negative", -5, "{}");
    assert_eq!(sqlite.life("null").await, None);
    assert_eq!(sqlite.life("text").await, Some(Life::Forever));
    assert_eq!(sqlite.life("huge").await.unwrap().ended_at(SystemTime::now()), None);
    assert!(sqlite.life("negative").await.unwrap().ended_at(SystemTime::now()).is_some());
}

#[tokio::test]
async fn what_set_writes_is_what_connect_sqlite3_writes() {
    let dir = ScratchDir::new();
    let store = SqliteStore::create(dir.join("own.db")).await.unwrap();
    let expires = UNIX_EPOCH + Duration::from_millis(1_795_405_204_628);
    store.set(&"sid".into(), "{\"cookie\":{}}", expires).await.unwrap();
    let raw = rusqlite::Connection::open(dir.join("own.db")).unwrap();
    let sql = "SELECT typeof(sid), typeof(expired), expired, sess FROM sessions";
    let row: (String, String, f64, String) = raw
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap();
    assert_eq!(row, ("text".into(), "real".into(), 1_795_405_204_628.0, "{\"cookie\":{}}".into()));
}

#[tokio::test]
async fn opening_creates_nothing_and_a_missing_table_is_an_error() {
    let dir = ScratchDir::new();
    assert!(SqliteStore::open(dir.join("none")).await.is_err());
    assert!(!dir.join("none").exists());

    rusqlite::Connection::open(dir.join("other"))
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    assert!(SqliteStore::open(dir.join("other")).await.is_err());
    assert!(SqliteStore::open_table(dir.join("other"), "t; DROP TABLE t").await.is_err());
}

#[tokio::test]
async fn a_locked_database_is_an_error_and_never_a_missing_session() {
    let sqlite = Sqlite::new().await;
    sqlite.insert("sid", 9e15, "{}");
    let other = rusqlite::Connection::open(sqlite.dir.join("sessions")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(sqlite.store.load(&"sid".into()).await.is_err());
    other.execute_batch("COMMIT").unwrap();
    assert!(sqlite.life("sid").await.is_some());
}
