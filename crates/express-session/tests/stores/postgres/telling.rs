//! What PostgreSQL tells, where its owner has installed the triggers.

use std::time::Duration;

use express_session::SessionId;
use express_session::store::SessionStore as _;
use express_session::store::postgres::PostgresStore;
use express_session::watch::Change;
use testkit::PostgresServer;
use testkit::conformance::Subject as _;

use super::listening::{ANN, Listening, telling};
use super::{KNEX, PG_SIMPLE, SEQUELIZE, connect, in_seconds};

const BOB: &str = r#"{"cookie":{},"passport":{"user":"bob"}}"#;
const NOBODY: &str = r#"{"cookie":{}}"#;

#[tokio::test]
async fn a_feed_reports_user_changes_and_destroyed_sessions_only() {
    let Some(server) = PostgresServer::start("America/New_York").await else {
        return;
    };
    for package in [PG_SIMPLE, KNEX, SEQUELIZE] {
        let postgres = telling(&server.url(), package).await;
        let mut listening = Listening::to(&postgres.store).await;

        // A login, another one, and the logouts of Passport 0.5 and 0.7.
        postgres.save("visitor", NOBODY).await;
        postgres.save("visitor", ANN).await;
        listening.next_is_about("visitor").await;
        postgres.save("visitor", BOB).await;
        listening.next_is_about("visitor").await;
        postgres.save("visitor", r#"{"cookie":{},"passport":{}}"#).await;
        listening.next_is_about("visitor").await;
        postgres.delete("visitor").await;
        listening.next_is_about("visitor").await;

        // Saves of the same and of more; touches; pruning.
        postgres.save("ann", ANN).await;
        postgres.save("ann", ANN).await;
        postgres
            .save("ann", r#"{"cookie":{"maxAge":1},"views":2,"passport":{"user":"ann"}}"#)
            .await;
        let life = Duration::from_secs(900);
        assert!(postgres.store.as_touch().unwrap().touch(&"ann".into(), life).await.unwrap());
        postgres.put("over", ANN.as_bytes(), in_seconds(0) - Duration::from_secs(5)).await;
        postgres.run(&format!("DELETE FROM {} WHERE sid = 'over'", postgres.table())).await;
        postgres.save("Zoë ☃", ANN).await;
        postgres.delete("Zoë ☃").await;
        listening.next_is_about("Zoë ☃").await;

        // Everybody is logged out; a transaction that comes to nothing changes nothing.
        let table = postgres.table();
        postgres.run(&format!("BEGIN; DELETE FROM {table}; ROLLBACK")).await;
        postgres.run(&format!("TRUNCATE {table}")).await;
        listening.next_is(&Change::Unknown).await;
    }
}

#[tokio::test]
async fn a_destroyed_session_of_sequelize_without_an_end_is_reported() {
    let Some(server) = PostgresServer::start("Asia/Tokyo").await else {
        return;
    };
    let sequelize = telling(&server.url(), SEQUELIZE).await;
    let mut listening = Listening::to(&sequelize.store).await;
    sequelize.save("endless", ANN).await;
    sequelize.run(r#"UPDATE "Sessions" SET expires = NULL"#).await;
    sequelize.delete("endless").await;
    listening.next_is_about("endless").await;
}

/// PostgreSQL's own `->` fails for these, and would take the app's save with it.
#[tokio::test]
async fn records_that_postgresql_can_not_read_as_json_can_be_saved() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    let record = |user: &str, more: &str| {
        format!(r#"{{"text":"\\u0000 \u0000 \ud83d \"{more}","passport":{{"user":"{user}"}}}}"#)
    };
    for package in [PG_SIMPLE, KNEX, SEQUELIZE] {
        let postgres = telling(&server.url(), package).await;
        let mut listening = Listening::to(&postgres.store).await;
        for (user, more) in
            [("ann", ""), ("ann", "x"), ("bob", "y"), ("bob", "z"), (r"b\u0000", "")]
        {
            postgres.save("odd", &record(user, more)).await;
        }
        listening.next_is_about("odd").await;
        listening.next_is_about("odd").await;
        postgres.delete("odd").await;
        listening.next_is_about("odd").await;
        // Told no more often than that.
        postgres.save("last", ANN).await;
        postgres.delete("last").await;
        listening.next_is_about("last").await;
    }
    // Its column is text, which can hold anything.
    let sequelize = telling(&server.url(), SEQUELIZE).await;
    let mut listening = Listening::to(&sequelize.store).await;
    let deep = "[".repeat(100_000);
    sequelize.save("odd", "null").await;
    for json in ["no JSON", deep.as_str(), ANN] {
        sequelize.save("odd", json).await;
        listening.next_is_about("odd").await;
    }
    assert_eq!(sequelize.load("odd").await.unwrap().payload(), ANN.as_bytes());
}

#[tokio::test]
async fn schema_and_table_may_have_any_name_and_other_tables_are_ignored() {
    let Some(server) = PostgresServer::start("Asia/Tokyo").await else {
        return;
    };
    let raw = connect(&server.url()).await;
    raw.batch_execute(
        r#"CREATE SCHEMA "My ""Web";
           CREATE TABLE "My ""Web"."$$ Sess;ions'
--" (sid char(8) PRIMARY KEY, sess jsonb, expire timestamptz)"#,
    )
    .await
    .unwrap();
    let query = "schema=My%20%22Web&table=$$%20Sess;ions'%0A--";
    let odd = PostgresStore::connect(&format!("{}?{query}", server.url())).await.unwrap();
    // Also a second time.
    raw.batch_execute(&odd.notify_trigger()).await.unwrap();
    raw.batch_execute(&odd.notify_trigger()).await.unwrap();
    let mut listening = Listening::to(&odd).await;
    // Tables of the same layout share the function, and nothing else.
    let usual = telling(&server.url(), PG_SIMPLE).await;
    usual.save("elsewhere", ANN).await;
    usual.delete("elsewhere").await;

    let table = "\"My \"\"Web\".\"$$ Sess;ions'\n--\"";
    raw.batch_execute(&format!(
        "INSERT INTO {table} VALUES ('sid', '{ANN}', now() + '1 hour');
         UPDATE {table} SET sess = '{BOB}'"
    ))
    .await
    .unwrap();
    listening.next_is_about("sid").await;
    raw.batch_execute(&format!("UPDATE {table} SET sess = '{BOB}'; DELETE FROM {table}"))
        .await
        .unwrap();
    listening.next_is_about("sid").await;
}

#[tokio::test]
async fn a_writer_needs_no_privileges_on_the_triggers() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    let postgres = telling(&server.url(), KNEX).await;
    postgres.save("sid", ANN).await;
    postgres
        .run(
            "REVOKE ALL ON FUNCTION express_session_notify_sess FROM PUBLIC;
             CREATE ROLE node LOGIN PASSWORD 'who';
             GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO node",
        )
        .await;
    let nodes = server.url().replace("app:the-right-password", "node:who");
    let store = PostgresStore::connect(&format!("{nodes}?layout=knex")).await.unwrap();
    let mut listening = Listening::to(&store).await;
    assert!(store.as_destroy().unwrap().destroy(&"sid".into()).await.unwrap());
    listening.next_is_about("sid").await;
}

#[tokio::test]
async fn notifications_that_are_not_from_the_triggers_are_ignored() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    let postgres = telling(&server.url(), PG_SIMPLE).await;
    let mut listening = Listening::to(&postgres.store).await;
    postgres.run("CREATE ROLE stranger LOGIN PASSWORD 'who'").await;
    let stranger = connect(&server.url().replace("app:the-right-password", "stranger:who")).await;
    let channel: String = stranger
        .query_one("SELECT 'express_session_' || 'session'::regclass::oid", &[])
        .await
        .unwrap()
        .get(0);
    let hash = SessionId::from("sid").hash().to_hex();
    let not_hex = "g".repeat(64);
    for payload in
        ["", "ALL", "all ", "☃", &hash[1..], &format!("{hash}0"), &not_hex, &"x".repeat(7999)]
    {
        stranger.execute("SELECT pg_notify($1, $2)", &[&channel, &payload]).await.unwrap();
    }
    postgres.save("sid", ANN).await;
    postgres.delete("sid").await;
    listening.next_is_about("sid").await;
}
