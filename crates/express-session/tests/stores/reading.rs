//! Looking at a store changes nothing in it: a user who may only read is enough for all of it.

use std::time::Duration;

use express_session::SessionId;
use express_session::store::SessionStore;

/// What a server asks of its store while it only looks: a session that is there, one that is not.
async fn reads(store: &impl SessionStore) {
    let sids = ["sid".into(), SessionId::new("none")];
    for _ in 0..2 {
        let found = store.load_many(&sids).await.unwrap();
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
        assert!(store.load(&sids[0]).await.unwrap().is_some());
        assert!(store.load(&sids[1]).await.unwrap().is_none());
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_needs_select_on_the_table_and_nothing_else() {
    use express_session::store::postgres::PostgresStore;

    let Some(server) = testkit::PostgresServer::start("UTC").await else {
        return;
    };
    let (raw, connection) =
        tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    raw.batch_execute(
        r#"CREATE TABLE session (sid varchar PRIMARY KEY, sess json NOT NULL,
            expire timestamp(6) NOT NULL);
        INSERT INTO session VALUES ('sid', '{"cookie":{}}', '2999-01-01');
        CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT SELECT ON session TO reader;
        ALTER ROLE reader SET default_transaction_read_only = on"#,
    )
    .await
    .unwrap();
    let url = server.url().replace("app:the-right-password", "reader:reader");
    reads(&PostgresStore::connect(&url).await.unwrap()).await;
    drop(raw);
    connection.await.unwrap().unwrap();
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn mysql_needs_select_on_the_table_and_nothing_else() {
    use express_session::store::mysql::MysqlStore;
    use mysql_async::prelude::Queryable as _;
    use mysql_async::{Conn, Opts, OptsBuilder};

    let Some(server) = testkit::MariadbServer::start().await else {
        return;
    };
    let by = |user: &str| {
        let mut url = server.url();
        let end = url.rfind('@').unwrap();
        url.replace_range("mysql://".len()..end, user);
        url
    };
    let opts = OptsBuilder::from_opts(Opts::from_url(&by("root")).unwrap()).prefer_socket(false);
    let mut raw = Conn::new(opts).await.unwrap();
    for sql in [
        "CREATE TABLE sessions (session_id varchar(128) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
            expires int unsigned NOT NULL, data mediumtext COLLATE utf8mb4_bin)",
        r#"INSERT INTO sessions VALUES ('sid', 4000000000, '{"cookie":{}}')"#,
        "CREATE USER reader@'%' IDENTIFIED BY 'reader'",
        "GRANT SELECT ON sessions TO reader@'%'",
    ] {
        raw.query_drop(sql).await.unwrap();
    }
    reads(&MysqlStore::connect(&by("reader:reader")).await.unwrap()).await;
    raw.disconnect().await.unwrap();
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn redis_needs_get_and_pttl_of_the_prefix_and_nothing_else() {
    use express_session::store::redis::RedisStore;

    let Some(server) = testkit::RedisServer::start().await else {
        return;
    };
    let client = ::redis::Client::open(server.url()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    ::redis::cmd("SET").arg("sess:sid").arg("{}").exec_async(&mut raw).await.unwrap();
    let mut acl = ::redis::cmd("ACL");
    acl.arg("SETUSER").arg("reader").arg(&["on", ">reader", "~sess:*", "+get", "+pttl"]);
    acl.exec_async(&mut raw).await.unwrap();
    let url = server.url().replace("redis://", "redis://reader:reader@");
    reads(&RedisStore::connect(&url).await.unwrap()).await;
    let keys: usize = ::redis::cmd("DBSIZE").query_async(&mut raw).await.unwrap();
    assert_eq!(keys, 1);
}

#[cfg(feature = "memcached")]
#[tokio::test]
async fn a_load_sends_memcached_no_command_that_writes_or_prolongs() {
    use express_session::store::memcached::MemcachedStore;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let Some(server) = testkit::MemcachedServer::start().await else {
        return;
    };
    let port = server.process().port();
    let say = async |command: &str| {
        let mut connection = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        connection.write_all(format!("{command}quit\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert_eq!(say("set sid 2 600 2\r\n{}\r\n").await, "STORED\r\n");
    reads(&MemcachedStore::connect(&server.url()).await.unwrap()).await;
    let stats = say("stats\r\n").await;
    for (name, value) in [("cmd_set", 1), ("cmd_touch", 0), ("delete_misses", 0), ("curr_items", 1)]
    {
        assert!(stats.contains(&format!("STAT {name} {value}\r\n")), "{name}: {stats}");
    }
}

#[cfg(feature = "mongodb")]
#[tokio::test]
async fn a_load_creates_no_collection_and_no_index_in_mongodb() {
    use ::mongodb::bson::{Document, doc};
    use express_session::store::mongodb::MongoStore;

    let Some(server) = testkit::MongoServer::start().await else {
        return;
    };
    let client = ::mongodb::Client::with_uri_str(server.url()).await.unwrap();
    let database = client.default_database().unwrap();
    let raw = database.collection::<Document>("sessions");
    raw.insert_one(doc! { "_id": "sid", "session": "{}" }).await.unwrap();
    let before =
        (database.list_collection_names().await.unwrap(), raw.list_index_names().await.unwrap());
    reads(&MongoStore::connect(&server.url()).await.unwrap()).await;
    let after =
        (database.list_collection_names().await.unwrap(), raw.list_index_names().await.unwrap());
    assert_eq!(before, after);
}

#[cfg(all(feature = "file", unix))]
#[tokio::test]
async fn a_load_does_not_change_a_folder_of_files() {
    use std::os::unix::fs::MetadataExt as _;

    use express_session::store::file::FileStore;

    let dir = testkit::ScratchDir::new();
    std::fs::write(dir.join("sid.json"), r#"{"cookie":{},"__lastAccess":9000000000000}"#).unwrap();
    let looks = || -> Vec<_> {
        let entries = std::fs::read_dir(&*dir).unwrap().map(Result::unwrap);
        let of =
            |meta: std::fs::Metadata| (meta.ino(), meta.mode(), meta.mtime_nsec(), meta.size());
        let mut looks: Vec<_> =
            entries.map(|entry| (entry.file_name(), of(entry.metadata().unwrap()))).collect();
        looks.push(("".into(), of(std::fs::metadata(&*dir).unwrap())));
        looks
    };
    let before = looks();
    // What was written now would have another time.
    tokio::time::sleep(Duration::from_millis(20)).await;
    reads(&FileStore::open(&*dir).await.unwrap()).await;
    assert_eq!(looks(), before);
}
