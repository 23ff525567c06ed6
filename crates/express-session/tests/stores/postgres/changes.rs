//! What a touch changes besides, as the Node packages do.

use std::time::{Duration, SystemTime};

use express_session::store::{Life, SessionStore as _};
use testkit::PostgresServer;
use testkit::conformance::Subject as _;

use super::{KNEX, PG_SIMPLE, Postgres, SEQUELIZE, in_seconds};

const STAMP: &str = r#"SELECT "updatedAt" FROM "Sessions" WHERE sid = 'sid'"#;

async fn touch(postgres: &Postgres, sid: &str) -> bool {
    let life = Duration::from_secs(600);
    postgres.store.as_touch().unwrap().touch(&sid.into(), life).await.unwrap()
}

#[tokio::test]
async fn a_touch_of_sequelize_sets_updated_at_if_the_column_exists() {
    let Some(server) = PostgresServer::start("America/New_York").await else {
        return;
    };
    let stamped = Postgres::on(&server.url(), SEQUELIZE).await;
    stamped.put("sid", b"{}", in_seconds(60)).await;
    stamped.run(r#"UPDATE "Sessions" SET "updatedAt" = '2001-01-01'"#).await;
    assert!(touch(&stamped, "sid").await);
    let stamp: SystemTime = stamped.raw.query_one(STAMP, &[]).await.unwrap().get(0);
    let age = SystemTime::now().duration_since(stamp).unwrap();
    assert!(age < Duration::from_secs(10), "{age:?}");
    stamped.run(r#"ALTER TABLE "Sessions" DROP "createdAt", DROP "updatedAt""#).await;
    let bare = Postgres::on(&server.url(), SEQUELIZE).await;
    assert!(touch(&bare, "sid").await);
}

#[tokio::test]
async fn a_row_of_sequelize_without_an_end_lives_for_ever_and_can_be_touched() {
    let Some(server) = PostgresServer::start("Asia/Tokyo").await else {
        return;
    };
    let sequelize = Postgres::on(&server.url(), SEQUELIZE).await;
    sequelize.put("sid", b"{}", in_seconds(60)).await;
    sequelize.run(r#"UPDATE "Sessions" SET expires = NULL"#).await;
    assert_eq!(sequelize.load("sid").await.unwrap().life(), Life::Forever);
    assert!(touch(&sequelize, "sid").await);
    assert!(sequelize.load("sid").await.unwrap().life().ended_at(in_seconds(700)).is_some());
}

#[tokio::test]
async fn an_endless_session_stays_endless_and_the_longest_life_is_written() {
    let Some(server) = PostgresServer::start("Asia/Tokyo").await else {
        return;
    };
    for package in [PG_SIMPLE, KNEX, SEQUELIZE] {
        let postgres = Postgres::on(&server.url(), package).await;
        postgres.put("sid", b"{}", in_seconds(60)).await;
        let longest = postgres.store.as_touch().unwrap().touch(&"sid".into(), Duration::MAX).await;
        assert!(longest.unwrap(), "{package:?}");
        assert!(postgres.load("sid").await.unwrap().life().ended_at(in_seconds(1 << 32)).is_none());
    }
    let pg_simple = Postgres::on(&server.url(), PG_SIMPLE).await;
    pg_simple.run("UPDATE session SET expire = 'infinity'").await;
    assert_eq!(pg_simple.load("sid").await.unwrap().life(), Life::Forever);
    pg_simple.run("UPDATE session SET expire = '-infinity'").await;
    let life = pg_simple.load("sid").await.unwrap().life();
    assert!(life.ended_at(SystemTime::now()).is_some());
}
