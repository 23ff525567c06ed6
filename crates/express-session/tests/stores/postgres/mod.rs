//! connect-pg-simple's, connect-session-knex' and connect-session-sequelize's layouts.

use std::error::Error as _;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use express_session::store::postgres::PostgresStore;
use express_session::store::{SessionStore as _, StoreError, StoredSession};
use testkit::conformance::{self, FaultySubject, Limits, Payload, Subject};
use testkit::{PostgresServer, ServerProcess};
use tokio_postgres::{Client, NoTls};

mod changes;
mod connecting;
mod json_columns;
mod listening;
mod telling;
mod tls;
mod zones;

/// How the Node package makes its table, and writes a session (`$1` id, `$2` JSON, `$3` seconds).
#[derive(Clone, Copy, Debug)]
struct Package {
    layout: &'static str,
    create: &'static str,
    set: &'static str,
    limits: Limits,
}

const ANYTHING: Limits = Limits { payload: Payload::JsonText, ..Limits::NONE };

const PG_SIMPLE: Package = Package {
    layout: "pg-simple",
    create: r#"CREATE TABLE "session" (
        "sid" varchar PRIMARY KEY, "sess" json NOT NULL, "expire" timestamp(6) NOT NULL)"#,
    set: r#"INSERT INTO "session" (sess, expire, sid) SELECT $2::text::json, to_timestamp(ceil($3)), $1
        ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, expire = excluded.expire"#,
    limits: Limits { resolution: Duration::from_secs(1), ..ANYTHING },
};

const KNEX: Package = Package {
    layout: "knex",
    create: r#"CREATE TABLE "sessions" (
        "sid" varchar(255) PRIMARY KEY, "sess" json NOT NULL, "expired" timestamptz NOT NULL)"#,
    set: r#"INSERT INTO "sessions" (sess, expired, sid) SELECT $2::text::json, to_timestamp($3), $1
        ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, expired = excluded.expired"#,
    limits: ANYTHING,
};

const SEQUELIZE: Package = Package {
    layout: "sequelize",
    create: r#"CREATE TABLE "Sessions" (
        "sid" varchar(36) PRIMARY KEY, "expires" timestamptz, "data" text,
        "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL)"#,
    set: r#"INSERT INTO "Sessions" (data, expires, sid, "createdAt", "updatedAt")
        SELECT $2, to_timestamp($3), $1, '2001-01-01', '2001-01-01'
        ON CONFLICT (sid) DO UPDATE SET data = excluded.data, expires = excluded.expires"#,
    limits: Limits { payload: Payload::Bytes, max_sid: 36, ..ANYTHING },
};

/// A store, and a connection as the Node package has it: with the same user and time zone.
#[derive(Debug)]
struct Postgres {
    store: PostgresStore,
    raw: Client,
    package: Package,
}

impl Postgres {
    async fn on(url: &str, package: Package) -> Self {
        let raw = connect(url).await;
        raw.batch_execute(&package.create.replacen("TABLE", "TABLE IF NOT EXISTS", 1))
            .await
            .unwrap();
        let store =
            PostgresStore::connect(&format!("{url}?layout={}", package.layout)).await.unwrap();
        Self { store, raw, package }
    }

    async fn load(&self, sid: &str) -> Option<StoredSession> {
        self.store.load(&sid.into()).await.unwrap()
    }

    async fn run(&self, sql: &str) {
        self.raw.batch_execute(sql).await.unwrap();
    }
}

pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Everything that an error says of its causes.
fn reasons(error: &StoreError) -> String {
    let sources = std::iter::successors(error.source(), |&error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(" / ")
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn in_seconds(seconds: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(seconds)
}

#[async_trait]
impl Subject for Postgres {
    type Store = PostgresStore;

    fn store(&self) -> &PostgresStore {
        &self.store
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        let json = std::str::from_utf8(json).unwrap();
        self.raw.execute(self.package.set, &[&sid, &json, &seconds(expires)]).await.unwrap();
    }

    fn limits(&self) -> Limits {
        self.package.limits
    }
}

#[tokio::test]
async fn all_postgres_layouts_pass_the_conformance_suite() {
    let Some(server) = PostgresServer::start("America/New_York").await else {
        return;
    };
    for package in [PG_SIMPLE, KNEX, SEQUELIZE] {
        conformance::run(&Postgres::on(&server.url(), package).await).await;
    }
}

/// The server itself, without a store on it.
#[derive(Debug)]
struct Faulty(PostgresServer);

#[async_trait]
impl FaultySubject for Faulty {
    type Store = PostgresStore;

    fn server(&self) -> &ServerProcess {
        self.0.process()
    }

    async fn connect(
        &self,
        by: SocketAddr,
        password: Option<&str>,
    ) -> Result<PostgresStore, StoreError> {
        PostgresStore::connect(&self.0.url_by(by, password)).await
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        self.0.ready().await;
        Postgres::on(&self.0.url(), PG_SIMPLE).await.put(sid, json, expires).await;
    }
}

#[tokio::test]
async fn the_store_passes_the_fault_suite() {
    let Some(server) = PostgresServer::start("Asia/Tokyo").await else {
        return;
    };
    // The table has to be there when the store connects.
    Postgres::on(&server.url(), PG_SIMPLE).await;
    conformance::run_faults(&Faulty(server)).await;
}
