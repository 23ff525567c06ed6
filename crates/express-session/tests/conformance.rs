//! Every store runs the conformance suite, against the real thing.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![cfg_attr(
    feature = "sqlite",
    expect(clippy::disallowed_methods, reason = "real stores tell the real time")
)]

use std::time::SystemTime;

use async_trait::async_trait;
use express_session::store::{Life, MemoryStore};
use testkit::conformance::{self, Subject};

#[derive(Debug)]
struct Memory(MemoryStore);

#[async_trait]
impl Subject for Memory {
    type Store = MemoryStore;

    fn store(&self) -> &MemoryStore {
        &self.0
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        self.0.set(sid, json, Life::Until(expires));
    }
}

#[tokio::test]
async fn memory() {
    conformance::run(&Memory(MemoryStore::for_tests())).await;
}

#[cfg(feature = "redis")]
mod redis {
    use std::error::Error as _;
    use std::time::Duration;

    use ::redis::AsyncCommands as _;
    use ::redis::aio::MultiplexedConnection;
    use express_session::store::redis::RedisStore;
    use express_session::store::{SessionStore as _, StoredSession};
    use testkit::RedisServer;

    use super::*;

    #[derive(Debug)]
    struct Redis {
        store: RedisStore,
        raw: MultiplexedConnection,
    }

    impl Redis {
        async fn on(server: &RedisServer) -> Self {
            let client = ::redis::Client::open(server.url()).unwrap();
            Self {
                store: RedisStore::connect(&server.url()).await.unwrap(),
                raw: client.get_multiplexed_async_connection().await.unwrap(),
            }
        }

        async fn load(&self, sid: &str) -> Option<StoredSession> {
            self.store.load(&sid.into()).await.unwrap()
        }
    }

    #[async_trait]
    impl Subject for Redis {
        type Store = RedisStore;

        fn store(&self) -> &RedisStore {
            &self.store
        }

        async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
            let ms = expires.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
            let mut set = ::redis::cmd("SET");
            set.arg(format!("sess:{sid}")).arg(json).arg("PXAT").arg(ms.to_string());
            set.exec_async(&mut self.raw.clone()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn redis() {
        let Some(server) = RedisServer::start().await else {
            return;
        };
        conformance::run(&Redis::on(&server).await).await;
    }

    #[tokio::test]
    async fn a_key_without_ttl_lives_for_ever_and_an_empty_value_is_no_session() {
        let Some(server) = RedisServer::start().await else {
            return;
        };
        let redis = Redis::on(&server).await;
        let mut raw = redis.raw.clone();
        let () = raw.set("sess:no-ttl", "{}").await.unwrap();
        let () = raw.set("sess:empty", "").await.unwrap();
        assert_eq!(redis.load("no-ttl").await.unwrap().life(), Life::Forever);
        assert!(redis.load("empty").await.is_none());
    }

    #[tokio::test]
    async fn the_prefix_separates_apps() {
        let Some(server) = RedisServer::start().await else {
            return;
        };
        let redis = Redis::on(&server).await;
        let () = redis.raw.clone().set("myapp:sid", "{}").await.unwrap();
        assert!(redis.load("sid").await.is_none());
        let mine = redis.store.clone().with_prefix("myapp:");
        assert!(mine.load(&"sid".into()).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_stopped_server_is_an_error_and_never_a_missing_session() {
        let Some(server) = RedisServer::start().await else {
            return;
        };
        let redis = Redis::on(&server).await;
        server.kill().await;
        let error = redis.store.load(&"sid-1".into()).await.unwrap_err();
        assert!(error.source().is_some());
        assert!(!format!("{error} {error:?}").contains("sid-1"));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_found_when_connecting_and_no_password_is_told() {
        let unused =
            std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("redis://:hunter2@127.0.0.1:{unused}/");
        let connecting = RedisStore::connect(&url);
        let error =
            tokio::time::timeout(Duration::from_secs(10), connecting).await.unwrap().unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.source()).contains("hunter2"));
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::time::{Duration, UNIX_EPOCH};

    use express_session::store::SessionStore as _;
    use express_session::store::sqlite::SqliteStore;
    use testkit::ScratchDir;

    use super::*;

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
            raw.execute_batch(
                "CREATE TABLE IF NOT EXISTS sessions (sid PRIMARY KEY, expired, sess)",
            )
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
        assert_eq!(
            row,
            ("text".into(), "real".into(), 1_795_405_204_628.0, "{\"cookie\":{}}".into())
        );
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
}
