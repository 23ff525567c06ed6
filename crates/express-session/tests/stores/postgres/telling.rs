//! What PostgreSQL tells, where its owner has installed the triggers.

use std::time::Duration;

use express_session::SessionId;
use express_session::store::SessionStore as _;
use express_session::store::postgres::PostgresStore;
use express_session::watch::{Change, Changes, WatchError};
use testkit::conformance::Subject as _;
use testkit::{Fault, FaultProxy, PostgresServer};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{KNEX, PG_SIMPLE, Package, Postgres, SEQUELIZE, connect, in_seconds, reasons};

const SOON: Duration = Duration::from_secs(15);
const ANN: &str = r#"{"cookie":{},"passport":{"user":"ann"}}"#;
const BOB: &str = r#"{"cookie":{},"passport":{"user":"bob"}}"#;
const NOBODY: &str = r#"{"cookie":{}}"#;

/// A store that is listened to until this is dropped, begun again whenever it was lost.
struct Listening {
    /// `None` is the loss of the feed.
    told: mpsc::UnboundedReceiver<Option<Change>>,
    watch: JoinSet<WatchError>,
}

impl Listening {
    async fn to(store: &PostgresStore) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let lost = tell.clone();
        let changes = Changes::to(move |change| drop(tell.send(Some(change))));
        let feed = store.watch().unwrap();
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            loop {
                let Err(error) = feed.watch(&changes).await;
                if matches!(error, WatchError::Refused(_)) {
                    return error;
                }
                lost.send(None).unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let mut listening = Self { told, watch };
        listening.next_is(&Change::Unknown).await;
        listening
    }

    /// No other change was told before this.
    async fn next_is(&mut self, change: &Change) {
        let next = async {
            loop {
                if let Some(told) = self.told.recv().await.unwrap() {
                    return told;
                }
            }
        };
        assert_eq!(timeout(SOON, next).await.unwrap(), *change);
    }

    async fn is_lost(&mut self) {
        assert_eq!(timeout(SOON, self.told.recv()).await.unwrap(), Some(None));
    }

    async fn next_is_about(&mut self, sid: &str) {
        self.next_is(&about(sid)).await;
    }

    async fn is_refused(&mut self) -> String {
        refusal(&timeout(SOON, self.watch.join_next()).await.unwrap().unwrap().unwrap())
    }
}

fn about(sid: &str) -> Change {
    Change::Hashed(SessionId::from(sid).hash())
}

fn refusal(error: &WatchError) -> String {
    assert!(matches!(error, WatchError::Refused(_)), "{error:?}");
    let WatchError::Refused(error) = error else { unreachable!() };
    format!("{error} / {}", reasons(error))
}

/// What the feed says, when it says no more.
async fn end_of_feed(store: &PostgresStore) -> WatchError {
    let (feed, changes) = (store.watch().unwrap(), Changes::to(|_| {}));
    let Err(error) = timeout(SOON, feed.watch(&changes)).await.unwrap();
    error
}

/// With the triggers.
async fn telling(url: &str, package: Package) -> Postgres {
    let postgres = Postgres::on(url, package).await;
    postgres.run(&postgres.store.notify_trigger()).await;
    postgres
}

impl Postgres {
    async fn save(&self, sid: &str, json: &str) {
        self.put(sid, json.as_bytes(), in_seconds(600)).await;
    }

    async fn delete(&self, sid: &str) {
        assert!(self.store.as_destroy().unwrap().destroy(&sid.into()).await.unwrap(), "{sid}");
    }

    fn table(&self) -> &'static str {
        match self.package.layout {
            "pg-simple" => "session",
            "knex" => "sessions",
            _ => r#""Sessions""#,
        }
    }
}

