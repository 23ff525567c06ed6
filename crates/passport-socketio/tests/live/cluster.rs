//! Several nodes over one real Redis.
#![cfg(feature = "redis")]
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

mod in_memory;
#[cfg(feature = "node-cluster")]
mod node;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::common::world::{self, User, ignore};
use crate::common::{Client, eventually, soon};
use axum::Router;
use passport_socketio::cluster::{Cluster, ClusterError, NodeId};
use passport_socketio::store::{Life, MemoryStore};
use passport_socketio::{
    Authorizer, AuthorizerBuilder, Candidate, ConfigError, Live, Reject, UserKey,
};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use socketioxide_redis::drivers::redis::RedisDriver;
use socketioxide_redis::{CustomRedisAdapter, RedisAdapterCtr};
use testkit::{Fault, FaultProxy, RedisServer};
use tokio::time::sleep;

const SECRET: &str = "of the nodes";

/// How long an order waits for a node that can't answer. The others answer within milliseconds, on a busy
/// machine too.
const SILENT_FOR: Duration = Duration::from_secs(1);

/// Within this, other nodes notice what became of a node: a silent one is not waited for after 6 s and
/// forgotten after 12 s, and a node connects again within seconds. The rest is for a busy machine.
const NOTICED: Duration = Duration::from_secs(30);

/// One node of a server: it has its own clients and shares the store.
struct Node {
    app: Router,
    live: Live<User>,
    cluster: Cluster<User>,
}

fn sessions() -> Arc<MemoryStore> {
    let sessions = MemoryStore::for_tests();
    for (sid, user) in [("ann", 42), ("ann-too", 42), ("bob", 7)] {
        sessions.set(sid, world::user_session(user), Life::Forever);
    }
    Arc::new(sessions)
}

fn authorizer(sessions: &Arc<MemoryStore>) -> Authorizer<User> {
    builder(sessions).cluster_secret(SECRET).build().unwrap()
}

fn builder(sessions: &Arc<MemoryStore>) -> AuthorizerBuilder<User> {
    Authorizer::builder()
        .cluster_name("test")
        .secret(world::SECRET)
        .store(sessions.clone())
        .max_stale(Duration::from_secs(2))
        .outage_grace(Duration::from_secs(2))
        .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(User { id, name: "" })))
        .success(async |candidate: Candidate<User>| {
            let known = candidate.user().id != 7 || candidate.namespace() == "/";
            if known { Ok(()) } else { Err(Reject::new("no")) }
        })
}

impl Node {
    async fn join(sessions: &Arc<MemoryStore>, url: &str) -> Self {
        let auth = authorizer(sessions);
        let (host, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        let live = auth.attach(&io).unwrap();
        let cluster = live.join(url).await.unwrap();
        Self { app: Router::new().layer(host), live, cluster }
    }

    async fn connected(&self, who: &str) -> Client {
        let mut client = Client::of(&self.app, who).await;
        client.connect("/").await.unwrap();
        client
    }
}

async fn three(sessions: &Arc<MemoryStore>, server: &RedisServer) -> [Node; 3] {
    let url = server.url();
    [
        Node::join(sessions, &url).await,
        Node::join(sessions, &url).await,
        Node::join(sessions, &url).await,
    ]
}

fn nodes<T>(answers: &[(NodeId, T)]) -> HashSet<NodeId> {
    answers.iter().map(|(node, _)| node.clone()).collect()
}

#[tokio::test]
async fn a_revocation_returns_after_every_node_has_executed_it() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let sessions = sessions();
    let [a, b, c] = three(&sessions, &server).await;
    let _one = a.connected("ann").await;
    let mut two = b.connected("ann-too").await;
    let mut three = c.connected("ann").await;
    let _bob = c.connected("bob").await;

    let revoked = soon(a.cluster.revoke_user(42)).await;
    assert!(revoked.is_complete());
    let all =
        HashSet::from([a.cluster.node(), b.cluster.node(), c.cluster.node()].map(Clone::clone));
    assert_eq!(nodes(&revoked.answers), all);
    assert_eq!(revoked.answers.iter().map(|(_, revoked)| revoked.sockets).sum::<usize>(), 3);
    // Every node has acknowledged, so its sockets are closed already.
    assert!([&a, &b, &c].iter().all(|node| node.live.user(42).sockets().is_empty()));
    let ended = json!(["session_ended", {"code": "revoked", "reconnect": false}]);
    assert_eq!((two.event("/").await, three.event("/").await), (ended.clone(), ended));
    assert_eq!(c.live.user(7).sockets().len(), 1);
}

