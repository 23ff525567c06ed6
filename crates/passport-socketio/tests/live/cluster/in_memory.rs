//! Several nodes over a bus in memory, under paused time.

use std::sync::Arc;

use axum::Router;
use futures_util::poll;
use passport_socketio::cluster::Cluster;
use passport_socketio::cluster::memory::{MemoryBus, MemoryTransport, Way};
use passport_socketio::store::{Life, MemoryStore};
use passport_socketio::{Authorizer, Live};
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use tokio::time::{Duration, sleep};

use super::{SECRET, authorizer, builder, sessions};
use crate::common::world::{User, ignore, user_session};
use crate::common::{Client, eventually};

/// Paused time in which every node notices every other: heartbeats come every 2 s, and a node without one for
/// 6 s is silent.
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
        Self::of(authorizer(sessions), bus).await
    }

    async fn of(auth: Authorizer<User>, bus: &MemoryBus) -> Self {
        let (host, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        let (live, way) = (auth.attach(&io).unwrap(), bus.transport());
        let cluster = live.join_over(way.clone()).await.unwrap();
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

/// How long a silent node is named: 6 s, the grace and `max_stale` of [`authorizer`], and a heartbeat.
const REMEMBERED: Duration = Duration::from_secs(6 + 2 + 2 + 2);

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_named_although_the_list_of_nodes_is_gone() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [a, b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    let _ann = b.connected("ann").await;
    b.way.set(Way::Silent);
    for lost in [false, true] {
        bus.empty();
        if lost {
            bus.disconnect_all();
            // It connects anew within some seconds.
            sleep(Duration::from_secs(4)).await;
        }
        let answers = a.cluster.disconnect_user(42).await;
        assert_eq!(answers.missing, [b.cluster.node().clone()], "connections lost: {lost}");
        assert!(answers.is_reached && !answers.is_complete());
    }
    sleep(REMEMBERED).await;
    assert!(a.cluster.disconnect_user(42).await.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_joins_later_learns_of_silent_nodes() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [a, b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    b.way.set(Way::Silent);
    bus.empty();
    let later = Node::join(&sessions, &bus).await;
    let answers = later.cluster.disconnect_user(42).await;
    assert_eq!(answers.missing, [b.cluster.node().clone()]);
    assert_eq!(answers.answers.len(), 2);
    drop(a);
}

#[tokio::test(start_paused = true)]
async fn a_forged_list_of_nodes_hides_no_node_and_adds_none() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [a, b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    sleep(NOTICED).await;
    let (before, time) = (a.cluster.ignored(), bus.time());
    bus.change_lists(|lists| {
        for list in lists.values_mut() {
            let entry = list.get(b.cluster.node().to_string().as_bytes()).unwrap().clone();
            list.clear();
            // The signed entry of a node under another node's name, and two unsigned entries.
            list.insert(b"ghost".to_vec(), entry);
            list.insert(b"1".to_vec(), time.to_string().into());
            list.insert(b"\xff".to_vec(), b"\xff".to_vec());
        }
    });
    let answers = a.cluster.disconnect_user(42).await;
    assert!(answers.is_complete(), "{:?}", answers.missing);
    assert_eq!(answers.answers.len(), 2);
    sleep(NOTICED).await;
    assert_eq!(a.cluster.ignored(), before + 3, "each forged entry is counted once");

    // A node whose entry is missing is still known by its heartbeats.
    b.way.set(Way::Silent);
    let answers = a.cluster.disconnect_user(42).await;
    assert_eq!(answers.missing, [b.cluster.node().clone()]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_left_is_not_brought_back_by_its_old_entry() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [a, b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    sleep(NOTICED).await;
    let mut before = None;
    bus.change_lists(|lists| before = Some(lists.clone()));
    b.cluster.clone().leave().await.unwrap();
    assert!(a.cluster.disconnect_user(42).await.is_complete());
    bus.change_lists(|lists| *lists = before.unwrap());
    sleep(NOTICED).await;
    assert!(a.cluster.disconnect_user(42).await.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_clock_removes_no_node() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [a, _b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    sleep(NOTICED).await;
    for jump in [-3_600_000_i64, 3_600_000, 86_400_000, -86_400_000] {
        bus.set_time(bus.time().saturating_add_signed(jump));
        let answers = a.cluster.disconnect_user(42).await;
        assert!(answers.is_complete(), "{jump}: {:?}", answers.missing);
        sleep(NOTICED).await;
        let answers = a.cluster.disconnect_user(42).await;
        assert!(answers.is_complete(), "{jump}: {:?}", answers.missing);
        assert_eq!(answers.answers.len(), 2, "{jump}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_ignores_orders_from_before_it_joined_or_reconnected() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [a, back] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    back.way.set(Way::Cut);
    let mut tap = bus.tap();
    a.cluster.disconnect_user(42).await;
    let order = loop {
        let heard = tap.recv().await.unwrap();
        if heard.channel.ends_with(":orders") {
            break heard;
        }
    };
    back.way.set(Way::Open);
    sleep(NOTICED).await;
    let later = Node::join(&sessions, &bus).await;
    for node in [&back, &later] {
        let (_ann, before) = (node.connected("ann").await, node.cluster.ignored());
        bus.publish(&order.channel, order.message.clone());
        eventually("it is ignored", || node.cluster.ignored() > before).await;
        assert_eq!(node.live.user(42).sockets().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorded_order_is_ignored_after_the_clock_is_put_back() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [a, b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    let (mut tap, given) = (bus.tap(), bus.time());
    assert!(a.cluster.disconnect_user(42).await.is_complete());
    let order = loop {
        let heard = tap.recv().await.unwrap();
        if heard.channel.ends_with(":orders") {
            break heard;
        }
    };
    // Longer than nodes remember which orders they have obeyed.
    sleep(Duration::from_secs(120)).await;
    bus.set_time(given - 1000);
    let later = Node::join(&sessions, &bus).await;
    sleep(NOTICED).await;
    bus.set_time(given);
    for node in [&later, &b] {
        let (_ann, before) = (node.connected("ann").await, node.cluster.ignored());
        bus.publish(&order.channel, order.message.clone());
        eventually("it is ignored", || node.cluster.ignored() > before).await;
        assert_eq!(node.live.user(42).sockets().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_stays_named_although_the_clock_jumps() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let a = Node::join(&sessions, &bus).await;
    sleep(Duration::from_secs(1)).await;
    let b = Node::join(&sessions, &bus).await;
    // Between a heartbeat of the one and of the other, which come every two seconds.
    sleep(Duration::from_millis(9500)).await;
    bus.set_time(bus.time() - 3_600_000);
    sleep(Duration::from_millis(600)).await;
    b.way.set(Way::Silent);
    // 6 s, the grace and `max_stale` of [`authorizer`], since the heartbeat.
    sleep(Duration::from_millis(6000 + 2000 + 2000 - 500)).await;
    assert_eq!(a.cluster.disconnect_user(42).await.missing, [b.cluster.node().clone()]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_cut_off_ends_its_sockets_and_refuses_new_clients() {
    for way in [Way::Silent, Way::Cut] {
        let (sessions, bus) = (sessions(), MemoryBus::new());
        let [a, b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
        let mut ann = b.connected("ann").await;
        // No longer than it takes: the grace and `max_stale` of [`authorizer`], since its heartbeat.
        sleep(NOTICED).await;
        assert_eq!(b.live.user(42).sockets().len(), 1, "{way:?}");
        b.way.set(way);
        sleep(Duration::from_millis(1900)).await;
        assert_eq!(b.live.user(42).sockets().len(), 1, "{way:?}");
        assert_eq!(a.cluster.disconnect_user(42).await.missing, [b.cluster.node().clone()]);
        sleep(REMEMBERED).await;
        assert_eq!(ann.event("/").await[1]["code"], "could_not_tell");
        let mut again = Client::of(&b.app, "ann").await;
        assert_eq!(again.connect("/").await, Err("try_again".into()));
        assert!(a.cluster.disconnect_user(42).await.is_complete());
        assert!(b.live.online().is_empty(), "{way:?}");

        b.way.set(Way::Open);
        sleep(NOTICED).await;
        let _ann = b.connected("ann").await;
        let disconnected = a.cluster.disconnect_user(42).await;
        assert!(disconnected.is_complete() && disconnected.answers.len() == 2, "{way:?}");
        assert!(b.live.online().is_empty(), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_cut_off_itself_remembers_the_others() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [a, b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    sleep(NOTICED).await;
    a.way.set(Way::Cut);
    sleep(2 * REMEMBERED).await;
    let _ann = b.connected("ann").await;
    // The one can't hear the other, which fell silent a moment ago.
    b.way.set(Way::Silent);
    bus.empty();
    a.way.set(Way::Open);
    sleep(Duration::from_secs(3)).await;
    let answers = a.cluster.disconnect_user(42).await;
    assert!(answers.is_reached);
    assert_eq!(answers.missing, [b.cluster.node().clone()]);
    assert_eq!(b.live.user(42).sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_serves_on_when_cut_off_is_named_until_it_is_back() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let auth = builder(&sessions).cluster_secret(SECRET).serve_when_cut_off().build().unwrap();
    let [a, b] = [Node::join(&sessions, &bus).await, Node::of(auth, &bus).await];
    let _ann = b.connected("ann").await;
    b.way.set(Way::Silent);
    sleep(2 * REMEMBERED).await;
    assert_eq!(a.cluster.disconnect_user(42).await.missing, [b.cluster.node().clone()]);
    assert_eq!(b.live.user(42).sockets().len(), 1);
    b.way.set(Way::Open);
    sleep(NOTICED).await;
    assert!(a.cluster.disconnect_user(42).await.is_complete());
    assert!(b.live.online().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_left_serves_on() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [_a, b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    let _ann = b.connected("ann").await;
    b.cluster.clone().leave().await.unwrap();
    b.way.set(Way::Cut);
    sleep(2 * REMEMBERED).await;
    assert_eq!(b.live.user(42).sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_whose_future_is_dropped_reaches_the_other_nodes() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let [a, b] = [Node::join(&sessions, &bus).await, Node::join(&sessions, &bus).await];
    let (_ann, _bob) = (a.connected("ann").await, a.connected("bob").await);
    let bob = "bob".into();
    let mut user = Box::pin(a.cluster.revoke_user(42));
    let mut session = Box::pin(a.cluster.revoke_session(&bob));
    assert!(poll!(user.as_mut()).is_pending() && poll!(session.as_mut()).is_pending());
    assert!(a.live.online().is_empty(), "closed at the first poll");
    drop((user, session));
    // Longer than an order waits for its answers.
    sleep(Duration::from_secs(6)).await;
    for (who, user) in [("ann", 42), ("bob", 7)] {
        // The app prolongs the session: the other node refuses it only because it heard of its revocation.
        sessions.set(who, user_session(user), Life::Forever);
        let mut client = Client::of(&b.app, who).await;
        assert_eq!(client.connect("/").await, Err("unauthorized".into()), "{who}");
    }
}

#[tokio::test(start_paused = true)]
async fn orders_of_one_authorizer_touch_no_users_of_another_in_one_cluster() {
    let (sessions, bus) = (sessions(), MemoryBus::new());
    let named = |name: &str| builder(&sessions).cluster_secret(SECRET).name(name).build().unwrap();
    let [users, more_users, admins] = [named("users"), named("users"), named("admin")];
    let [users, more_users, admins] = [
        Node::of(users, &bus).await,
        Node::of(more_users, &bus).await,
        Node::of(admins, &bus).await,
    ];
    let _user = more_users.connected("ann").await;
    let _admin = admins.connected("ann").await;
    let (online, answers) = users.cluster.online().await;
    assert_eq!((online.len(), answers.answers.len()), (1, 2));
    let refreshed = users.cluster.refresh_user(42).await.unwrap();
    assert_eq!(refreshed.answers.iter().map(|(_, count)| count.kept).sum::<usize>(), 1);
    let closed = users.cluster.disconnect_user(42).await;
    assert!(closed.is_complete());
    assert_eq!(closed.answers.iter().map(|(_, sockets)| sockets).sum::<usize>(), 1);
    users.cluster.revoke_user(42).await;
    assert_eq!(admins.live.user(42).sockets().len(), 1);
    assert_eq!([&users, &more_users, &admins].map(|node| node.cluster.ignored()), [0; 3]);
}
