//! The layouts of connect-sqlite3, better-sqlite3-session-store and connect-session-knex. The tables
//! are those that the packages make.

#[cfg(target_os = "linux")]
mod other_user;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use express_session::store::sqlite::SqliteStore;
use express_session::store::{Life, SessionStore as _, TouchSession as _};
use rusqlite::types::Value;
use testkit::ScratchDir;
use testkit::conformance::{self, Limits, Subject};

/// A table of one layout, behind the store's back.
#[derive(Debug)]
struct Sqlite {
    store: SqliteStore,
    layout: &'static str,
    dir: ScratchDir,
}

impl Sqlite {
    async fn new() -> Self {
        Self::of("connect-sqlite3").await
    }

    async fn of(layout: &'static str) -> Self {
        let dir = ScratchDir::new();
        let table = match layout {
            "connect-sqlite3" => "(sid PRIMARY KEY, expired, sess)",
            "better-sqlite3" => {
                "(sid TEXT NOT NULL PRIMARY KEY, sess JSON NOT NULL, expire TEXT NOT NULL)"
            }
            _ => {
                "(`sid` varchar(255), `sess` json not null, `expired` datetime not null,
                primary key (`sid`))"
            }
        };
        let raw = rusqlite::Connection::open(dir.join("sessions")).unwrap();
        raw.execute_batch(&format!("CREATE TABLE sessions {table}")).unwrap();
        let url = format!("sqlite:{}?layout={layout}", dir.join("sessions").display());
        Self { store: SqliteStore::open_url(&url).await.unwrap(), layout, dir }
    }

    fn insert(&self, sid: &str, expired: impl rusqlite::ToSql, sess: impl rusqlite::ToSql) {
        let raw = rusqlite::Connection::open(self.dir.join("sessions")).unwrap();
        let end = if self.layout == "better-sqlite3" { "expire" } else { "expired" };
        let sql = format!("INSERT OR REPLACE INTO sessions (sid, {end}, sess) VALUES (?, ?, ?)");
        raw.execute(&sql, rusqlite::params![sid, expired, sess]).unwrap();
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
        let end = if self.layout == "connect-sqlite3" {
            let ms = expires.duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1000.0;
            Value::Real(ms.floor())
        } else {
            Value::Text(iso(expires))
        };
        self.insert(sid, end, std::str::from_utf8(json).unwrap());
    }

    fn limits(&self) -> Limits {
        match self.layout {
            "connect-sqlite3" => Limits::default(),
            // `datetime` of SQLite.
            _ => Limits { resolution: Duration::from_secs(1), ..Limits::default() },
        }
    }
}

