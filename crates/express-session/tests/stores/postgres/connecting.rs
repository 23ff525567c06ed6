//! What is told when there is no such server, table or right, and callers who give up.

use std::error::Error as _;
use std::time::Duration;

use express_session::store::SessionStore as _;
use express_session::store::postgres::PostgresStore;
use testkit::PostgresServer;
use testkit::conformance::Subject as _;
use tokio::time::timeout;

use super::{KNEX, PG_SIMPLE, Postgres, connect, in_seconds, reasons};

async fn refused(url: &str) -> String {
    let error = PostgresStore::connect(url).await.unwrap_err();
    let told = format!("{error} / {}", reasons(&error));
    assert!(!told.contains("the-right-password"), "{told}");
    told
}

#[tokio::test]
async fn a_wrong_url_or_table_is_reported_at_connect() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    let (url, raw) = (server.url(), connect(&server.url()).await);
    raw.batch_execute(
        "CREATE TABLE session (sid varchar, sess json, expire timestamp);
           CREATE TABLE numbered (sid int, sess json, expire timestamp);
           CREATE TABLE in_ms (sid varchar, sess json, expire bigint);
           CREATE ROLE stranger LOGIN PASSWORD 'who'",
    )
    .await
    .unwrap();
    let strangers = url.replace("app:the-right-password", "stranger:who");
    for (url, told) in [
        (format!("{url}?layout=mysql"), r#"no layout "mysql"; `layout` is one of pg-simple, knex"#),
        (format!("{url}?layout=knex"), r#"the table "sessions" of layout knex is not there"#),
        (format!("{url}?table=Session"), r#"the table "Session" of layout pg-simple is not there"#),
        (format!("{url}?schema=web"), r#"the table "web"."session" of layout"#),
        (format!("{url}?layout=knex&table=session"), "wants columns sid (text), sess (JSON) and"),
        (format!("{url}?table=numbered"), "wants columns sid (text), sess (JSON) and expire"),
        (format!("{url}?table=in_ms"), "wants columns sid (text), sess (JSON) and expire"),
        (strangers, "may not be read by the URL's user, who needs SELECT"),
        (format!("{url}?table="), "a table's name in PostgreSQL has 1 to 63 bytes"),
        (url.replace("/postgres", "/nowhere"), "3D000"),
        (format!("{url}?sslmode=require"), "server does not support TLS"),
    ] {
        let error = refused(&url).await;
        assert!(error.contains(told), "{told} is not in {error}");
    }
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    assert_eq!(
        format!("{store:?}"),
        r#"PostgresStore { layout: PgSimple, table: "\"session\"", .. }"#
    );
}

#[tokio::test]
async fn schema_and_table_may_have_any_name_and_any_type_that_converts() {
    let Some(server) = PostgresServer::start("Asia/Tokyo").await else {
        return;
    };
    let raw = connect(&server.url()).await;
    raw.batch_execute(
        r#"CREATE SCHEMA "My ""Web"; CREATE TABLE "My ""Web"."Sess;ions" (
               sid text PRIMARY KEY, sess jsonb, expire timestamptz, more text DEFAULT 'x');
           INSERT INTO "My ""Web"."Sess;ions" VALUES ('sid', '{"a": 1}', now() + '1 minute')"#,
    )
    .await
    .unwrap();
    let url = format!("{}?schema=My%20%22Web&table=Sess;ions", server.url());
    let store = PostgresStore::connect(&url).await.unwrap();
    let session = store.load(&"sid".into()).await.unwrap().unwrap();
    assert_eq!(session.payload(), br#"{"a": 1}"#);
    assert!(session.life().ended_at(in_seconds(50)).is_none());
    assert!(session.life().ended_at(in_seconds(62)).is_some());
    assert!(store.as_destroy().unwrap().destroy(&"sid".into()).await.unwrap());
}

#[tokio::test]
async fn a_server_is_reached_by_the_folder_of_its_socket() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    let raw = connect(&server.url()).await;
    let table = "CREATE TABLE session (sid varchar, sess json, expire timestamp)";
    raw.batch_execute(table).await.unwrap();
    let (folder, port) = (server.socket_folder().display().to_string(), server.process().port());
    let encoded = folder.replace('/', "%2F");
    let user = "app:the-right-password@";
    for url in [
        format!("postgres://{user}/postgres?host={folder}&port={port}"),
        format!("postgres://{user}/postgres?host={encoded}&port={port}"),
        format!("postgres://{user}{encoded}:{port}/postgres"),
        format!(
            "postgres:///postgres?host={folder}&port={port}&user=app&password=the-right-password"
        ),
        format!("postgresql://{user}/postgres?host={folder}&port={port}&sslmode=disable"),
    ] {
        let store = PostgresStore::connect(&url).await.unwrap_or_else(|error| {
            panic!("{url}: {error} {}", reasons(&error));
        });
        assert!(store.load(&"sid".into()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_available_host_among_several_is_used() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    let raw = connect(&server.url()).await;
    let table = "CREATE TABLE session (sid varchar, sess json, expire timestamp)";
    raw.batch_execute(table).await.unwrap();
    let (user, port) = ("app:the-right-password", server.process().port());
    for url in [
        format!("postgres://{user}@127.0.0.1:1,127.0.0.1:{port}/postgres"),
        format!("postgres://{user}@127.0.0.1:{port},none.invalid:{port}/postgres"),
        format!("postgres://{user}@none.invalid:{port},127.0.0.1:{port}/postgres"),
        format!(
            "postgres://{user}@127.0.0.1:1,127.0.0.1:{port}/postgres?target_session_attrs=read-write"
        ),
        format!("postgres://{user}@/postgres?host=127.0.0.1,127.0.0.1&port=1,{port}"),
    ] {
        let store = PostgresStore::connect(&url).await.unwrap_or_else(|error| {
            panic!("{url}: {error} {}", reasons(&error));
        });
        assert!(store.load(&"sid".into()).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn odd_rows_are_an_error_that_does_not_quote_them_or_no_session() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    let raw = connect(&server.url()).await;
    raw.batch_execute(
        "CREATE TABLE session (sid varchar, sess text, expire text);
           INSERT INTO session VALUES ('soon', '{}', 'hunter2'), ('null', NULL, '2100-01-01')",
    )
    .await
    .unwrap();
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    let error = store.load(&"soon".into()).await.unwrap_err();
    let told = format!("{error:?} {}", error.source().unwrap());
    assert!(told.contains("22007") && !told.contains("hunter2"), "{told}");

    let session = store.load(&"null".into()).await.unwrap().unwrap();
    assert_eq!(session.payload(), b"null", "which is read as no session");
    let sids = ["null".into(), "a\0b".into()];
    let found = store.load_many(&sids).await.unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    assert!(store.load(&"a\0b".into()).await.unwrap().is_none());
}

#[tokio::test]
async fn at_most_8_connections_are_open_and_none_for_dropped_calls() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    let knex = Postgres::on(&server.url(), KNEX).await;
    knex.put("sid", b"{}", in_seconds(60)).await;
    // Not the one that locks: what a transaction sees of the activity stands still.
    let watching = connect(&server.url()).await;
    let connections = async || {
        let sql =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'express-session'";
        watching.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    knex.run("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").await;
    let sid = "sid".into();
    let loads = futures_util::future::join_all((0..40).map(|_| knex.store.load(&sid)));
    let all_at_work = async {
        while connections().await < 8 {}
        for _ in 0..20 {
            assert_eq!(connections().await, 8, "no more than that");
        }
    };
    tokio::select! {
        () = all_at_work => {}
        _ = loads => panic!("the table is locked"),
    }
    // The callers are gone, the lock is not: PostgreSQL does not wait for it on their behalf.
    let none_is_left = async { while connections().await > 0 {} };
    timeout(Duration::from_secs(10), none_is_left).await.unwrap();
    knex.run("COMMIT").await;
    assert!(knex.load("sid").await.is_some());
}

#[tokio::test]
async fn loads_survive_an_altered_table_and_terminated_connections() {
    let Some(server) = PostgresServer::start("America/New_York").await else {
        return;
    };
    let postgres = Postgres::on(&server.url(), PG_SIMPLE).await;
    postgres.put("sid", b"{}", in_seconds(60)).await;
    let before = postgres.load("sid").await.unwrap().life();
    postgres
        .run("ALTER TABLE session ALTER sess TYPE jsonb, ALTER expire TYPE timestamptz, ADD more int")
        .await;
    assert_eq!(postgres.load("sid").await.unwrap().life(), before);

    let ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                 WHERE application_name = 'express-session'";
    assert_eq!(postgres.raw.query(ended, &[]).await.unwrap().len(), 1);
    // Its end may not have reached us yet: then one load fails, and the next does not.
    let sid = "sid".into();
    let found = match postgres.store.load(&sid).await {
        Err(_) => postgres.store.load(&sid).await,
        found => found,
    };
    assert!(found.unwrap().is_some());
}