#[tokio::test]
async fn a_revoked_session_is_ended_and_refused_on_every_node() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let sessions = sessions();
    let [a, b, c] = three(&sessions, &server).await;
    let _one = b.connected("ann").await;
    let revoked = soon(a.cluster.revoke_session(&"ann".into())).await;
    assert!(revoked.is_complete());
    assert!(b.live.user(42).sockets().is_empty());
    sessions.set("ann", world::user_session(42), Life::Forever);
    for node in [&a, &b, &c] {
        let mut client = Client::of(&node.app, "ann").await;
        assert_eq!(client.connect("/").await, Err("unauthorized".into()));
    }
}

#[tokio::test]
async fn a_revoked_user_is_refused_by_nodes_without_their_sessions() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let sessions = sessions();
    let [a, b, c] = three(&sessions, &server).await;
    let _ann = a.connected("ann").await;
    let revoked = soon(c.cluster.revoke_user(42)).await;
    assert!(revoked.is_complete());
    let closed: usize = revoked.answers.iter().map(|(_, revoked)| revoked.sockets).sum();
    assert_eq!((closed, revoked.answers.len()), (1, 3));
    // A request of the app that was under way writes the session once more.
    sessions.set("ann", world::user_session(42), Life::Forever);
    for node in [&a, &b, &c] {
        let mut client = Client::of(&node.app, "ann").await;
        assert_eq!(client.connect("/").await, Err("unauthorized".into()));
    }
}

#[tokio::test]
async fn users_are_counted_disconnected_and_refreshed_on_all_nodes() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let [a, b, c] = three(&sessions(), &server).await;
    let _one = b.connected("ann").await;
    let _two = c.connected("ann-too").await;
    let _bob = c.connected("bob").await;
    let (users, answers) = soon(a.cluster.online()).await;
    assert_eq!(users, HashSet::<UserKey>::from([42.into(), 7.into()]));
    assert!(answers.is_complete());

    let refreshed = soon(a.cluster.refresh_user(42)).await.unwrap();
    assert_eq!(refreshed.answers.iter().map(|(_, count)| count.kept).sum::<usize>(), 2);
    let closed = soon(a.cluster.disconnect_user(42)).await;
    assert_eq!(closed.answers.iter().map(|(_, sockets)| sockets).sum::<usize>(), 2);
    eventually("they are gone", || b.live.online().is_empty()).await;
}

#[tokio::test]
async fn a_silent_node_is_named_and_a_node_that_left_is_not_waited_for() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let sessions = sessions();
    let addr = server.url().trim_start_matches("redis://").trim_end_matches('/').parse().unwrap();
    let proxy = FaultProxy::to(addr).await;
    let a = Node::join(&sessions, &server.url()).await;
    let b = Node::join(&sessions, &server.url()).await;
    let cut_off = Node::join(&sessions, &format!("redis://{}/", proxy.addr())).await;
    proxy.set(Fault::Silent);
    let impatient = a.cluster.clone().with_patience(SILENT_FOR);
    let revoked = soon(impatient.revoke_user(42)).await;
    assert_eq!(revoked.missing, [cut_off.cluster.node().clone()]);
    assert!(nodes(&revoked.answers).contains(b.cluster.node()));

    soon(b.cluster.clone().leave()).await.unwrap();
    let left = b.cluster.node().clone();
    let patient = a.cluster.clone().with_patience(Duration::from_secs(60));
    // 6 s after its last heartbeat a node is silent: an order does not wait for it, and still names it, since
    // it may still have sockets.
    let revoked = tokio::time::timeout(NOTICED, patient.revoke_user(42)).await;
    assert_eq!(revoked.unwrap().missing, [cut_off.cluster.node().clone()]);
    let gone = async {
        while !soon(impatient.revoke_user(42)).await.is_complete() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(NOTICED, gone).await.unwrap();
    // Though it still beats, and would come back with a heartbeat.
    let answers = soon(impatient.revoke_user(42)).await;
    assert!(answers.is_complete() && !answers.missing.contains(&left));
    drop(b);
}

