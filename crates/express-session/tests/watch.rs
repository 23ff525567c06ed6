//! Redis tells what becomes of sessions that were loaded.

#![cfg(feature = "redis")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use express_session::store::redis::RedisStore;
use express_session::store::{SessionStore as _, TouchSession as _};
use express_session::watch::{Change, Changes, SessionWatch, WatchError};
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use testkit::{Fault, FaultProxy, RedisServer};
use tokio::sync::mpsc;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

/// A store that is listened to, and somebody else who changes its sessions.
struct Listening {
    store: RedisStore,
    node: MultiplexedConnection,
    told: mpsc::UnboundedReceiver<Change>,
    _watch: tokio::task::JoinSet<Result<std::convert::Infallible, WatchError>>,
}

impl Listening {
    async fn to(server: &RedisServer, url: &str) -> Self {
        let store = RedisStore::connect(url).await.unwrap();
        let client = redis::Client::open(server.url()).unwrap();
        let node = client.get_multiplexed_async_connection().await.unwrap();
        let (tell, told) = mpsc::unbounded_channel();
        let changes = Changes::to(move |change| drop(tell.send(change)));
        let watch = store.watch().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            loop {
                let Err(error) = watch.watch(&changes).await;
                if matches!(error, WatchError::Refused(_)) {
                    return Err(error);
                }
                changes.report(Change::Unknown);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let mut listening = Self { store, node, told, _watch: tasks };
        listening.is_told(&Change::Unknown).await;
        listening
    }

    /// Waits for it, whatever else is told.
    async fn is_told(&mut self, change: &Change) {
        let telling = async { while self.told.recv().await.as_ref() != Some(change) {} };
        timeout(SOON, telling).await.unwrap_or_else(|_| panic!("not told: {change:?}"));
    }

    /// Told of a session again, sooner or later.
    async fn is_told_again(&mut self) {
        let telling = async {
            loop {
                self.put_and_load("again").await;
                let () = self.node.del("sess:again").await.unwrap();
                let told = async {
                    while self.told.recv().await != Some(Change::Session("again".into())) {}
                };
                if timeout(Duration::from_millis(200), told).await.is_ok() {
                    return;
                }
            }
        };
        timeout(SOON, telling).await.unwrap();
    }

    async fn put_and_load(&mut self, sid: &str) {
        let () = self.node.set_ex(format!("sess:{sid}"), "{}", 3600).await.unwrap();
        // A server that was away is found again in a moment.
        let loading = async {
            while !matches!(self.store.load(&sid.into()).await, Ok(Some(_))) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, loading).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_done_to_a_session_that_was_loaded_is_told() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let mut listening = Listening::to(&server, &server.url()).await;
    let mut node = listening.node.clone();
    let told = Change::Session("sid".into());

    listening.put_and_load("sid").await;
    let () = node.set("sess:sid", "{\"v\":2}").await.unwrap();
    listening.is_told(&told).await;
    listening.put_and_load("sid").await;
    let () = node.expire("sess:sid", 60).await.unwrap();
    listening.is_told(&told).await;
    listening.put_and_load("sid").await;
    let () = node.del("sess:sid").await.unwrap();
    listening.is_told(&told).await;

    // As many at once, too; and what we do ourselves.
    listening.put_and_load("sid").await;
    listening.store.load_many(&["sid".into(), "other".into()]).await.unwrap();
    listening.store.touch(&"sid".into(), Duration::from_secs(9)).await.unwrap();
    listening.is_told(&told).await;
    listening.put_and_load("sid").await;
    let () = redis::cmd("FLUSHALL").query_async(&mut node).await.unwrap();
    listening.is_told(&Change::Unknown).await;
}

#[tokio::test]
async fn a_session_that_nobody_loaded_and_another_apps_are_not_told() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let mut listening = Listening::to(&server, &server.url()).await;
    let mut node = listening.node.clone();
    let () = node.set("sess:never-loaded", "{}").await.unwrap();
    let () = node.set("other:sid", "{}").await.unwrap();
    listening.put_and_load("last").await;
    let () = node.del("sess:last").await.unwrap();
    assert_eq!(
        timeout(SOON, listening.told.recv()).await.unwrap(),
        Some(Change::Session("last".into()))
    );
}

#[tokio::test]
async fn after_a_connection_that_was_cut_or_fell_silent_anything_may_have_happened_and_then_all_is_told()
 {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let addr = server.url().trim_start_matches("redis://").trim_end_matches('/').parse().unwrap();
    let proxy = FaultProxy::to(addr).await;
    let mut listening = Listening::to(&server, &format!("redis://{}/", proxy.addr())).await;
    for fault in [Fault::Cut, Fault::Silent] {
        proxy.set(fault);
        listening.is_told(&Change::Unknown).await;
        proxy.set(Fault::None);
        // Told again, once it listens again.
        listening.is_told(&Change::Unknown).await;
        listening.is_told_again().await;
    }
}

#[tokio::test]
async fn a_server_that_is_started_again_is_listened_to_again() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let mut listening = Listening::to(&server, &server.url()).await;
    server.process().stop().await;
    listening.is_told(&Change::Unknown).await;
    server.process().restart().await;
    listening.is_told(&Change::Unknown).await;
    let client = redis::Client::open(server.url()).unwrap();
    listening.node = client.get_multiplexed_async_connection().await.unwrap();
    listening.is_told_again().await;
}

#[tokio::test]
async fn a_user_without_the_permission_reads_sessions_and_is_refused_the_feed() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let client = redis::Client::open(server.url()).unwrap();
    let mut node = client.get_multiplexed_async_connection().await.unwrap();
    let reading = ["+get", "+pttl", "+ping"];
    for (user, more) in [("no-tracking", &["+hello"][..]), ("no-hello", &[])] {
        let mut acl = redis::cmd("ACL");
        acl.arg("SETUSER")
            .arg(user)
            .arg("on")
            .arg(">pw")
            .arg("~sess:*")
            .arg(&reading[..])
            .arg(more);
        acl.exec_async(&mut node).await.unwrap();
        let url = server.url().replace("redis://", &format!("redis://{user}:pw@"));
        let store = RedisStore::connect(&url).await.unwrap();
        let () = node.set("sess:sid", "{}").await.unwrap();
        assert!(store.load(&"sid".into()).await.unwrap().is_some(), "{user}");
        let watch: Arc<dyn SessionWatch> = store.watch().unwrap();
        let changes = Changes::to(|_| {});
        let watching = watch.watch(&changes);
        let Err(refused) = timeout(SOON, watching).await.unwrap();
        assert!(matches!(refused, WatchError::Refused(_)), "{user}: {refused:?}");
    }
}
