//! The layouts of express-mysql-session, connect-session-knex and connect-session-sequelize, on a
//! real MariaDB. The tables are those that the packages make.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use express_session::store::mysql::MysqlStore;
use express_session::store::{
    DestroySession as _, Life, SessionStore as _, StoreError, TouchSession as _,
};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, Params, Value};
use testkit::conformance::{self, FaultySubject, Limits, Payload, Subject};
use testkit::{Fault, FaultProxy, MariadbServer, ServerProcess};
use tokio::task::JoinSet;
use tokio::time::timeout;

const EXPRESS: &str = "CREATE TABLE IF NOT EXISTS `sessions` (
    `session_id` varchar(128) COLLATE utf8mb4_bin NOT NULL, `expires` int(11) unsigned NOT NULL,
    `data` mediumtext COLLATE utf8mb4_bin, PRIMARY KEY (`session_id`)) ENGINE=InnoDB";
const KNEX: &str = "CREATE TABLE IF NOT EXISTS `sessions` (
    `sid` varchar(255) NOT NULL, `sess` json NOT NULL, `expired` datetime NOT NULL,
    PRIMARY KEY (`sid`), INDEX `sessions_expired_index` (`expired`))";
const SEQUELIZE: &str = "CREATE TABLE IF NOT EXISTS `Sessions` (
    `sid` VARCHAR(36), `expires` DATETIME, `data` TEXT, `createdAt` DATETIME NOT NULL,
    `updatedAt` DATETIME NOT NULL, PRIMARY KEY (`sid`)) ENGINE=InnoDB";

/// A connection behind the store's back.
async fn raw(url: String) -> Conn {
    let opts = OptsBuilder::from_opts(Opts::from_url(&url).unwrap()).prefer_socket(false);
    Conn::new(opts).await.unwrap()
}

async fn run(server: &MariadbServer, sql: &str, params: impl Into<Params> + Send) {
    raw(server.url()).await.exec_drop(sql, params).await.unwrap();
}

/// One layout in a database.
#[derive(Debug)]
struct Mysql<'a> {
    server: &'a MariadbServer,
    store: MysqlStore,
    layout: &'static str,
}

impl<'a> Mysql<'a> {
    async fn on(server: &'a MariadbServer, layout: &'static str) -> Self {
        let table = match layout {
            "express-mysql-session" => EXPRESS,
            "knex" => KNEX,
            _ => SEQUELIZE,
        };
        run(server, table, ()).await;
        let url = format!("{}?layout={layout}", server.url());
        Self { server, store: MysqlStore::connect(&url).await.unwrap(), layout }
    }

    async fn insert(&self, sid: &str, payload: &[u8], end: impl Into<Value>) {
        let sql = match self.layout {
            "express-mysql-session" => {
                "INSERT INTO sessions (session_id, data, expires) VALUES (?, ?, ?)
                 ON DUPLICATE KEY UPDATE data = VALUES(data), expires = VALUES(expires)"
            }
            "knex" => {
                "INSERT INTO sessions (sid, sess, expired) VALUES (?, ?, ?)
                 ON DUPLICATE KEY UPDATE sess = VALUES(sess), expired = VALUES(expired)"
            }
            _ => {
                "INSERT INTO Sessions (sid, data, expires, createdAt, updatedAt)
                 VALUES (?, ?, ?, '2020-01-01', '2020-01-01')
                 ON DUPLICATE KEY UPDATE data = VALUES(data), expires = VALUES(expires)"
            }
        };
        run(self.server, sql, (sid, payload, end.into())).await;
    }

    async fn life(&self, sid: &str) -> Option<Life> {
        self.store.load(&sid.into()).await.unwrap().map(|session| session.life())
    }

    async fn row(&self, sql: &str) -> Vec<Value> {
        let row: mysql_async::Row =
            raw(self.server.url()).await.query_first(sql).await.unwrap().unwrap();
        row.unwrap()
    }
}