#[tokio::test]
async fn another_user_and_a_live_session_that_is_destroyed_are_told_and_nothing_else() {
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

        // Saves, by the package and by us, of the same and of more; touches; pruning.
        postgres.save("ann", ANN).await;
        postgres.save("ann", ANN).await;
        postgres
            .save("ann", r#"{"cookie":{"maxAge":1},"views":2,"passport":{"user":"ann"}}"#)
            .await;
        assert!(postgres.store.as_update().unwrap().update(&"ann".into(), ANN).await.unwrap());
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
async fn sequelizes_session_without_an_end_is_told_when_it_is_destroyed() {
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
async fn what_postgresql_can_not_read_as_json_can_be_saved_nevertheless() {
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
async fn schema_and_table_may_have_any_name_and_other_tables_are_not_heard() {
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
async fn whoever_writes_needs_no_right_to_the_triggers() {
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
async fn what_can_not_have_come_from_the_triggers_is_ignored() {
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

#[tokio::test]
async fn without_the_triggers_it_is_refused_and_says_where_they_are() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    for package in [PG_SIMPLE, KNEX, SEQUELIZE] {
        let postgres = Postgres::on(&server.url(), package).await;
        let (table, refused) = (postgres.table(), refusal(&end_of_feed(&postgres.store).await));
        let quoted = format!(r#""{}""#, table.trim_matches('"'));
        for told in [quoted.as_str(), "notify_trigger", "docs/postgres-notify.md"] {
            assert!(refused.contains(told), "{refused}");
        }
        postgres.run(&postgres.store.notify_trigger()).await;
        Listening::to(&postgres.store).await;
        let off = "DISABLE TRIGGER express_session_user_changed";
        postgres.run(&format!("ALTER TABLE {table} {off}")).await;
        refusal(&end_of_feed(&postgres.store).await);
    }
}

#[tokio::test]
async fn triggers_that_are_made_anew_are_heard_and_those_that_are_dropped_are_missed() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    let postgres = telling(&server.url(), PG_SIMPLE).await;
    let mut listening = Listening::to(&postgres.store).await;
    postgres.save("sid", ANN).await;
    // Another table of the same name.
    postgres
        .run(&format!(
            "BEGIN; ALTER TABLE session RENAME TO aside; {};\n{}; COMMIT",
            "CREATE TABLE session (LIKE aside INCLUDING ALL)",
            postgres.store.notify_trigger()
        ))
        .await;
    listening.next_is(&Change::Unknown).await;
    postgres.save("sid", ANN).await;
    postgres.delete("sid").await;
    listening.next_is_about("sid").await;
    postgres
        .run(
            "DROP TRIGGER express_session_destroyed ON session;
             DROP TRIGGER express_session_user_changed ON session;
             DROP TRIGGER express_session_truncated ON session;",
        )
        .await;
    assert!(listening.is_refused().await.contains("notify_trigger"));
    postgres.run("DROP TABLE aside; DROP FUNCTION express_session_notify_sess()").await;
}

/// Whoever listens through a network that fails.
struct World {
    server: PostgresServer,
    proxy: FaultProxy,
    postgres: Postgres,
    listening: Listening,
}

impl World {
    async fn new() -> Option<Self> {
        let server = PostgresServer::start("UTC").await?;
        let address = ([127, 0, 0, 1], server.process().port()).into();
        let proxy = FaultProxy::to(address).await;
        let postgres = telling(&server.url(), PG_SIMPLE).await;
        let store = PostgresStore::connect(&server.url_by(proxy.addr(), None)).await.unwrap();
        let listening = Listening::to(&store).await;
        Some(Self { server, proxy, postgres, listening })
    }

    /// Listens again: what happened meanwhile is unknown, what happens now is told.
    async fn is_told_again(&mut self) {
        self.listening.next_is(&Change::Unknown).await;
        self.postgres.save("sid", ANN).await;
        self.postgres.delete("sid").await;
        self.listening.next_is_about("sid").await;
    }
}

#[tokio::test]
async fn a_connection_that_was_cut_fell_silent_or_was_ended_is_made_again() {
    let Some(mut world) = World::new().await else {
        return;
    };
    for fault in [Fault::Cut, Fault::Silent] {
        world.proxy.set(fault);
        world.postgres.save("missed", ANN).await;
        world.postgres.delete("missed").await;
        world.listening.is_lost().await;
        world.proxy.set(Fault::None);
        world.is_told_again().await;
    }
    let ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                 WHERE application_name = 'express-session'";
    assert!(!world.postgres.raw.query(ended, &[]).await.unwrap().is_empty());
    world.listening.is_lost().await;
    world.is_told_again().await;
}

#[tokio::test]
async fn a_server_that_is_started_again_is_listened_to_again() {
    let Some(mut world) = World::new().await else {
        return;
    };
    world.server.process().stop().await;
    world.listening.is_lost().await;
    world.server.process().restart().await;
    world.server.ready().await;
    world.postgres = Postgres::on(&world.server.url(), PG_SIMPLE).await;
    world.is_told_again().await;
}