#[tokio::test]
async fn a_node_that_is_cut_off_is_named_although_redis_has_lost_everything() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let sessions = sessions();
    let addr = server.url().trim_start_matches("redis://").trim_end_matches('/').parse().unwrap();
    let proxy = FaultProxy::to(addr).await;
    let a = Node::join(&sessions, &server.url()).await;
    let cut_off = Node::join(&sessions, &format!("redis://{}/", proxy.addr())).await;
    let _ann = cut_off.connected("ann").await;
    assert!(soon(a.cluster.online()).await.1.is_complete());
    proxy.set(Fault::Silent);
    let mut redis = redis::Client::open(server.url())
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let () = redis::cmd("FLUSHALL").query_async(&mut redis).await.unwrap();
    let later = Node::join(&sessions, &server.url()).await;
    for node in [&a, &later] {
        let impatient = node.cluster.clone().with_patience(SILENT_FOR);
        let answers = soon(impatient.disconnect_user(42)).await;
        assert_eq!(answers.missing, [cut_off.cluster.node().clone()]);
        assert!(answers.is_reached && !answers.is_complete());
    }
}

#[tokio::test]
async fn without_redis_an_order_runs_locally_and_is_reported_as_unreached() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let sessions = sessions();
    let [a, b, _c] = three(&sessions, &server).await;
    let _ann = a.connected("ann").await;
    server.process().stop().await;
    let revoked = soon(a.cluster.revoke_user(42)).await;
    assert!(!revoked.is_complete() && !revoked.is_reached);
    assert_eq!(revoked.answers.first().map(|(_, revoked)| revoked.sockets), Some(1));

    server.process().restart().await;
    let _bob = b.connected("bob").await;
    let back = async {
        loop {
            let (users, answers) = a.cluster.online().await;
            if answers.is_complete() && users.contains(&7.into()) && answers.answers.len() == 3 {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(NOTICED, back).await.unwrap();
}

#[tokio::test]
async fn forged_malformed_and_repeated_messages_are_ignored_and_counted() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let sessions = sessions();
    let [a, b, _c] = three(&sessions, &server).await;
    let _ann = b.connected("ann").await;
    let client = redis::Client::open(format!("{}?protocol=resp3", server.url())).unwrap();
    let (push, mut pushes) = tokio::sync::mpsc::unbounded_channel();
    let config = redis::AsyncConnectionConfig::new().set_push_sender(push);
    let mut eve = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    eve.subscribe("test:main:orders").await.unwrap();
    assert!(soon(a.cluster.online()).await.1.is_complete());
    let genuine = loop {
        let push = soon(pushes.recv()).await.unwrap();
        if push.kind == redis::PushKind::Message {
            break redis::from_redis_value_ref::<String>(push.data.last().unwrap()).unwrap();
        }
    };
    assert!(!genuine.contains(SECRET));

    let forged = r#"0000.{"id":"1","from":"x","at":1,"order":{"revoke_user":{"user":42}}}"#;
    let before = b.cluster.ignored();
    for message in
        ["", "{", "nonsense", "\u{0}.\u{0}", forged, &genuine, &genuine.replace("online", "onlinf")]
    {
        let () = redis::cmd("PUBLISH")
            .arg("test:main:orders")
            .arg(message)
            .query_async(&mut eve)
            .await
            .unwrap();
    }
    let other = builder(&sessions).cluster_secret("another secret").build().unwrap();
    let (_, io) = SocketIo::new_layer();
    io.ns("/", async || {});
    let outsider = other.attach(&io).unwrap().join(&server.url()).await.unwrap();
    let outsider = outsider.with_patience(SILENT_FOR);
    assert_eq!(soon(outsider.revoke_user(42)).await.answers.len(), 1);
    eventually("all eight are counted", || b.cluster.ignored() >= before + 8).await;
    assert_eq!(b.live.user(42).sockets().len(), 1);
}

#[tokio::test]
async fn joining_fails_without_a_cluster_secret_or_redis() {
    let (_, io) = SocketIo::new_layer();
    let attach = |builder: AuthorizerBuilder<User>| builder.build().unwrap().attach(&io).unwrap();
    let without = attach(builder(&sessions()));
    let error = without.join("redis://127.0.0.1:1/").await.unwrap_err();
    assert!(matches!(error, ClusterError::NoSecret), "{error}");
    let empty = builder(&sessions()).cluster_secret("").build().unwrap_err();
    assert_eq!(empty, ConfigError::EmptyClusterSecret);
    let live = attach(builder(&sessions()).cluster_secret(SECRET));
    let error = soon(live.join("redis://:hunter2@127.0.0.1:1/")).await.unwrap_err();
    assert!(std::error::Error::source(&error).is_some(), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn nodes_reach_each_other_over_tls() {
    let Some((server, certificates)) = RedisServer::start_with_tls().await else {
        return;
    };
    let sessions = sessions();
    let url = format!("rediss://127.0.0.1:{}/", server.process().port());
    let trusted = format!("{url}?ca={}", certificates.ca.display());
    let [a, b] = [Node::join(&sessions, &trusted).await, Node::join(&sessions, &trusted).await];
    let _ann = b.connected("ann").await;
    assert!(soon(a.cluster.disconnect_user(42)).await.is_complete());
    assert!(b.live.user(42).sockets().is_empty());

    let refused = soon(a.live.join(&url)).await.unwrap_err();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    assert!(why.contains("UnknownIssuer"), "{refused}: {why}");
}

#[tokio::test]
async fn errors_about_a_cluster_url_do_not_contain_its_password() {
    let auth = authorizer(&sessions());
    let live: Live<User> = auth.attach(&SocketIo::new_layer().1).unwrap();
    for (query, what) in [
        ("?prefix=sess:", "`prefix`"),
        ("?cluster=true", "neither a cluster"),
        ("?protocol=resp2", "`protocol`"),
        ("?layout=knex", "`layout`"),
    ] {
        let url = format!("redis://:hunter2@127.0.0.1:1/{query}");
        let error = live.join(&url).await.unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        assert!(!error.to_string().contains("session store"), "{error}");
    }
}

type Clustered = CustomRedisAdapter<socketioxide::adapter::Emitter, RedisDriver>;

async fn on_connect(_: SocketRef<Clustered>) {}

/// Over the host's own Redis adapter.
#[tokio::test]
async fn an_event_to_a_user_reaches_them_on_every_node() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let sessions = sessions();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let client = redis::Client::open(format!("{}?protocol=resp3", server.url())).unwrap();
        let adapter = RedisAdapterCtr::new_with_redis(&client).await.unwrap();
        let (host, io) = SocketIo::builder().with_adapter::<Clustered>(adapter).build_layer();
        let auth = authorizer(&sessions);
        io.ns("/", on_connect.with(auth.required())).await.unwrap();
        nodes.push((Router::new().layer(host), auth.attach(&io).unwrap()));
    }
    let [(_, here), (there, _)] = &nodes[..] else {
        return;
    };
    let mut ann = Client::of(there, "ann").await;
    ann.connect("/").await.unwrap();
    here.user(42).emit("news", "for ann").await.unwrap();
    assert_eq!(ann.event("/").await, json!(["news", "for ann"]));
}

#[tokio::test]
async fn an_adapter_of_several_nodes_needs_a_cluster_secret() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let client = redis::Client::open(format!("{}?protocol=resp3", server.url())).unwrap();
    let adapter = RedisAdapterCtr::new_with_redis(&client).await.unwrap();
    let (host, io) = SocketIo::builder().with_adapter::<Clustered>(adapter).build_layer();
    let auth = builder(&sessions()).build().unwrap();
    io.ns("/", on_connect.with(auth.required())).await.unwrap();
    io.ns("/lobby", on_connect.with(auth.optional())).await.unwrap();
    assert_eq!(auth.attach(&io).unwrap_err(), ConfigError::AdapterNeedsClusterSecret);
    let app = Router::new().layer(host);
    let mut ann = Client::of(&app, "ann").await;
    for ns in ["/", "/lobby"] {
        assert_eq!(ann.connect(ns).await, Err("server_error".into()));
    }
    assert!(io.of("/").unwrap().sockets().is_empty());
}
