//! connect-redis' layout.

mod cluster;
mod link;
mod telling;
mod tls;

use std::error::Error as _;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use ::redis::AsyncCommands as _;
use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use async_trait::async_trait;
use express_session::SessionId;
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
        put(&mut self.raw.clone(), sid, json, expires).await;
    }
}

/// As connect-redis' `set`.
async fn put(raw: &mut impl ConnectionLike, sid: &str, json: &[u8], expires: SystemTime) {
    let ms = expires.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let mut set = ::redis::cmd("SET");
    set.arg(format!("sess:{sid}")).arg(json).arg("PXAT").arg(ms.to_string());
    set.exec_async(raw).await.unwrap();
}

/// Everything that a log could show of it.
fn told(error: &StoreError) -> String {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{error} {error:?} {source}")
}

#[tokio::test]
async fn the_redis_store_passes_the_conformance_suite() {
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
    let url = format!("{}?prefix=myapp%3A", server.url());
    let mine = RedisStore::connect(&url).await.unwrap();
    assert!(mine.load(&"sid".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn the_number_in_the_url_is_the_database() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let redis = Redis::on(&server).await;
    let mut raw = redis.raw.clone();
    let () = raw.set("sess:sid", "{}").await.unwrap();
    let () = ::redis::cmd("MOVE").arg("sess:sid").arg(3).query_async(&mut raw).await.unwrap();
    assert!(redis.load("sid").await.is_none());
    let third = RedisStore::connect(&format!("{}3", server.url())).await.unwrap();
    assert!(third.load(&"sid".into()).await.unwrap().is_some());
    let none = RedisStore::connect(&format!("{}99", server.url())).await.unwrap_err();
    assert!(told(&none).contains("DB index is out of range"), "{}", told(&none));
}

#[tokio::test]
async fn a_read_only_redis_user_can_load_and_other_commands_are_named() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let redis = Redis::on(&server).await;
    let mut raw = redis.raw.clone();
    let () = raw.set("sess:sid", "{}").await.unwrap();
    for (user, rules) in [("reader", "~sess:* +get +pttl"), ("stranger", "~other:* +get +pttl")] {
        let mut set_user = ::redis::cmd("ACL");
        set_user.arg("SETUSER").arg(user).arg("on").arg(">p@ss:word");
        rules.split(' ').for_each(|rule| _ = set_user.arg(rule));
        set_user.exec_async(&mut raw).await.unwrap();
    }
    let as_user =
        |user: &str| server.url().replace("redis://", &format!("redis://{user}:p%40ss%3Aword@"));
    let reader = RedisStore::connect(&as_user("reader")).await.unwrap();
    assert!(reader.load(&"sid".into()).await.unwrap().is_some());
    let destroy = reader.as_destroy().unwrap();
    let refused = destroy.destroy(&"sid".into()).await.unwrap_err();
    assert!(told(&refused).contains("NOPERM"), "{}", told(&refused));
    assert!(reader.load(&"sid".into()).await.unwrap().is_some(), "the refusal breaks nothing");

    let refused = RedisStore::connect(&as_user("stranger")).await.unwrap_err();
    assert!(told(&refused).contains("NOPERM"), "{}", told(&refused));
    let refused = RedisStore::connect(&as_user("nobody")).await.unwrap_err();
    assert!(!told(&refused).contains("p@ss"), "{}", told(&refused));
}

#[tokio::test]
async fn a_value_that_is_no_string_is_an_error_and_breaks_nothing() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let redis = Redis::on(&server).await;
    let mut raw = redis.raw.clone();
    let () = raw.hset("sess:hash", "user", 42).await.unwrap();
    let () = raw.set("sess:sid", "{}").await.unwrap();
    let error = redis.store.load(&"hash".into()).await.unwrap_err();
    assert!(told(&error).contains("WRONGTYPE"), "{}", told(&error));
    let both = [SessionId::new("sid"), SessionId::new("hash")];
    assert!(redis.store.load_many(&both).await.is_err());
    assert!(redis.load("sid").await.is_some());
}

#[tokio::test]
async fn a_life_that_exceeds_the_range_of_redis_is_capped() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let redis = Redis::on(&server).await;
    let () = redis.raw.clone().set("sess:sid", "{}").await.unwrap();
    let touch = redis.store.as_touch().unwrap();
    assert!(touch.touch(&"sid".into(), Duration::MAX).await.unwrap());
    let Life::For(left) = redis.load("sid").await.unwrap().life() else {
        panic!("a touch sets an expiry");
    };
    assert!(left > Duration::from_secs(1_000_000_000));
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
        // In RESP3 the default user of a server without passwords takes any.
        let password = password.map_or(String::new(), |password| format!("nobody:{password}@"));
        RedisStore::connect(&format!("redis://{password}{by}/")).await
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        Redis::on(&self.0).await.put(sid, json, expires).await;
    }
}

#[tokio::test]
async fn the_store_passes_the_fault_suite() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    conformance::run_faults(&Faulty(server)).await;
}

#[tokio::test]
async fn a_unix_socket_is_connected_to() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let redis = Redis::on(&server).await;
    let mut select = redis.raw.clone();
    ::redis::cmd("SELECT").arg(3).exec_async(&mut select).await.unwrap();
    let () = select.set("sess:sid", "{}").await.unwrap();
    let socket = server.socket();
    for scheme in ["redis+unix", "unix"] {
        let url = format!("{scheme}://{}?db=3", socket.display());
        let store = express_session::store::open(&url).await.unwrap();
        assert!(store.load(&"sid".into()).await.unwrap().is_some(), "{scheme}");
    }
}
