//! What becomes of sessions is told at once, too, by a cluster and behind sentinels.

use std::time::{Duration, SystemTime};

use ::redis::AsyncCommands;
use ::redis::aio::MultiplexedConnection;
use ::redis::cluster::ClusterClient;
use ::redis::cluster_async::ClusterConnection;
use express_session::SessionId;
use express_session::store::redis::RedisStore;
use express_session::store::{self, SessionStore as _};
use express_session::watch::{Change, Changes, WatchError};
use testkit::{RedisCluster, RedisSentinel, RedisServer, ServerProcess};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::put;

/// Less than any usual `max_stale`, and far more than a push takes.
const AT_ONCE: Duration = Duration::from_secs(8);
/// For servers to find out about each other.
const SOON: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3600);

/// What a store tells, for as long as it does.
struct Told {
    changes: mpsc::UnboundedReceiver<Change>,
    feed: JoinSet<WatchError>,
}

impl Told {
    fn by(store: &RedisStore) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let changes = Changes::to(move |change| drop(tell.send(change)));
        let watch = store.watch().unwrap();
        let mut feed = JoinSet::new();
        feed.spawn(async move {
            loop {
                match watch.watch(&changes).await {
                    Err(WatchError::Lost(_)) => changes.report(Change::Unknown),
                    Err(refused) => return refused,
                    Ok(never) => match never {},
                }
                sleep(Duration::from_millis(50)).await;
            }
        });
        Self { changes: told, feed }
    }

    /// Waits for it, whatever else is told.
    async fn is_told(&mut self, change: &Change, within: Duration) -> Result<(), String> {
        let telling = async { while self.changes.recv().await.as_ref() != Some(change) {} };
        tokio::select! {
            told = timeout(within, telling) => told.map_err(|_| format!("not told: {change:?}")),
            Some(refused) = self.feed.join_next() => Err(format!("refused: {refused:?}")),
        }
    }

    /// Each change of this session is told, sooner or later, and from then on at once.
    async fn of(&mut self, store: &RedisStore, raw: &mut impl AsyncCommands, sid: &str) {
        let (id, key) = (SessionId::new(sid), format!("sess:{sid}"));
        let change = Change::Session(id.clone());
        let deadline = Instant::now() + SOON;
        loop {
            let mut set = ::redis::cmd("SET");
            if set.arg(&key).arg("{}").exec_async(raw).await.is_ok()
                && matches!(store.load(&id).await, Ok(Some(_)))
            {
                while self.changes.try_recv().is_ok() {}
                let () = raw.del(&key).await.unwrap();
                if self.is_told(&change, Duration::from_millis(300)).await.is_ok() {
                    break;
                }
            }
            assert!(Instant::now() < deadline, "told of {sid}");
            sleep(Duration::from_millis(20)).await;
        }
        put(raw, sid, b"{}", SystemTime::now() + HOUR).await;
        store.load(&id).await.unwrap().unwrap();
        while self.changes.try_recv().is_ok() {}
        let () = raw.del(&key).await.unwrap();
        self.is_told(&change, AT_ONCE).await.unwrap();
    }
}

