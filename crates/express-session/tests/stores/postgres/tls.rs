//! `sslmode` and `sslrootcert` against a server that encrypts.

use express_session::store::postgres::PostgresStore;
use testkit::PostgresServer;

use super::{connect, reasons};

#[tokio::test]
async fn a_connection_is_encrypted_as_the_url_says() {
    let Some(server) = PostgresServer::start_encrypted().await else {
        return;
    };
    let raw = connect(&format!("{}?sslmode=disable", server.url())).await;
    raw.batch_execute("CREATE TABLE session (sid varchar, sess json, expire timestamp)")
        .await
        .unwrap();
    let encrypted = async || {
        let sql = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                   WHERE application_name = 'express-session'";
        raw.query_one(sql, &[]).await.unwrap().get::<_, bool>(0)
    };
    let root = server.certificate();
    for (parameters, expected) in [
        ("sslmode=disable".to_owned(), false),
        (String::new(), true),
        ("sslmode=prefer".to_owned(), true),
        ("sslmode=require".to_owned(), true),
        ("sslmode=require&channel_binding=require".to_owned(), true),
        (format!("sslrootcert={}", root.display()), true),
        (format!("sslmode=verify-full&sslrootcert={}", root.display()), true),
    ] {
        let store = PostgresStore::connect(&format!("{}?{parameters}", server.url())).await;
        let store = store.unwrap_or_else(|error| panic!("{parameters}: {error:?}"));
        assert_eq!(encrypted().await, expected, "{parameters}");
        drop(store);
        gone(&raw).await;
    }
}

/// The server has noticed that the last connection is closed.
async fn gone(raw: &tokio_postgres::Client) {
    let sql = "SELECT FROM pg_stat_activity WHERE application_name = 'express-session'";
    while !raw.query(sql, &[]).await.unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_server_with_an_untrusted_or_wrong_certificate_is_refused() {
    let Some(server) = PostgresServer::start_encrypted().await else {
        return;
    };
    let root = server.certificate();
    for (url, told) in [
        (format!("{}?sslmode=verify-full", server.url()), "UnknownIssuer"),
        (
            format!("{}?sslrootcert={}", server.url(), root.display())
                .replace("127.0.0.1", "localhost"),
            "not valid for name",
        ),
    ] {
        let error = PostgresStore::connect(&url).await.unwrap_err();
        let reasons = reasons(&error);
        assert!(reasons.contains(told), "{told} is not in {reasons}");
    }
}
