//! `redis://…?cluster=true`.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use ::redis::AsyncCommands as _;
use ::redis::aio::MultiplexedConnection;
use ::redis::cluster::ClusterClient;
use ::redis::cluster_async::ClusterConnection;
use async_trait::async_trait;
use express_session::SessionId;
use express_session::store::redis::RedisStore;
use express_session::store::{SessionStore, StoreError};
use testkit::conformance::{self, FaultySubject, Subject};
use testkit::{Fault, FaultProxy, RedisCluster, RedisServer, ServerProcess};
use tokio::time::{Instant, sleep, timeout};

use super::{put, told};

const HOUR: Duration = Duration::from_secs(3600);

struct Cluster {
    store: RedisStore,
    raw: ClusterConnection,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.store.fmt(f)
    }
}

impl Cluster {
    async fn on(cluster: &RedisCluster) -> Self {
        let nodes = cluster.nodes().iter().map(node_url);
        let raw = ClusterClient::new(nodes).unwrap().get_async_connection().await.unwrap();
        Self { store: RedisStore::connect(&cluster.url()).await.unwrap(), raw }
    }

    /// Sessions whose slots are of this node.
    async fn sessions_on(&self, node: &ServerProcess) -> Vec<SessionId> {
        let (mut raw, mut sids) = (connection_to(node).await, Vec::new());
        for n in 0..200 {
            let sid = format!("sid-{n}");
            let there: Result<Option<String>, _> = raw.get(format!("sess:{sid}")).await;
            // The others' keys are answered with MOVED.
            if there.is_ok() {
                self.put(&sid, b"{}", SystemTime::now() + HOUR).await;
                sids.push(SessionId::new(sid));
            }
        }
        assert!(sids.len() > 20, "a third of 200 keys");
        sids
    }
}

fn node_url(node: &ServerProcess) -> String {
    format!("redis://127.0.0.1:{}/", node.port())
}