async fn connect(port: u16) -> MultiplexedConnection {
    let client = ::redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn all_of(cluster: &RedisCluster) -> ClusterConnection {
    let nodes = cluster.nodes().iter().map(|node| format!("redis://127.0.0.1:{}/", node.port()));
    ClusterClient::new(nodes).unwrap().get_async_connection().await.unwrap()
}

/// The ids of sessions, one of each node.
async fn one_of_each(cluster: &RedisCluster) -> Vec<String> {
    let mut sids = Vec::new();
    for node in cluster.nodes() {
        sids.push(one_of(node).await);
    }
    sids
}

async fn one_of(node: &ServerProcess) -> String {
    let mut raw = connect(node.port()).await;
    for n in 0..1000 {
        let there: Result<Option<String>, _> = raw.get(format!("sess:sid-{n}")).await;
        if there.is_ok() {
            return format!("sid-{n}");
        }
    }
    unreachable!("one of 1000 keys is of this node");
}

#[tokio::test]
async fn a_logout_on_any_master_of_a_cluster_is_reported_at_once() {
    let Some(cluster) = RedisCluster::start(3).await else {
        return;
    };
    let store = RedisStore::connect(&cluster.url()).await.unwrap();
    let mut told = Told::by(&store);
    // Once for each master: from then on nothing is missed.
    for _ in 0..3 {
        told.is_told(&Change::Unknown, SOON).await.unwrap();
    }
    let mut raw = all_of(&cluster).await;
    for sid in one_of_each(&cluster).await {
        let (id, change) = (SessionId::new(sid.as_str()), Change::Session(sid.as_str().into()));
        put(&mut raw, &sid, b"{}", SystemTime::now() + HOUR).await;
        store.load(&id).await.unwrap().unwrap();
        while told.changes.try_recv().is_ok() {}
        let () = raw.del(format!("sess:{sid}")).await.unwrap();
        told.is_told(&change, AT_ONCE).await.unwrap();
    }
    // Others' keys are not.
    let () = raw.set("other:sid", "{}").await.unwrap();
    put(&mut raw, "last", b"{}", SystemTime::now() + HOUR).await;
    let next = timeout(AT_ONCE, told.changes.recv()).await.unwrap();
    assert_eq!(next, Some(Change::Session("last".into())));
}

#[tokio::test]
async fn a_feed_reconnects_to_a_master_of_a_cluster_that_was_away() {
    let Some(cluster) = RedisCluster::start(3).await else {
        return;
    };
    let store = RedisStore::connect(&cluster.url()).await.unwrap();
    let (mut told, mut raw) = (Told::by(&store), all_of(&cluster).await);
    let [away, ..] = cluster.nodes() else { unreachable!("there are three") };
    let sids = one_of_each(&cluster).await;
    for sid in &sids {
        told.of(&store, &mut raw, sid).await;
    }
    away.stop().await;
    told.is_told(&Change::Unknown, SOON).await.unwrap();
    // The others go on meanwhile.
    let [_, of_another, ..] = sids.as_slice() else { unreachable!("there are three") };
    told.of(&store, &mut raw, of_another).await;
    away.restart().await;
    told.is_told(&Change::Unknown, SOON).await.unwrap();
    cluster.agrees().await;
    for sid in &sids {
        told.of(&store, &mut raw, sid).await;
    }
}

#[tokio::test]
async fn changes_of_a_moved_slot_are_reported_by_its_new_master() {
    let Some(cluster) = RedisCluster::start_with_spare(3).await else {
        return;
    };
    let store = RedisStore::connect(&cluster.url()).await.unwrap();
    let (mut told, mut raw) = (Told::by(&store), all_of(&cluster).await);
    let [owner, ..] = cluster.nodes() else { unreachable!("there are three") };
    let sid = one_of(owner).await;
    told.of(&store, &mut raw, &sid).await;
    let mut ask = ::redis::cmd("CLUSTER");
    ask.arg("KEYSLOT").arg(format!("sess:{sid}"));
    let slot: u16 = ask.query_async(&mut connect(owner.port()).await).await.unwrap();
    while told.changes.try_recv().is_ok() {}
    cluster.give_to_spare(slot).await;
    // Everything is looked at anew.
    told.is_told(&Change::Unknown, AT_ONCE).await.unwrap();
    told.of(&store, &mut raw, &sid).await;
    let keys: u64 = ::redis::cmd("DBSIZE")
        .query_async(&mut connect(cluster.spare().port()).await)
        .await
        .unwrap();
    assert_eq!(keys, 0, "it was there, and is deleted");
}

#[tokio::test]
async fn a_feed_follows_a_promoted_replica() {
    let Some(cluster) = RedisCluster::start_with_spare(3).await else {
        return;
    };
    let [master, ..] = cluster.nodes() else { unreachable!("there are three") };
    cluster.replicate(master).await;
    let store = RedisStore::connect(&cluster.url()).await.unwrap();
    let (mut told, mut raw) = (Told::by(&store), all_of(&cluster).await);
    let sid = one_of(master).await;
    told.of(&store, &mut raw, &sid).await;
    master.stop().await;
    cluster.spare_takes_over().await;
    told.is_told(&Change::Unknown, AT_ONCE).await.unwrap();
    told.of(&store, &mut connect(cluster.spare().port()).await, &sid).await;
}

fn under(sentinel: &RedisSentinel) -> String {
    format!("redis://{}/?sentinel={}", sentinel.address(), RedisSentinel::NAME)
}

#[tokio::test]
async fn sessions_are_read_from_the_master_that_a_sentinel_names() {
    let Some(sentinel) = RedisSentinel::start().await else {
        return;
    };
    let mut raw = connect(sentinel.master().process().port()).await;
    put(&mut raw, "sid", b"{}", SystemTime::now() + HOUR).await;
    let (address, name) = (sentinel.address(), RedisSentinel::NAME);
    for url in [
        under(&sentinel),
        format!("redis://127.0.0.1:1,{address}/0?sentinel={name}"),
        format!("redis-sentinel://{address}/0#{name}"),
        format!("redis+sentinel://{address}/{name}/0?prefix=sess:"),
    ] {
        let store = store::open_now(&url).await.unwrap();
        assert!(store.load(&"sid".into()).await.unwrap().is_some(), "{url}");
    }
    let unknown = store::open(&format!("redis://{address}/?sentinel=another")).await.unwrap_err();
    assert!(unknown.to_string().contains("know no master \"another\""), "{unknown}");
    sentinel.process().stop().await;
    let away = store::open_now(&under(&sentinel)).await.unwrap_err();
    assert!(away.appears().is_some(), "{away:?}");
}

#[tokio::test]
async fn a_failover_keeps_sessions_and_the_feed_of_logouts() {
    let Some(sentinel) = RedisSentinel::start().await else {
        return;
    };
    let mut master = connect(sentinel.master().process().port()).await;
    let store = RedisStore::connect(&under(&sentinel)).await.unwrap();
    let mut told = Told::by(&store);
    told.of(&store, &mut master, "sid").await;
    put(&mut master, "live", b"{}", SystemTime::now() + HOUR).await;
    let mut wait = ::redis::cmd("WAIT");
    let () = wait.arg(1).arg(30_000).query_async(&mut master).await.unwrap();
    store.load(&"live".into()).await.unwrap().unwrap();

    sentinel.master().process().stop().await;
    sentinel.has_failed_over().await;
    told.is_told(&Change::Unknown, SOON).await.unwrap();
    let mut replica = connect(sentinel.replica().process().port()).await;
    let deadline = Instant::now() + SOON;
    // Never is it said that there is no such session.
    while store.load(&"live".into()).await.is_err() {
        assert!(Instant::now() < deadline, "the new master is found");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(store.load(&"live".into()).await.unwrap().is_some());
    told.of(&store, &mut replica, "sid").await;
}

#[tokio::test]
async fn a_new_master_is_used_although_the_old_one_still_answers() {
    let (Some(sentinel), Some(other)) = (RedisSentinel::start().await, RedisServer::start().await)
    else {
        return;
    };
    let store = RedisStore::connect(&under(&sentinel)).await.unwrap();
    let mut told = Told::by(&store);
    told.is_told(&Change::Unknown, SOON).await.unwrap();
    let mut raw = connect(other.process().port()).await;
    put(&mut raw, "sid", b"{}", SystemTime::now() + HOUR).await;
    sentinel.is_to_monitor(&other).await;
    told.is_told(&Change::Unknown, SOON).await.unwrap();
    let deadline = Instant::now() + SOON;
    while store.load(&"sid".into()).await.unwrap().is_none() {
        assert!(Instant::now() < deadline, "the other master is read");
        sleep(Duration::from_millis(20)).await;
    }
    told.of(&store, &mut raw, "sid").await;
}