/// JavaScript's `toISOString`.
fn iso(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[tokio::test]
async fn the_connect_sqlite3_layout_passes_the_conformance_suite() {
    conformance::run(&Sqlite::new().await).await;
}

#[tokio::test]
async fn the_better_sqlite3_layout_passes_the_conformance_suite() {
    conformance::run(&Sqlite::of("better-sqlite3").await).await;
}

#[tokio::test]
async fn the_connect_session_knex_layout_passes_the_conformance_suite() {
    conformance::run(&Sqlite::of("knex").await).await;
}

/// Their dates lose their milliseconds; then the one asks for less, the other for less or equal.
#[tokio::test]
async fn a_dated_session_is_over_when_its_package_says_so() {
    let end = UNIX_EPOCH + Duration::from_millis(1_795_405_204_628);
    for (layout, over) in [("better-sqlite3", 1_795_405_204), ("knex", 1_795_405_205)] {
        let sqlite = Sqlite::of(layout).await;
        sqlite.insert("iso", iso(end), "{}");
        sqlite.insert("no zone", "2026-11-23 03:40:04", "{}");
        sqlite.insert("offset", "2026-11-22T22:40:04-05:00", "{}");
        for sid in ["iso", "no zone", "offset"] {
            let over = Life::Until(UNIX_EPOCH + Duration::from_secs(over));
            assert_eq!(sqlite.life(sid).await, Some(over), "{layout} {sid}");
        }
        sqlite.insert("never", "soon", "{}");
        sqlite.insert("ms", 1_795_405_204_628_i64, "{}");
        assert_eq!(sqlite.life("never").await, None, "{layout}");
        assert_eq!(sqlite.life("ms").await, None, "{layout}");
    }
}

/// Asks SQLite itself, with the very condition of the package, around the end of a life.
#[tokio::test]
async fn a_session_ends_where_the_packages_condition_changes() {
    for (layout, condition) in [
        ("better-sqlite3", "datetime(?1) < datetime(expire)"),
        ("knex", "datetime(?1) <= datetime(expired)"),
    ] {
        let sqlite = Sqlite::of(layout).await;
        sqlite.insert("sid", "2026-11-23T03:40:04.628Z", "{}");
        let Some(Life::Until(end)) = sqlite.life("sid").await else {
            panic!("it has an end");
        };
        let raw = rusqlite::Connection::open(sqlite.dir.join("sessions")).unwrap();
        let found = |now: SystemTime| -> bool {
            let sql = format!("SELECT count(*) FROM sessions WHERE {condition}");
            raw.query_row(&sql, [iso(now)], |row| row.get(0)).unwrap()
        };
        assert!(found(end - Duration::from_millis(1)), "{layout}");
        assert!(!found(end), "{layout}");
    }
}

#[tokio::test]
async fn an_empty_session_of_better_sqlite3_is_none() {
    let sqlite = Sqlite::of("better-sqlite3").await;
    sqlite.insert("sid", "2999-01-01T00:00:00.000Z", "");
    assert_eq!(sqlite.life("sid").await, None);
}

#[tokio::test]
async fn a_touch_writes_the_same_as_the_packages() {
    for (layout, end, kind) in [
        ("connect-sqlite3", "expired", "real"),
        ("better-sqlite3", "expire", "text"),
        ("knex", "expired", "text"),
    ] {
        let sqlite = Sqlite::of(layout).await;
        sqlite.put("sid", b"{}", SystemTime::now() + Duration::from_secs(60)).await;
        assert!(sqlite.store.touch(&"sid".into(), Duration::from_secs(600)).await.unwrap());
        let raw = rusqlite::Connection::open(sqlite.dir.join("sessions")).unwrap();
        let sql = format!("SELECT typeof({end}), CAST({end} AS TEXT), sess FROM sessions");
        let (its, text, sess): (String, String, String) =
            raw.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        assert_eq!((its.as_str(), sess.as_str()), (kind, "{}"), "{layout}");
        if kind == "text" {
            assert!(text.len() == 24 && text.ends_with('Z'), "{layout} {text}");
        }
        assert!(sqlite.store.touch(&"sid".into(), Duration::MAX).await.unwrap(), "{layout}");
        assert!(sqlite.life("sid").await.unwrap().ended_at(SystemTime::now()).is_none());
    }
}

#[tokio::test]
async fn the_url_names_path_layout_and_table() {
    let dir = ScratchDir::new();
    let raw = rusqlite::Connection::open(dir.join("a.db")).unwrap();
    raw.execute_batch("CREATE TABLE \"order\" (sid PRIMARY KEY, sess, expired)").unwrap();
    let open = async |rest: &str| {
        SqliteStore::open_url(&format!("sqlite:{}{rest}", dir.join("a.db").display())).await
    };
    assert!(open("?table=order").await.is_ok());
    assert!(open("?table=order&layout=knex").await.is_ok());
    for (rest, told) in [
        ("?table=order&layout=better-sqlite3", "expire"),
        ("", "sessions"),
        ("?layout=prisma", "connect-sqlite3, better-sqlite3, knex"),
        ("?mode=ro", "`mode`"),
        ("?table=a%22", "a table's name"),
    ] {
        let error = open(rest).await.expect_err(rest);
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let said = format!("{error}: {}", source.unwrap_or_default());
        assert!(said.contains(told), "{rest}: {said}");
    }
    assert!(SqliteStore::open_url("sqlite:").await.is_err());
}

#[tokio::test]
async fn a_session_lives_until_expired_for_each_type_of_number() {
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
async fn odd_expiries_are_compared_as_in_sqlite() {
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
async fn set_writes_the_same_as_connect_sqlite3() {
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
