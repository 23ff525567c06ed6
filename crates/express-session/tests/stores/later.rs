//! Stores that are not there yet when their server starts.

use std::time::Duration;

use express_session::store::{self, SessionStore, StoreError};
use tokio::time::{Instant, sleep};

/// Far longer than any attempt takes, on a machine with much else to do.
const SOON: Duration = Duration::from_secs(30);

/// What [`store::open_now`] says is missing, which a server waits for.
async fn missing(url: &str) -> String {
    let error = store::open_now(url).await.unwrap_err();
    assert!(error.appears().is_some(), "waiting helps: {url}: {}", text(&error));
    text(&error)
}

/// What is no reason to wait, now and for a server.
async fn refused(url: &str) -> String {
    let error = store::open(url).await.unwrap_err();
    assert!(error.appears().is_none(), "{}", text(&error));
    text(&error)
}

fn text(error: &StoreError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

async fn asked(store: &dyn SessionStore) -> Result<(), StoreError> {
    store.load(&"no such session".into()).await.map(drop)
}

/// Asks until it is there.
async fn is_there(store: &dyn SessionStore) {
    let deadline = Instant::now() + SOON;
    while let Err(error) = asked(store).await {
        assert!(Instant::now() < deadline, "it is there now: {}", text(&error));
        sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(feature = "file")]
#[tokio::test]
async fn a_folder_that_is_created_later_is_read_from_then_on() {
    let dir = testkit::ScratchDir::new();
    let url = format!("file:{}/sessions", dir.display());
    assert!(missing(&url).await.contains("is not there"));
    let store = store::open(&url).await.unwrap();
    let error = asked(&*store).await.unwrap_err();
    assert_eq!(error.appears(), Some("its app creates it, most often at its own first request"));
    std::fs::create_dir(dir.join("sessions")).unwrap();
    // The very next question finds it.
    asked(&*store).await.unwrap();
    assert!(store.as_destroy().is_some() && store.watch().is_none());

    std::fs::write(dir.join("file"), "").unwrap();
    refused(&format!("file:{}/file", dir.display())).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_sqlite_file_and_then_its_table_are_waited_for() {
    let dir = testkit::ScratchDir::new();
    let url = format!("sqlite:{}/db?layout=better-sqlite3", dir.display());
    assert!(missing(&url).await.contains("/db is not there"));
    let store = store::open(&url).await.unwrap();
    let app = rusqlite_of(&dir.join("db"), "CREATE TABLE users (id)");
    assert!(text(&asked(&*store).await.unwrap_err()).contains("no such table"));
    app("CREATE TABLE sessions (sid TEXT, expire TEXT, sess TEXT)");
    asked(&*store).await.unwrap();

    app("CREATE TABLE other (id)");
    refused(&format!("{url}&table=other")).await;
}

/// What an app does to its database.
#[cfg(feature = "sqlite")]
fn rusqlite_of(path: &std::path::Path, first: &str) -> impl Fn(&str) + use<> {
    let path = path.to_owned();
    let run = move |sql: &str| {
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    run(first);
    run
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_postgres_server_database_and_table_are_waited_for() {
    use express_session::watch::{Change, Changes};

    let Some(server) = testkit::PostgresServer::start("UTC").await else {
        return;
    };
    let url = server.url().replace("/postgres", "/shop");
    assert!(missing(&url).await.contains("3D000"));
    assert!(missing(&format!("{}?schema=web", server.url())).await.contains("is not there"));
    refused(&server.url().replace(":the-right-password", ":another")).await;
    server.process().stop().await;
    missing(&url).await;
    let store = store::open(&url).await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let changes = Changes::to(move |change| drop(tell.send(change)));
    let feed = store.watch().unwrap();
    tokio::spawn(async move {
        loop {
            let _ = feed.watch(&changes).await;
            sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(asked(&*store).await.unwrap_err().appears().is_some());

    server.process().restart().await;
    server.ready().await;
    let run = async |url: &str, sql: &str| {
        super::postgres::connect(url).await.batch_execute(sql).await.unwrap();
    };
    run(&server.url(), "CREATE DATABASE shop").await;
    assert!(text(&asked(&*store).await.unwrap_err()).contains("42P01"));
    assert!(told.try_recv().is_err(), "nothing is there to be told");
    let table = "CREATE TABLE session (sid varchar PRIMARY KEY, sess json, expire timestamp(6))";
    run(&url, table).await;
    asked(&*store).await.unwrap();
    let triggers = store::postgres::PostgresStore::connect(&url).await.unwrap().notify_trigger();
    run(&url, &triggers).await;
    // The feed begins by itself.
    let begun = tokio::time::timeout(SOON, told.recv()).await.unwrap();
    assert_eq!(begun, Some(Change::Unknown));

    run(&url, "CREATE TABLE other (id int)").await;
    refused(&format!("{url}?table=other")).await;
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn a_mysql_server_and_table_are_waited_for() {
    use mysql_async::prelude::Queryable as _;

    let Some(server) = testkit::MariadbServer::start().await else {
        return;
    };
    let url = server.url();
    assert!(missing(&url).await.contains("1146"));
    let wrong = url.replace("se%2Fcr%3Aet", "another");
    assert!(refused(&wrong).await.contains("Access denied"));
    server.process().stop().await;
    missing(&url).await;
    let store = store::open(&url).await.unwrap();
    assert!(asked(&*store).await.unwrap_err().appears().is_some());
    server.process().restart().await;
    let mut app = loop {
        if let Ok(app) = mysql_async::Conn::from_url(&url).await {
            break app;
        }
        sleep(Duration::from_millis(20)).await;
    };
    app.query_drop(
        "CREATE TABLE sessions (session_id varchar(128) PRIMARY KEY, expires int, data text)",
    )
    .await
    .unwrap();
    is_there(&*store).await;
    app.query_drop("CREATE TABLE other (id int)").await.unwrap();
    assert!(refused(&format!("{url}?table=other")).await.contains("no column"));
    app.disconnect().await.unwrap();
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_redis_server_is_waited_for_and_then_listened_to() {
    use express_session::watch::{Change, Changes};

    let Some(server) = testkit::RedisServer::start().await else {
        return;
    };
    let url = server.url();
    server.process().stop().await;
    assert!(missing(&url).await.contains("refused"));
    missing("redis://none.invalid/").await;
    let store = store::open(&url).await.unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let changes = Changes::to(move |change| drop(tell.send(change)));
    let feed = store.watch().unwrap();
    tokio::spawn(async move { drop(feed.watch(&changes).await) });
    assert!(asked(&*store).await.unwrap_err().appears().is_some());
    server.process().restart().await;
    is_there(&*store).await;
    let begun = tokio::time::timeout(SOON, told.recv()).await.unwrap();
    assert_eq!(begun, Some(Change::Unknown));
    refused(&url.replace("redis://", "redis://ann:wrong@")).await;
}

#[cfg(feature = "memcached")]
#[tokio::test]
async fn a_memcached_server_is_waited_for() {
    let Some(server) = testkit::MemcachedServer::start().await else {
        return;
    };
    server.process().stop().await;
    missing(&server.url()).await;
    let store = store::open(&server.url()).await.unwrap();
    assert!(asked(&*store).await.unwrap_err().appears().is_some());
    server.process().restart().await;
    is_there(&*store).await;
}

#[cfg(feature = "mongodb")]
#[tokio::test]
async fn a_mongodb_server_and_collection_are_waited_for() {
    let Some(server) = testkit::MongoServer::start().await else {
        return;
    };
    let url = server.url();
    assert!(missing(&url).await.contains("no collection"));
    let store = store::open(&url).await.unwrap();
    assert!(asked(&*store).await.unwrap_err().appears().is_some());
    let app = mongodb::Client::with_uri_str(&url).await.unwrap();
    app.database("app").create_collection("sessions").await.unwrap();
    asked(&*store).await.unwrap();
    server.process().stop().await;
    missing(&url).await;
}
