//! What is secret: the secrets, the sessions, and the Redis that they are in.

use express_session::cookie::Signer;
use redis::aio::MultiplexedConnection;
use testkit::{FaultProxy, RedisServer, secrecy};

pub(crate) const SECRET: &str = "never-log-the-signing-secret";
pub(crate) const OLD_SECRET: &str = "never-log-the-old-secret";
pub(crate) const PASSWORD: &str = "never-log-the-password-of-redis";
pub(crate) const NODES_SECRET: &str = "never-log-the-secret-of-the-nodes";
pub(crate) const CART: &str = "never-log-what-is-in-a-session";
pub(crate) const MAIL: &str = "never-log-who-it-is@example.com";
pub(crate) const NAME: &str = "never-log-what-the-deserializer-knows";

/// A session id of the test's own, which may not be written from now on.
pub(crate) fn sid(name: &str) -> String {
    let sid = format!("never-log-the-sid-of-{name}");
    secrecy::keep(&sid);
    sid
}

pub(crate) fn cookie_of(name: &str, secret: &str) -> String {
    let pair = Signer::new([secret]).unwrap().cookie_pair("connect.sid", &sid(name));
    secrecy::keep_cookie(&pair);
    pair
}

pub(crate) fn cookie(name: &str) -> (&'static str, String) {
    ("cookie", cookie_of(name, SECRET))
}

pub(crate) fn session_of(user: &str) -> String {
    format!(r#"{{"cookie":{{}},"passport":{{"user":"{user}"}},"cart":"{CART}"}}"#)
}

pub(crate) struct Fixture {
    pub(crate) proxy: FaultProxy,
    pub(crate) redis: MultiplexedConnection,
    pub(crate) url: String,
    _server: RedisServer,
}

impl Fixture {
    /// A Redis with a password, of which only the proxy is known.
    pub(crate) async fn open() -> Option<Self> {
        let server = RedisServer::start().await?;
        let client = redis::Client::open(server.url()).unwrap();
        let mut redis = client.get_multiplexed_async_connection().await.unwrap();
        let mut protect = redis::cmd("CONFIG");
        protect.arg("SET").arg("requirepass").arg(PASSWORD);
        protect.exec_async(&mut redis).await.unwrap();
        let address = server.url();
        let address = address.trim_start_matches("redis://").trim_end_matches('/');
        let proxy = FaultProxy::to(address.parse().unwrap()).await;
        let url = format!("redis://:{PASSWORD}@{}/", proxy.addr());
        Some(Self { proxy, redis, url, _server: server })
    }

    pub(crate) async fn put(&mut self, name: &str, record: &str) {
        let mut set = redis::cmd("SET");
        set.arg(format!("sess:{}", sid(name))).arg(record);
        set.exec_async(&mut self.redis).await.unwrap();
    }

    pub(crate) async fn log_in(&mut self, name: &str, user: &str) {
        self.put(name, &session_of(user)).await;
    }

    pub(crate) async fn log_out(&mut self, name: &str) {
        let mut del = redis::cmd("DEL");
        del.arg(format!("sess:{}", sid(name)));
        del.exec_async(&mut self.redis).await.unwrap();
    }
}