async fn connection_to(node: &ServerProcess) -> MultiplexedConnection {
    let client = ::redis::Client::open(node_url(node)).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

#[async_trait]
impl Subject for Cluster {
    type Store = RedisStore;

    fn store(&self) -> &RedisStore {
        &self.store
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        put(&mut self.raw.clone(), sid, json, expires).await;
    }
}

#[tokio::test]
async fn the_redis_cluster_store_passes_the_conformance_suite() {
    let Some(cluster) = RedisCluster::start(3).await else {
        return;
    };
    conformance::run(&Cluster::on(&cluster).await).await;
}

#[tokio::test]
async fn a_url_of_the_wrong_kind_of_server_is_refused_with_advice() {
    let Some(cluster) = RedisCluster::start(3).await else {
        return;
    };
    let mut told_of_moved = 0;
    for node in cluster.nodes() {
        if let Err(error) = RedisStore::connect(&node_url(node)).await {
            assert!(told(&error).contains("needs ?cluster=true"), "{}", told(&error));
            told_of_moved += 1;
        }
    }
    assert_eq!(told_of_moved, 2, "one of three has the key that is asked for");

    let server = RedisServer::start().await.unwrap();
    let alone = RedisStore::connect(&format!("{}?cluster=true", server.url())).await;
    let error = told(&alone.unwrap_err());
    assert!(error.contains("cluster support disabled"), "{error}");
}

#[tokio::test]
async fn many_keys_of_one_cluster_node_are_loaded_in_few_packets() {
    let Some(cluster) = RedisCluster::start(3).await else {
        return;
    };
    let subject = Cluster::on(&cluster).await;
    let mut proxies = Vec::new();
    for node in cluster.nodes() {
        let proxy = FaultProxy::to(([127, 0, 0, 1], node.port()).into()).await;
        cluster.announce(node, proxy.addr().port()).await;
        proxies.push(proxy);
    }
    let by = proxies[0].addr();
    let store = RedisStore::connect(&format!("redis://{by}/?cluster=true")).await.unwrap();
    let mut sids = Vec::new();
    for node in cluster.nodes() {
        sids.extend(subject.sessions_on(node).await);
    }
    sids.insert(7, "nobody".into());
    for proxy in &proxies {
        proxy.set(Fault::Slow(Duration::from_millis(100)));
    }
    // Each piece of an answer takes 100 ms: one after the other, they would take 20 s.
    let since = Instant::now();
    let sessions = store.load_many(&sids).await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(sessions.iter().flatten().count(), 200);
    assert!(sessions[7].is_none());
}

#[tokio::test]
async fn a_cluster_node_that_is_away_fails_only_its_own_sessions() {
    let Some(cluster) = RedisCluster::start(3).await else {
        return;
    };
    let subject = Cluster::on(&cluster).await;
    let [first, second, _] = cluster.nodes() else {
        panic!("there are three");
    };
    let (lost, kept) = (subject.sessions_on(first).await, subject.sessions_on(second).await);
    first.stop().await;
    assert!(subject.store.load(&lost[0]).await.is_err());
    for sid in &kept {
        assert!(subject.store.load(sid).await.unwrap().is_some());
    }
    first.restart().await;
    cluster.agrees().await;
    comes_back(&subject.store, &lost[0]).await;
}

#[tokio::test]
async fn a_silent_cluster_node_fails_only_its_own_sessions() {
    let Some(cluster) = RedisCluster::start(3).await else {
        return;
    };
    let subject = Cluster::on(&cluster).await;
    let [first, second, _] = cluster.nodes() else {
        panic!("there are three");
    };
    let (lost, kept) = (subject.sessions_on(first).await, subject.sessions_on(second).await);
    let proxy = FaultProxy::to(([127, 0, 0, 1], first.port()).into()).await;
    cluster.announce(first, proxy.addr().port()).await;
    let url = format!("{}?cluster=true", node_url(second));
    let store = RedisStore::connect(&url).await.unwrap();
    assert!(store.load(&lost[0]).await.unwrap().is_some());

    proxy.set(Fault::Silent);
    let impatient = Duration::from_millis(1500);
    for there in kept.iter().take(4) {
        let answer = timeout(impatient, store.load(&lost[0])).await;
        assert!(!matches!(answer, Ok(Ok(_))), "nobody can tell");
        let since = Instant::now();
        assert!(store.load(there).await.unwrap().is_some());
        assert!(since.elapsed() < impatient, "{:?}", since.elapsed());
    }
    proxy.set(Fault::None);
    comes_back(&store, &lost[0]).await;
}

#[tokio::test]
async fn a_session_whose_slot_moves_is_found_before_and_after() {
    let Some(cluster) = RedisCluster::start(3).await else {
        return;
    };
    let subject = Cluster::on(&cluster).await;
    let [from, to, _] = cluster.nodes() else {
        panic!("there are three");
    };
    let sids = subject.sessions_on(from).await;
    let sid = sids[0].clone();
    let key = format!("sess:{}", sid.as_str());
    let is_found = async || subject.store.load(&sid).await.unwrap().is_some();
    assert!(is_found().await);

    let (mut raw_from, mut raw_to) = (connection_to(from).await, connection_to(to).await);
    let slot: u16 =
        command(&["CLUSTER", "KEYSLOT", &key]).query_async(&mut raw_from).await.unwrap();
    let slot = slot.to_string();
    let id_from: String = command(&["CLUSTER", "MYID"]).query_async(&mut raw_from).await.unwrap();
    let id_to: String = command(&["CLUSTER", "MYID"]).query_async(&mut raw_to).await.unwrap();
    let set_slot = |state: &str, id: &str| command(&["CLUSTER", "SETSLOT", &slot, state, id]);
    set_slot("IMPORTING", &id_from).exec_async(&mut raw_to).await.unwrap();
    set_slot("MIGRATING", &id_to).exec_async(&mut raw_from).await.unwrap();
    assert!(is_found().await, "before it has moved");
    let port = to.port().to_string();
    let migrate = command(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
    migrate.exec_async(&mut raw_from).await.unwrap();
    assert!(is_found().await, "while the slot is on its way (ASK)");
    let many = subject.store.load_many(&sids).await.unwrap();
    assert_eq!(many.iter().flatten().count(), sids.len(), "the same for many");
    set_slot("NODE", &id_to).exec_async(&mut raw_to).await.unwrap();
    set_slot("NODE", &id_to).exec_async(&mut raw_from).await.unwrap();
    assert!(is_found().await, "where it is now (MOVED)");
    let many = subject.store.load_many(&sids).await.unwrap();
    assert_eq!(many.iter().flatten().count(), sids.len());
}

#[tokio::test]
async fn a_value_that_is_no_string_is_an_error_in_a_cluster() {
    let Some(cluster) = RedisCluster::start(3).await else {
        return;
    };
    let subject = Cluster::on(&cluster).await;
    let () = subject.raw.clone().hset("sess:hash", "user", 42).await.unwrap();
    let many = [SessionId::new("none"), SessionId::new("hash")];
    for error in [
        subject.store.load(&"hash".into()).await.unwrap_err(),
        subject.store.load_many(&many).await.unwrap_err(),
    ] {
        assert!(told(&error).contains("WRONGTYPE"), "{}", told(&error));
    }
}

fn command(words: &[&str]) -> ::redis::Cmd {
    let mut command = ::redis::Cmd::new();
    for word in words {
        command.arg(word);
    }
    command
}

async fn comes_back(store: &RedisStore, sid: &SessionId) {
    let since = Instant::now();
    while store.load(sid).await.is_err() {
        assert!(since.elapsed() < Duration::from_secs(10), "it comes back");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A cluster of one node, which tells its clients to come by the proxy.
#[derive(Debug)]
struct Faulty(RedisCluster);

#[async_trait]
impl FaultySubject for Faulty {
    type Store = RedisStore;

    fn server(&self) -> &ServerProcess {
        self.0.nodes().first().unwrap()
    }

    async fn connect(
        &self,
        by: SocketAddr,
        password: Option<&str>,
    ) -> Result<RedisStore, StoreError> {
        if password.is_none() {
            self.0.announce(self.server(), by.port()).await;
        }
        let password = password.map_or(String::new(), |password| format!(":{password}@"));
        RedisStore::connect(&format!("redis://{password}{by}/?cluster=true")).await
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        self.0.agrees().await;
        put(&mut connection_to(self.server()).await, sid, json, expires).await;
    }
}

#[tokio::test]
async fn a_cluster_store_passes_the_fault_suite() {
    let Some(cluster) = RedisCluster::start(1).await else {
        return;
    };
    conformance::run_faults(&Faulty(cluster)).await;
}
