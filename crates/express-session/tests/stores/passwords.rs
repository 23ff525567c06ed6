//! A password is in no error, whatever is wrong with the URL or the server.

use std::error::Error as _;

use express_session::store::{self, StoreError};

/// Both parts of it.
const SECRETS: [&str; 2] = ["hunter", "pass2"];

/// `{}` is the password.
const URLS: [&str; 33] = [
    "redis://:{}@127.0.0.1:1/",
    "redis://ann:{}@none.invalid/",
    "redis://ann:{}@127.0.0.1:port/",
    "redis://ann:{}@127.0.0.1:1/many",
    "redis://ann:{}@127.0.0.1:1/?layout=x",
    "redis://ann:{}@127.0.0.1:1,127.0.0.1:2/",
    "redis://ann:{}@127.0.0.1:1/?cluster=true",
    "redis://ann:{}@127.0.0.1:1/?sentinel=main",
    "redis://127.0.0.1:1/?sentinel=main&sentinelPassword={}",
    "redis-sentinel://ann:{}@127.0.0.1:1/0#main",
    "rediss://ann:{}@127.0.0.1:1/?ca=/none",
    "redis+unix:///none.sock?pass={}",
    "redis://127.0.0.1:1/?password={}",
    "postgres://ann:{}@127.0.0.1:1/db",
    "postgres://ann:{}@none.invalid/db",
    "postgres://ann:{}@127.0.0.1:port/db",
    "postgres://ann:{}@127.0.0.1:1/db?unknown=1",
    "postgres://ann:{}@127.0.0.1:1/db?layout=none",
    "postgres://ann:{}@127.0.0.1:1,127.0.0.1:2/db",
    "postgres://127.0.0.1:1/db?user=ann&password={}",
    "postgres://127.0.0.1:1/db?user=ann&pasword={}",
    "mysql://ann:{}@127.0.0.1:1/db",
    "mysql://ann:{}@none.invalid/db",
    "mysql://ann:{}@127.0.0.1:port/db",
    "mysql://ann:{}@127.0.0.1:1/db?unknown=1",
    "mysql://127.0.0.1:1/db?password={}",
    "mongodb://ann:{}@127.0.0.1:1/db?serverSelectionTimeoutMS=50",
    "mongodb://ann:{}@127.0.0.1:port/db",
    "mongodb://ann:{}@127.0.0.1:1/db?authMechanism=NONE",
    "mongodb://ann:{}@127.0.0.1:1/db?maxPoolSize=x",
    "memcached://ann:{}@127.0.0.1:1",
    "oracle://ann:{}@127.0.0.1:1/db",
    "ann:{}@127.0.0.1",
];

fn all_that_is_said(error: &StoreError) -> String {
    let mut said = format!("{error} {error:?} {error:#?} {:?}", error.appears());
    let mut source = error.source();
    while let Some(cause) = source {
        said = format!("{said} {cause} {cause:?} {cause:#?}");
        source = cause.source();
    }
    said
}

#[tokio::test]
async fn no_error_of_any_store_contains_a_password() {
    for url in URLS {
        // Encoded as it should be, and with each character that has another meaning in a URL.
        for password in [
            "hunter%2Fpass2",
            "hunter/pass2",
            "hunter#pass2",
            "hunter?pass2",
            "hunter@pass2",
            "hunter:pass2",
        ] {
            let url = url.replace("{}", password);
            let error = store::open_now(&url).await.unwrap_err();
            let said = all_that_is_said(&error);
            for secret in SECRETS {
                assert!(!said.contains(secret), "{url}: {said}");
            }
        }
    }
}

#[cfg(all(feature = "postgres", feature = "mysql", feature = "redis"))]
#[tokio::test]
async fn no_error_contains_a_password_that_a_server_refused() {
    let mut urls = Vec::new();
    let postgres = testkit::PostgresServer::start("UTC").await;
    let by = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    if let Some(server) = &postgres {
        urls.push(server.url_by(by(server.process().port()), Some("hunter%2Fpass2")));
    }
    let mysql = testkit::MariadbServer::start().await;
    if let Some(server) = &mysql {
        urls.push(server.url_by(by(server.process().port()), Some("hunter%2Fpass2")));
    }
    let redis = testkit::RedisServer::start().await;
    if let Some(server) = &redis {
        urls.push(server.url().replace("redis://", "redis://ann:hunter%2Fpass2@"));
    }
    for url in urls {
        let error = store::open_now(&url).await.unwrap_err();
        assert!(error.appears().is_none(), "a wrong password lasts: {error:?}");
        let said = all_that_is_said(&error);
        assert!(!said.contains("hunter") && !said.contains("pass2"), "{said}");
    }
}
