//! Listening to PostgreSQL: through faults, and where the triggers are not.

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

use super::{KNEX, PG_SIMPLE, Package, Postgres, SEQUELIZE, in_seconds, reasons};

const SOON: Duration = Duration::from_secs(15);
pub(super) const ANN: &str = r#"{"cookie":{},"passport":{"user":"ann"}}"#;

/// A store that is listened to until this is dropped, begun again whenever it was lost.
pub(super) struct Listening {
    /// `None` is the loss of the feed.
    told: mpsc::UnboundedReceiver<Option<Change>>,
    watch: JoinSet<WatchError>,
}

impl Listening {
    pub(super) async fn to(store: &PostgresStore) -> Self {
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
    pub(super) async fn next_is(&mut self, change: &Change) {
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

    pub(super) async fn next_is_about(&mut self, sid: &str) {
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
pub(super) async fn telling(url: &str, package: Package) -> Postgres {
    let postgres = Postgres::on(url, package).await;
    postgres.run(&postgres.store.notify_trigger()).await;
    postgres
}

impl Postgres {
    pub(super) async fn save(&self, sid: &str, json: &str) {
        self.put(sid, json.as_bytes(), in_seconds(600)).await;
    }

    pub(super) async fn delete(&self, sid: &str) {
        assert!(self.store.as_destroy().unwrap().destroy(&sid.into()).await.unwrap(), "{sid}");
    }

    pub(super) fn table(&self) -> &'static str {
        match self.package.layout {
            "pg-simple" => "session",
            "knex" => "sessions",
            _ => r#""Sessions""#,
        }
    }
}

#[tokio::test]
async fn a_feed_without_triggers_is_refused_with_advice() {
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
async fn a_feed_follows_recreated_triggers_and_reports_dropped_ones() {
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
async fn a_feed_reconnects_after_a_cut_silent_or_terminated_connection() {
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
async fn a_feed_reconnects_to_a_restarted_server() {
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
