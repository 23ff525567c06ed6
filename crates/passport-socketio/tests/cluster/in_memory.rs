//! Several nodes over a bus in memory, under paused time.

use std::sync::Arc;

use axum::Router;
use passport_socketio::Live;
use passport_socketio::live::cluster::Cluster;
use passport_socketio::live::cluster::memory::{MemoryBus, MemoryTransport, Way};
use passport_socketio::store::MemoryStore;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use tokio::time::{Duration, sleep};

use super::common::Client;
use super::common::world::{User, ignore};
use super::{SECRET, authorizer, sessions};

/// A node is silent after 6 s without a heartbeat, which comes every 2 s.
const NOTICED: Duration = Duration::from_secs(10);

/// One node, and its way to the others.
struct Node {
    app: Router,
    live: Live<User>,
    cluster: Cluster<User>,
    way: MemoryTransport,
}

impl Node {
    async fn join(sessions: &Arc<MemoryStore>, bus: &MemoryBus) -> Self {
        let auth = authorizer(sessions);
        let (host, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        let (live, way) = (auth.attach(&io), bus.transport());
        let cluster = live.join_over(way.clone(), "test", SECRET).await.unwrap();
        Self { app: Router::new().layer(host), live, cluster, way }
    }

    async fn connected(&self, who: &str) -> Client {
        let mut client = Client::of(&self.app, who).await;
        client.connect("/").await.unwrap();
        client
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_over_memory_reaches_every_node_and_names_a_silent_one() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [a, b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    let _ann = b.connected("ann").await;
    let answers = a.cluster.disconnect_user(42).await;
    assert!(answers.is_complete(), "not confirmed by {:?}", answers.missing);
    assert!(b.live.user(42).sockets().is_empty());

    for way in [Way::Silent, Way::Cut] {
        b.way.set(way);
        assert_eq!(a.cluster.disconnect_user(42).await.missing, [b.cluster.node().clone()]);
        b.way.set(Way::Open);
        sleep(NOTICED).await;
        assert!(a.cluster.disconnect_user(42).await.is_complete(), "after {way:?}");
    }
}
