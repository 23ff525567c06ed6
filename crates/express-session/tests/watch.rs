//! Redis tells what becomes of sessions that were loaded.

#![cfg(feature = "redis")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use express_session::store::redis::RedisStore;
use express_session::store::{SessionStore as _, TouchSession as _};
use express_session::watch::{Change, Changes, SessionWatch, WatchError};
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use testkit::{Fault, FaultProxy, RedisServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

/// A store that is listened to, and somebody else who changes its sessions.
struct Listening {
    store: RedisStore,
    node: MultiplexedConnection,
    told: mpsc::UnboundedReceiver<Change>,
    watch: tokio::task::JoinSet<Result<std::convert::Infallible, WatchError>>,
}

impl Listening {
    async fn to(server: &RedisServer, url: &str) -> Self {
        let store = RedisStore::connect(url).await.unwrap();
        let watch = store.watch().unwrap();
        Self::by(watch, server, store).await
    }

    /// Waits until the feed is refused, and returns why, as logs show it.
    async fn refusal(mut self) -> String {
        let refused = timeout(SOON, self.watch.join_next()).await.unwrap().unwrap().unwrap();
        match refused {
            Err(WatchError::Refused(error)) => std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
            other => panic!("not refused: {other:?}"),
        }
    }

    async fn by(watch: Arc<dyn SessionWatch>, server: &RedisServer, store: RedisStore) -> Self {
        let client = redis::Client::open(server.url()).unwrap();
        let node = client.get_multiplexed_async_connection().await.unwrap();
        let (tell, told) = mpsc::unbounded_channel();
        let changes = Changes::to(move |change| drop(tell.send(change)));
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
        let mut listening = Self { store, node, told, watch: tasks };
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
async fn changes_of_a_loaded_session_are_reported() {
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
async fn changes_of_unloaded_and_foreign_sessions_are_not_reported() {
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
async fn a_feed_reports_unknown_changes_after_a_cut_or_silent_connection() {
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
async fn a_feed_reconnects_to_a_restarted_server() {
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

/// How often Redis was asked for a key so far.
async fn reads(node: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query_async(node).await.unwrap();
    let calls = info.split_once("cmdstat_get:calls=").and_then(|(_, rest)| rest.split_once(','));
    calls.map_or(0, |(calls, _)| calls.parse().unwrap())
}

#[tokio::test]
async fn a_full_tracking_table_ends_the_feed_and_names_the_setting() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let mut listening = Listening::to(&server, &server.url()).await;
    let mut node = listening.node.clone();
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("tracking-table-max-keys").arg(50).exec_async(&mut node).await.unwrap();
    for n in 0..200 {
        listening.put_and_load(&format!("idle-{n}")).await;
    }
    // As the keeper of live sessions: what is told of is loaded again.
    let (store, mut told) = (listening.store.clone(), listening.told);
    let (_tell, silence) = mpsc::unbounded_channel();
    listening.told = silence;
    let reloading = tokio::spawn(async move {
        while let Some(change) = told.recv().await {
            if let Change::Session(sid) = change {
                drop(store.load(&sid).await);
            }
        }
    });
    let refused = listening.refusal().await;
    assert!(refused.contains("tracking-table-max-keys"), "{refused}");
    // What was told before that is loaded; then nothing is, for nothing was changed.
    timeout(SOON, reloading).await.unwrap().unwrap();
    let (before, pause) = (reads(&mut node).await, Duration::from_millis(500));
    tokio::time::sleep(pause).await;
    assert_eq!(reads(&mut node).await, before);
}

#[tokio::test]
async fn a_full_tracking_table_is_left_alone_for_longer_each_time() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut node = client.get_multiplexed_async_connection().await.unwrap();
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("tracking-table-max-keys").arg(1).exec_async(&mut node).await.unwrap();
    let watch = store.watch().unwrap();
    let (tell, mut told) = mpsc::unbounded_channel();
    let changes = Changes::to(move |change| drop(tell.send(change)));
    let reading = async {
        for n in 0_u64.. {
            store.load(&format!("sid-{n}").as_str().into()).await.unwrap();
        }
    };
    tokio::select! {
        Err(error) = watch.watch(&changes) => assert!(matches!(error, WatchError::Refused(_))),
        () = reading => {}
        () = tokio::time::sleep(SOON) => panic!("a full table is noticed"),
    }
    while told.try_recv().is_ok() {}
    // Asked again at once: it does not even listen.
    let Err(again) = timeout(SOON, watch.watch(&changes)).await.unwrap();
    assert!(matches!(again, WatchError::Refused(_)), "{again:?}");
    assert!(told.try_recv().is_err(), "nothing is told");
}

#[tokio::test]
async fn a_swap_of_databases_is_reported_as_an_unknown_change() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let mut listening = Listening::to(&server, &server.url()).await;
    let mut node = listening.node.clone();
    for _ in 0..2 {
        listening.put_and_load("sid").await;
        while listening.told.try_recv().is_ok() {}
        let mut swap = redis::cmd("SWAPDB");
        swap.arg(0).arg(1).exec_async(&mut node).await.unwrap();
        listening.is_told(&Change::Unknown).await;
    }
}

/// A proxy before `server` that answers the first `HELLO` of each connection with this error, as
/// long as there is one.
async fn refusing_hello(
    server: &RedisServer,
) -> (std::net::SocketAddr, tokio::sync::watch::Sender<Option<&'static str>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, port) = (listener.local_addr().unwrap(), server.process().port());
    let (set, refusal) = tokio::sync::watch::channel(None);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let refusal = refusal.clone();
            tokio::spawn(async move {
                let mut first = vec![0; 4096];
                let read = client.read(&mut first).await.unwrap_or(0);
                let first = &first[..read];
                let error: Option<&str> = *refusal.borrow();
                let hello = first.windows(5).any(|word| word == b"HELLO");
                if let Some(error) = error.filter(|_| hello) {
                    // One answer for each of the three commands that a connection begins with.
                    drop(client.write_all(error.repeat(3).as_bytes()).await);
                    drop(client.read(&mut [0; 1024]).await);
                } else {
                    let mut server =
                        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    server.write_all(first).await.unwrap();
                    drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                }
            });
        }
    });
    (addr, set)
}

#[tokio::test]
async fn a_failed_hello_does_not_leave_a_connection_untracked() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    for refusal in [
        "-ERR max number of clients reached\r\n",
        "-NOPERM User default has no permissions to run the 'hello' command\r\n",
        "-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n",
    ] {
        let (addr, refuse) = refusing_hello(&server).await;
        refuse.send_replace(Some(refusal));
        // While it is refused, sessions are read without it, or not at all.
        let connecting = RedisStore::connect(&format!("redis://{addr}/")).await;
        refuse.send_replace(None);
        let store = match connecting {
            Ok(store) => store,
            Err(error) => {
                assert!(refusal.contains("max number"), "{refusal}: {error:?}");
                continue;
            }
        };
        let mut listening = Listening::by(store.watch().unwrap(), &server, store).await;
        listening.is_told_again().await;
    }
}
