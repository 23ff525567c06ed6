//! connect-pg-simple's `expire` has no time zone: the connection's decides what it means.
//!
//! Node's own question to the database is the referee, asked at every moment that matters.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use express_session::store::SessionStore as _;
use express_session::store::postgres::PostgresStore;
use testkit::PostgresServer;
use testkit::conformance::Subject as _;

use super::{PG_SIMPLE, Postgres, connect, in_seconds};

/// New York's clocks go back one hour at 2026-11-01 06:00 UTC: this is half an hour before.
const BEFORE_CLOCKS_GO_BACK: u64 = 1_793_511_000;
/// And forward at 2027-03-14 07:00 UTC: this is a minute before.
const BEFORE_CLOCKS_GO_FORWARD: u64 = 1_805_007_540;

/// Whether connect-pg-simple would find the session at this time of its clock.
async fn node_finds(postgres: &Postgres, sid: &str, now: SystemTime) -> bool {
    let now = now.duration_since(UNIX_EPOCH).unwrap().as_secs_f64().ceil();
    let sql = "SELECT sess FROM session WHERE sid = $1 AND expire >= to_timestamp($2)";
    !postgres.raw.query(sql, &[&sid, &now]).await.unwrap().is_empty()
}

/// We and Node agree, at each of these moments, on whether a session that was to end at `end` has.
async fn agrees(postgres: &Postgres, end: SystemTime, moments: &[SystemTime]) -> Vec<bool> {
    postgres.put("zoned", b"{}", end).await;
    let life = postgres.load("zoned").await.unwrap().life();
    let mut alive = Vec::new();
    for now in moments {
        let found = node_finds(postgres, "zoned", *now).await;
        assert_eq!(life.ended_at(*now).is_none(), found, "{end:?} at {now:?}: {life:?}");
        alive.push(found);
    }
    alive
}

/// Around the second that connect-pg-simple writes for `end`, and whole hours off, as zones are.
fn around(end: SystemTime) -> Vec<SystemTime> {
    let end = end.duration_since(UNIX_EPOCH).unwrap();
    let second = end.as_secs() + u64::from(end.subsec_nanos() > 0);
    let near = [-1001, -1000, -999, -1, 0, 1, 999, 1000, 1001, 2000];
    let far = (-15..=15).map(|hours| 3_600_000 * hours);
    let at = |ms: i32| {
        let (second, off) =
            (Duration::from_secs(second), Duration::from_millis(ms.unsigned_abs().into()));
        UNIX_EPOCH + if ms < 0 { second - off } else { second + off }
    };
    near.into_iter().chain(far).map(at).collect()
}

async fn is_right(url: &str) {
    let postgres = Postgres::on(url, PG_SIMPLE).await;
    for end in [in_seconds(60), SystemTime::now() - Duration::from_secs(60), in_seconds(86_400)] {
        let alive = agrees(&postgres, end, &[SystemTime::now()]).await;
        assert_eq!(alive, [end > SystemTime::now()], "{url} keeps the moment that was meant");
        agrees(&postgres, end, &around(end)).await;
    }
    for end in [BEFORE_CLOCKS_GO_BACK, BEFORE_CLOCKS_GO_FORWARD] {
        for end in [end, end + 1800, end + 3600, end + 7200] {
            let end = UNIX_EPOCH + Duration::from_secs(end);
            agrees(&postgres, end, &around(end)).await;
        }
    }
    what_we_write_node_reads(&postgres).await;
}

/// A touch of ours ends when it should, by Node's own question.
async fn what_we_write_node_reads(postgres: &Postgres) {
    postgres.put("touched", b"{}", in_seconds(5)).await;
    let touch = postgres.store.as_touch().unwrap();
    let before = SystemTime::now();
    assert!(touch.touch(&"touched".into(), Duration::from_secs(600)).await.unwrap());
    assert!(node_finds(postgres, "touched", before + Duration::from_secs(599)).await);
    assert!(!node_finds(postgres, "touched", SystemTime::now() + Duration::from_secs(602)).await);

    postgres.put("over", b"{}", SystemTime::now() - Duration::from_secs(2)).await;
    assert!(!touch.touch(&"over".into(), Duration::from_secs(600)).await.unwrap());
}

#[tokio::test]
async fn lives_are_right_on_a_server_west_of_greenwich() {
    let Some(server) = PostgresServer::start("America/New_York").await else {
        return;
    };
    is_right(&server.url()).await;
}

#[tokio::test]
async fn lives_are_right_east_of_greenwich_and_with_zones_of_role_and_db() {
    let Some(server) = PostgresServer::start("Asia/Tokyo").await else {
        return;
    };
    is_right(&server.url()).await;
    let raw = connect(&server.url()).await;
    raw.batch_execute(
        "CREATE ROLE traveller LOGIN PASSWORD 'far'; GRANT ALL ON session TO traveller;
         GRANT CREATE ON SCHEMA public TO traveller;
         ALTER ROLE traveller SET TimeZone = 'America/St_Johns'",
    )
    .await
    .unwrap();
    is_right(&server.url().replace("app:the-right-password", "traveller:far")).await;
    raw.batch_execute("CREATE DATABASE zoned").await.unwrap();
    raw.batch_execute("ALTER DATABASE zoned SET TimeZone = 'Pacific/Auckland'").await.unwrap();
    is_right(&server.url().replace("/postgres", "/zoned")).await;
}

/// The trap: who reads in another zone than Node has written in gets it wrong, in both directions.
#[tokio::test]
async fn a_store_reads_lives_correctly_only_with_the_packages_time_zone() {
    let Some(server) = PostgresServer::start("America/New_York").await else {
        return;
    };
    let postgres = Postgres::on(&server.url(), PG_SIMPLE).await;
    postgres.put("alive", b"{}", in_seconds(60)).await;
    postgres.put("over", b"{}", SystemTime::now() - Duration::from_secs(60)).await;
    for (zone, alive, over) in
        [("America/New_York", true, false), ("UTC", false, false), ("Pacific/Honolulu", true, true)]
    {
        let url = format!("{}?options=-c%20TimeZone%3D{zone}", server.url());
        let store = PostgresStore::connect(&url).await.unwrap();
        let sids = ["alive".into(), "over".into()];
        let found = store.load_many(&sids).await.unwrap();
        let is_alive = found
            .into_iter()
            .map(|session| session.unwrap().life().ended_at(SystemTime::now()).is_none());
        assert_eq!(is_alive.collect::<Vec<_>>(), [alive, over], "{zone}");
    }
}
