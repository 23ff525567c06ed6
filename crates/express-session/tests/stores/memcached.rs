//! connect-memcached's layout.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use express_session::SessionId;
use express_session::store::memcached::MemcachedStore;
use express_session::store::{
    DestroySession as _, Life, SessionStore as _, StoreError, StoredSession, TouchSession as _,
};
use testkit::conformance::{self, FaultySubject, Limits, Subject};
use testkit::{MemcachedServer, ServerProcess};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug)]
struct Memcached {
    store: MemcachedStore,
    port: u16,
}

impl Memcached {
    async fn on(server: &MemcachedServer) -> Self {
        let store = MemcachedStore::connect(&server.url()).await.unwrap();
        Self { store, port: server.process().port() }
    }

    async fn load(&self, sid: &str) -> Option<StoredSession> {
        self.store.load(&sid.into()).await.unwrap()
    }

    async fn left(&self, sid: &str) -> Option<Duration> {
        match self.load(sid).await?.life() {
            Life::For(left) => Some(left),
            _ => None,
        }
    }
}

/// The first line of the answer to a command of the classic protocol, which Node's client speaks.
async fn say(port: u16, command: &[u8]) -> String {
    let mut connection = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    connection.write_all(command).await.unwrap();
    let mut line = String::new();
    connection.read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}

async fn set(port: u16, key: &str, flags: u32, seconds: i64, value: &[u8]) {
    let mut command = format!("set {key} {flags} {seconds} {}\r\n", value.len()).into_bytes();
    command.extend([value, b"\r\n"].concat());
    assert_eq!(say(port, &command).await, "STORED");
}

async fn put(port: u16, sid: &str, json: &[u8], expires: SystemTime) {
    let left = expires.duration_since(SystemTime::now());
    let seconds = left.map_or(-1, |left| i64::try_from(left.as_millis().div_ceil(1000)).unwrap());
    set(port, sid, 2, seconds, json).await;
}

#[async_trait]
impl Subject for Memcached {
    type Store = MemcachedStore;

    fn store(&self) -> &MemcachedStore {
        &self.store
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        put(self.port, sid, json, expires).await;
    }

    fn limits(&self) -> Limits {
        Limits {
            max_payload: 1024 * 1024 - 1024,
            max_sid: 250,
            any_sid: false,
            resolution: Duration::from_secs(1),
            ..Limits::default()
        }
    }
}

#[tokio::test]
async fn the_memcached_store_passes_the_conformance_suite() {
    let Some(server) = MemcachedServer::start().await else {
        return;
    };
    conformance::run(&Memcached::on(&server).await).await;
}

#[tokio::test]
async fn a_value_without_expiry_lives_for_ever() {
    let Some(server) = MemcachedServer::start().await else {
        return;
    };
    let memcached = Memcached::on(&server).await;
    set(memcached.port, "sid", 2, 0, b"{}").await;
    assert_eq!(memcached.load("sid").await.unwrap().life(), Life::Forever);
    assert_eq!(memcached.load("sid").await.unwrap().life(), Life::Forever);
}

#[tokio::test]
async fn a_life_beyond_thirty_days_is_not_taken_for_a_timestamp() {
    let Some(server) = MemcachedServer::start().await else {
        return;
    };
    let memcached = Memcached::on(&server).await;
    set(memcached.port, "sid", 2, 60, b"{}").await;
    assert!(memcached.store.touch(&"sid".into(), 40 * DAY).await.unwrap());
    let left = memcached.left("sid").await.unwrap();
    assert!(left > 39 * DAY && left <= 40 * DAY + Duration::from_secs(2), "{left:?}");

    assert!(memcached.store.touch(&"sid".into(), Duration::ZERO).await.unwrap());
    assert!(memcached.load("sid").await.is_none());
}

#[tokio::test]
async fn no_session_id_is_executed_as_a_command() {
    let Some(server) = MemcachedServer::start().await else {
        return;
    };
    let memcached = Memcached::on(&server).await;
    set(memcached.port, "a", 2, 60, b"{}").await;
    set(memcached.port, "é-😀", 2, 60, b"{}").await;
    let (store, long) = (&memcached.store, "x".repeat(251));
    for bad in ["a\r\nflush_all\r\n", "a b", "a a", " a", "a\0", "", &long] {
        let sid = SessionId::from(bad);
        assert!(memcached.load(bad).await.is_none(), "{bad:?}");
        assert!(!store.touch(&sid, DAY).await.unwrap(), "{bad:?}");
        assert!(!store.destroy(&sid).await.unwrap(), "{bad:?}");
        let many = [sid, "a".into(), bad.into(), "é-😀".into()];
        let found = store.load_many(&many).await.unwrap();
        let found: Vec<_> = found.iter().map(Option::is_some).collect();
        assert_eq!(found, [false, true, false, true], "{bad:?}");
    }
}

#[tokio::test]
async fn the_prefix_separates_apps_and_a_wrong_url_is_refused() {
    let Some(server) = MemcachedServer::start().await else {
        return;
    };
    let port = server.process().port();
    set(port, "myapp:sid", 2, 60, b"{}").await;
    let url = |rest: &str| format!("{}{rest}", server.url());
    let mine = MemcachedStore::connect(&url("?prefix=myapp:")).await.unwrap();
    assert!(mine.load(&"sid".into()).await.unwrap().is_some());
    let other = MemcachedStore::connect(&url("")).await.unwrap();
    assert!(other.load(&"sid".into()).await.unwrap().is_none());

    for (wrong, said) in [
        (",127.0.0.1:11212", "one server only"),
        ("?prefix=a%20b", "a prefix"),
        ("?prefix=a%0d%0aflush_all", "a prefix"),
        ("?ttl=60", "the only parameter"),
    ] {
        let error = MemcachedStore::connect(&url(wrong)).await.unwrap_err().to_string();
        assert!(error.contains(said), "{wrong}: {error}");
    }
}

/// The server itself, without a store on it.
#[derive(Debug)]
struct Faulty(MemcachedServer);

#[async_trait]
impl FaultySubject for Faulty {
    type Store = MemcachedStore;

    fn server(&self) -> &ServerProcess {
        self.0.process()
    }

    async fn connect(&self, by: SocketAddr, _: Option<&str>) -> Result<MemcachedStore, StoreError> {
        MemcachedStore::connect(&format!("memcached://{by}")).await
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        put(self.0.process().port(), sid, json, expires).await;
    }

    fn has_passwords(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn the_store_passes_the_fault_suite() {
    let Some(server) = MemcachedServer::start().await else {
        return;
    };
    conformance::run_faults(&Faulty(server)).await;
}