#[async_trait]
impl Subject for Mysql<'_> {
    type Store = MysqlStore;

    fn store(&self) -> &MysqlStore {
        &self.store
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        let since = expires.duration_since(UNIX_EPOCH).unwrap();
        let end = match self.layout {
            "express-mysql-session" => (since + Duration::from_millis(500)).as_secs().into(),
            _ => date(since.as_secs()),
        };
        self.insert(sid, json, end).await;
    }

    fn limits(&self) -> Limits {
        let all = Limits { resolution: Duration::from_secs(1), ..Limits::default() };
        match self.layout {
            "express-mysql-session" => Limits { max_sid: 128, ..all },
            // MariaDB's JSON is a text with a check.
            "knex" => Limits {
                payload: Payload::JsonText,
                max_sid: 255,
                case_sensitive_sids: false,
                ..all
            },
            _ => Limits { max_payload: 65_535, max_sid: 36, case_sensitive_sids: false, ..all },
        }
    }
}

/// Seconds since 1970 as the packages write them.
fn date(seconds: u64) -> Value {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.replace('T', " ").trim_end_matches('Z').into()
}

#[tokio::test]
async fn the_express_mysql_session_layout_passes_the_conformance_suite() {
    let Some(server) = MariadbServer::start().await else {
        return;
    };
    conformance::run(&Mysql::on(&server, "express-mysql-session").await).await;
}

#[tokio::test]
async fn the_knex_layout_passes_the_conformance_suite() {
    let Some(server) = MariadbServer::start_behind_utc().await else {
        return;
    };
    conformance::run(&Mysql::on(&server, "knex").await).await;
}

#[tokio::test]
async fn the_sequelize_layout_passes_the_conformance_suite() {
    let Some(server) = MariadbServer::start_behind_utc().await else {
        return;
    };
    conformance::run(&Mysql::on(&server, "sequelize").await).await;
}

/// The same number, the same date: over at the package's own moment, wherever the server stands.
#[tokio::test]
async fn the_end_is_the_packages_own_in_any_time_zone() {
    let servers = [MariadbServer::start().await, MariadbServer::start_behind_utc().await];
    for server in servers.iter().flatten() {
        let end = UNIX_EPOCH + Duration::from_secs(1_795_405_245);
        let half = Duration::from_millis(500);

        let express = Mysql::on(server, "express-mysql-session").await;
        express.insert("sid", b"{}", 1_795_405_245).await;
        assert_eq!(express.life("sid").await, Some(Life::Until(end + half)));
        run(server, "DROP TABLE sessions", ()).await;

        for layout in ["knex", "sequelize"] {
            let mysql = Mysql::on(server, layout).await;
            mysql.insert("sid", b"{}", date(1_795_405_245)).await;
            assert_eq!(mysql.life("sid").await, Some(Life::Until(end + half * 2)), "{layout}");
        }
    }
}

/// A table whose column is a `timestamp` is converted from and to the zone of each connection: ours
/// has the same as the package's.
#[tokio::test]
async fn a_timestamp_is_read_in_the_zone_in_which_the_package_wrote_it() {
    let Some(server) = MariadbServer::start_behind_utc().await else {
        return;
    };
    for (layout, column, zone) in [
        ("knex", "sessions MODIFY expired timestamp NOT NULL", "SET time_zone = DEFAULT"),
        ("sequelize", "Sessions MODIFY expires timestamp NOT NULL", "SET time_zone = '+00:00'"),
    ] {
        let mysql = Mysql::on(&server, layout).await;
        run(&server, &format!("ALTER TABLE {column}"), ()).await;
        let mut package = raw(server.url()).await;
        package.query_drop(zone).await.unwrap();
        let sql = if layout == "knex" {
            "INSERT INTO sessions (sid, sess, expired) VALUES ('sid', '{}', ?)"
        } else {
            "INSERT INTO Sessions VALUES ('sid', ?, '{}', '2020-01-01', '2020-01-01')"
        };
        package.exec_drop(sql, (date(1_795_405_245),)).await.unwrap();
        let end = UNIX_EPOCH + Duration::from_secs(1_795_405_246);
        assert_eq!(mysql.life("sid").await, Some(Life::Until(end)), "{layout}");
    }
}

