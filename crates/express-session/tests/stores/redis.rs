//! connect-redis' layout.

use std::net::SocketAddr;
use std::time::SystemTime;

use ::redis::AsyncCommands as _;
use ::redis::aio::MultiplexedConnection;
use async_trait::async_trait;
use express_session::store::redis::RedisStore;
use express_session::store::{Life, SessionStore as _, StoreError, StoredSession};
use testkit::conformance::{self, FaultySubject, Subject};
use testkit::{RedisServer, ServerProcess};

#[derive(Debug)]
struct Redis {
    store: RedisStore,
    raw: MultiplexedConnection,
}

impl Redis {
    async fn on(server: &RedisServer) -> Self {
        let client = ::redis::Client::open(server.url()).unwrap();
        Self {
            store: RedisStore::connect(&server.url()).await.unwrap(),
            raw: client.get_multiplexed_async_connection().await.unwrap(),
        }
    }

    async fn load(&self, sid: &str) -> Option<StoredSession> {
        self.store.load(&sid.into()).await.unwrap()
    }
}

#[async_trait]
impl Subject for Redis {
    type Store = RedisStore;

    fn store(&self) -> &RedisStore {
        &self.store
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        let ms = expires.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let mut set = ::redis::cmd("SET");
        set.arg(format!("sess:{sid}")).arg(json).arg("PXAT").arg(ms.to_string());
        set.exec_async(&mut self.raw.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn redis() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    conformance::run(&Redis::on(&server).await).await;
}

#[tokio::test]
async fn a_key_without_ttl_lives_for_ever_and_an_empty_value_is_no_session() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let redis = Redis::on(&server).await;
    let mut raw = redis.raw.clone();
    let () = raw.set("sess:no-ttl", "{}").await.unwrap();
    let () = raw.set("sess:empty", "").await.unwrap();
    assert_eq!(redis.load("no-ttl").await.unwrap().life(), Life::Forever);
    assert!(redis.load("empty").await.is_none());
}

#[tokio::test]
async fn the_prefix_separates_apps() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let redis = Redis::on(&server).await;
    let () = redis.raw.clone().set("myapp:sid", "{}").await.unwrap();
    assert!(redis.load("sid").await.is_none());
    let mine = redis.store.clone().with_prefix("myapp:");
    assert!(mine.load(&"sid".into()).await.unwrap().is_some());
}

/// The server itself, without a store on it.
#[derive(Debug)]
struct Faulty(RedisServer);

#[async_trait]
impl FaultySubject for Faulty {
    type Store = RedisStore;

    fn server(&self) -> &ServerProcess {
        self.0.process()
    }

    async fn connect(
        &self,
        by: SocketAddr,
        password: Option<&str>,
    ) -> Result<RedisStore, StoreError> {
        let password = password.map_or(String::new(), |password| format!(":{password}@"));
        RedisStore::connect(&format!("redis://{password}{by}/")).await
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        Redis::on(&self.0).await.put(sid, json, expires).await;
    }
}

#[tokio::test]
async fn faults() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    conformance::run_faults(&Faulty(server)).await;
}