#[tokio::test]
async fn a_session_of_sequelize_without_an_expiry_lives_for_ever() {
    let Some(server) = MariadbServer::start().await else {
        return;
    };
    let sequelize = Mysql::on(&server, "sequelize").await;
    sequelize.insert("sid", b"{}", Value::NULL).await;
    assert_eq!(sequelize.life("sid").await, Some(Life::Forever));
    assert!(sequelize.store.touch(&"sid".into(), Duration::MAX).await.unwrap());
    let row = sequelize.row("SELECT data, expires, updatedAt > '2020-01-01' FROM Sessions").await;
    let last = Value::Bytes(b"9999-12-31 23:59:59".to_vec());
    assert_eq!(row, [Value::Bytes(b"{}".to_vec()), last, Value::Bytes(b"1".to_vec())]);
}

/// Sequelize's `data: DataTypes.JSON`, which is `longtext` in MariaDB.
#[tokio::test]
async fn json_in_a_json_column_of_sequelize_is_unwrapped_once() {
    let Some(server) = MariadbServer::start().await else {
        return;
    };
    let sequelize = Mysql::on(&server, "sequelize").await;
    run(&server, "ALTER TABLE Sessions MODIFY data JSON", ()).await;
    let json = r#"{"cookie":{},"passport":{"user":42}}"#;
    let wrapped = serde_json::Value::from(json).to_string();
    sequelize.insert("sid", wrapped.as_bytes(), "2999-01-01").await;
    let session = sequelize.store.load(&"sid".into()).await.unwrap().unwrap();
    assert_eq!(session.payload(), json.as_bytes());
}

/// Its default table compares as people read. Node finds `sid-A` by any of these.
#[tokio::test]
async fn only_the_exact_id_is_found_touched_and_destroyed() {
    let Some(server) = MariadbServer::start().await else {
        return;
    };
    for layout in ["knex", "sequelize"] {
        let mysql = Mysql::on(&server, layout).await;
        mysql.insert("sid-A", b"{}", date(4_000_000_000)).await;
        for other in ["sid-a", "SID-A", "sid-A ", "sid-Á", "sid-A\0"] {
            let sid = other.into();
            assert!(mysql.life(other).await.is_none(), "{layout} {other:?}");
            let many = mysql.store.load_many(&[sid, "sid-A".into()]).await.unwrap();
            assert!(many[0].is_none() && many[1].is_some(), "{layout} {other:?}");
            let sid = other.into();
            assert!(!mysql.store.touch(&sid, Duration::from_secs(9)).await.unwrap());
            assert!(!mysql.store.destroy(&sid).await.unwrap());
        }
        assert!(mysql.store.destroy(&"sid-A".into()).await.unwrap());
    }
}

#[tokio::test]
async fn loads_touches_and_destroys_use_the_index() {
    let Some(server) = MariadbServer::start().await else {
        return;
    };
    for (layout, table) in [("express-mysql-session", "sessions"), ("sequelize", "Sessions")] {
        let mysql = Mysql::on(&server, layout).await;
        for n in 0..200 {
            mysql
                .put(&format!("sid-{n}"), b"{}", SystemTime::now() + Duration::from_secs(60))
                .await;
        }
        run(&server, &format!("ANALYZE TABLE {table}"), ()).await;
        let scanned = async || -> u64 {
            let sql = "SELECT rows_read FROM information_schema.table_statistics
                       WHERE table_schema = 'app' AND table_name = ?";
            let read = raw(server.url()).await.exec_first(sql, (table,)).await.unwrap();
            read.unwrap_or_default()
        };
        let before = scanned().await;
        let sids: Vec<_> = (0..8).map(|n| format!("sid-{n}").as_str().into()).collect();
        mysql.store.load_many(&sids).await.unwrap();
        mysql.store.load(&"sid-9".into()).await.unwrap();
        mysql.store.touch(&"sid-9".into(), Duration::from_secs(9)).await.unwrap();
        mysql.store.destroy(&"sid-9".into()).await.unwrap();
        let read = scanned().await - before;
        assert!((8..40).contains(&read), "{layout}: {read} rows read");
    }
}

#[tokio::test]
async fn a_table_can_be_named_and_a_wrong_one_fails_at_connect() {
    let Some(server) = MariadbServer::start().await else {
        return;
    };
    run(&server, &EXPRESS.replace("`sessions`", "`my-app_sessions`"), ()).await;
    let connect =
        async |query: &str| MysqlStore::connect(&format!("{}{query}", server.url())).await;
    assert!(connect("?table=my-app_sessions").await.is_ok());
    for (query, told) in [
        ("", "sessions"),
        ("?table=other", "other"),
        ("?table=my-app_sessions&layout=knex", "no column `sid`"),
        ("?layout=prisma", "express-mysql-session, knex, sequelize"),
        ("?table=a%60%3B", "a table's name"),
        ("?table=", "a table's name"),
        ("?colour=red", "colour"),
    ] {
        let error = connect(query).await.expect_err(query);
        let said = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        assert!(said.contains(told), "{query}: {said}");
        assert!(!said.contains("cr"), "the password is not told: {said}");
    }
}

/// Its certificate is nobody's: TLS that the URL asks for is never given up for less.
#[tokio::test]
async fn tls_is_used_if_the_url_asks_for_it_and_verifies_the_certificate() {
    let Some(server) = MariadbServer::start_with_tls().await else {
        return;
    };
    run(&server, EXPRESS, ()).await;
    let connect =
        async |query: &str| MysqlStore::connect(&format!("{}{query}", server.url())).await;
    let on_tls = async || -> u64 {
        let sql = "SHOW GLOBAL STATUS LIKE 'Ssl_finished_accepts'";
        let row: Option<(String, u64)> = raw(server.url()).await.query_first(sql).await.unwrap();
        row.unwrap().1
    };
    connect("").await.unwrap();
    assert_eq!(on_tls().await, 0);
    let error = connect("?require_ssl=true").await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("UnknownIssuer") || source.contains("certificate"), "{source}");
    connect("?require_ssl=true&verify_ca=false").await.unwrap();
    assert_eq!(on_tls().await, 1);

    let Some(without) = MariadbServer::start().await else {
        return;
    };
    let url = format!("{}?require_ssl=true&verify_ca=false", without.url());
    assert!(MysqlStore::connect(&url).await.is_err());
}

/// An answer that somebody no longer waits for does not hold up the others.
#[tokio::test]
async fn a_load_dropped_during_its_answer_returns_the_connection() {
    let Some(server) = MariadbServer::start().await else {
        return;
    };
    let mysql = Mysql::on(&server, "express-mysql-session").await;
    let large = format!(r#"{{"x":"{}"}}"#, "y".repeat(2 * 1024 * 1024));
    mysql.insert("large", large.as_bytes(), 4_000_000_000_u32).await;
    mysql.insert("small", b"{}", 4_000_000_000_u32).await;
    let proxy = FaultProxy::to(([127, 0, 0, 1], server.process().port()).into()).await;
    let store = MysqlStore::connect(&server.url_by(proxy.addr(), None)).await.unwrap();
    // As many as there are connections, and more.
    let load_at_once = async |sid: &'static str, patience: Duration| -> usize {
        let mut loads = JoinSet::new();
        for _ in 0..12 {
            let store = store.clone();
            loads.spawn(async move { timeout(patience, store.load(&sid.into())).await.is_ok() });
        }
        loads.join_all().await.into_iter().filter(|answered| *answered).count()
    };
    assert_eq!(load_at_once("small", Duration::from_secs(10)).await, 12);

    // At 16 KiB in 50 ms it takes more than 6 seconds.
    proxy.set(Fault::Slow(Duration::from_millis(50)));
    assert_eq!(load_at_once("large", Duration::from_millis(500)).await, 0);
    let small = timeout(Duration::from_secs(3), store.load(&"small".into())).await;
    assert!(small.expect("a connection is free").unwrap().is_some());
}

/// The server itself, without a store on it.
#[derive(Debug)]
struct Faulty(MariadbServer);

#[async_trait]
impl FaultySubject for Faulty {
    type Store = MysqlStore;

    fn server(&self) -> &ServerProcess {
        self.0.process()
    }

    async fn connect(
        &self,
        by: SocketAddr,
        password: Option<&str>,
    ) -> Result<MysqlStore, StoreError> {
        MysqlStore::connect(&self.0.url_by(by, password)).await
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        run(&self.0, EXPRESS, ()).await;
        Mysql::on(&self.0, "express-mysql-session").await.put(sid, json, expires).await;
    }
}

#[tokio::test]
async fn the_store_passes_the_fault_suite() {
    let Some(server) = MariadbServer::start().await else {
        return;
    };
    let faulty = Faulty(server);
    run(&faulty.0, EXPRESS, ()).await;
    conformance::run_faults(&faulty).await;
}
