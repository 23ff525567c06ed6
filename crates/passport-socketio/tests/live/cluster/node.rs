//! What Node's servers and emitters may do to the sockets of logged-in users.

use std::sync::{Arc, Mutex};

use axum::Router;
use futures_util::StreamExt as _;
use passport_socketio::express_session::SessionId;
use passport_socketio::node::NodeHooks;
use passport_socketio::node_cluster::{
    Broadcast, Cluster, ClusterAdapter, Event, Hooks as _, Limits, Listener, Redis, Request,
    RequestKind, SocketAddress, Target, Value,
};
use passport_socketio::store::{MemoryStore, SessionStore as _};
use passport_socketio::{Authorizer, EndReason, Live};
use redis::AsyncTypedCommands as _;
use redis::aio::{MultiplexedConnection, PubSub};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::adapter::{Adapter, Emitter, LocalAdapter};
use socketioxide::handler::ConnectHandler as _;
use testkit::RedisServer;

use super::{builder, sessions};
use crate::common::world::{User, ignore};
use crate::common::{Client, soon};

type Ends = Arc<Mutex<Vec<String>>>;

struct World<A: Adapter = LocalAdapter> {
    app: Router,
    io: SocketIo<A>,
    live: Live<User, A>,
    auth: Authorizer<User>,
    store: Arc<MemoryStore>,
    /// The kinds and codes that the audit hook was told.
    audit: Ends,
    hooks: NodeHooks,
    publisher: MultiplexedConnection,
    redis: RedisServer,
}

fn audited() -> (Authorizer<User>, Arc<MemoryStore>, Ends) {
    let (store, audit) = (sessions(), Ends::default());
    let told = audit.clone();
    let auth = builder(&store)
        .cluster_secret(super::SECRET)
        .audit(move |event| told.lock().unwrap().push(format!("{:?} {}", event.kind, event.code)))
        .build();
    (auth.unwrap(), store, audit)
}

/// One server that emitters reach.
async fn listening() -> Option<(World, Listener)> {
    let redis = RedisServer::start().await?;
    let (auth, store, audit) = audited();
    let (host, io) = SocketIo::new_layer();
    io.ns("/", ignore.with(auth.required()));
    io.ns("/lobby", ignore.with(auth.optional()));
    let live = auth.attach(&io).unwrap();
    let hooks = NodeHooks::new();
    hooks.serve(&io, &auth);
    let address = Redis::from_url(&redis.url()).unwrap();
    let listener = Listener::builder(address).hooks(Arc::new(hooks.clone())).start(&io).await;
    let publisher = connection(&redis).await;
    let app = Router::new().layer(host);
    Some((World { app, io, live, auth, store, audit, hooks, publisher, redis }, listener.unwrap()))
}

async fn connection(redis: &RedisServer) -> MultiplexedConnection {
    let client = redis::Client::open(redis.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

fn target(rooms: &[&str], except: &[&str]) -> Target {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Target { rooms: names(rooms), except: names(except), ..Target::default() }
}

impl<A: Adapter> World<A> {
    async fn connected(&self, who: &str, ns: &str) -> Client {
        let mut client = Client::of(&self.app, who).await;
        client.connect(ns).await.unwrap();
        client
    }

    async fn publish_in(&mut self, namespace: &str, rooms: &[&str], except: &[&str], text: &str) {
        let event = Event::new("news", vec![Value::Str(text.to_owned())]).unwrap();
        let namespace = namespace.to_owned();
        let channel = match rooms {
            [room] => format!("socket.io#{namespace}#{room}#"),
            _ => format!("socket.io#{namespace}#"),
        };
        let target = target(rooms, except);
        let broadcast = Broadcast { sender: "emitter".into(), namespace, event, target };
        self.publisher.publish(channel, broadcast.write()).await.unwrap();
    }

    async fn publish(&mut self, rooms: &[&str], except: &[&str], text: &str) {
        self.publish_in("/", rooms, except, text).await;
    }

    async fn request(&mut self, kind: RequestKind) {
        let request = Request { sender: None, id: None, kind };
        self.publisher.publish("socket.io-request#/#", request.write()).await.unwrap();
    }
}

fn news(text: &str) -> serde_json::Value {
    json!(["news", text])
}

#[tokio::test]
async fn aliases_reach_the_sockets_of_a_user_and_of_a_session() {
    let Some((mut world, listener)) = listening().await else { return };
    let mut ann = world.connected("ann", "/").await;
    let mut too = world.connected("ann-too", "/").await;
    let mut bob = world.connected("bob", "/").await;
    let hash = SessionId::from("ann").hash().to_hex();
    world.publish(&["user:42"], &[], "for ann").await;
    world.publish(&["user:42", "user:7"], &[&format!("session:{hash}")], "but one").await;
    world.publish(&[&format!("session:{hash}")], &[], "one session").await;
    world.publish(&[], &["user:42"], "not ann").await;
    world.publish(&[&world.auth.user_room(42)], &[], "by the room's own name").await;
    world.publish(&["user:nobody"], &[], "for nobody").await;
    world.publish(&[], &[], "all").await;
    assert_eq!([ann.event("/").await, ann.event("/").await], ["for ann", "one session"].map(news));
    assert_eq!(ann.event("/").await, news("all"));
    assert_eq!([too.event("/").await, too.event("/").await], ["for ann", "but one"].map(news));
    assert_eq!([bob.event("/").await, bob.event("/").await], ["but one", "not ann"].map(news));
    assert_eq!(listener.counts().refused_names, 1);
}

#[tokio::test]
async fn no_socket_can_join_an_alias_or_the_name_of_another() {
    let Some((mut world, listener)) = listening().await else { return };
    let mut ann = world.connected("ann", "/").await;
    let mut bob = world.connected("bob", "/").await;
    let room = world.auth.user_room(42);
    let id = world.live.user(42).sockets()[0].id.to_string();
    for name in ["user:42", "session:x", &room, &id, "fine"] {
        let rooms = vec![name.to_owned()];
        world.request(RequestKind::Join { target: target(&["user:7"], &[]), rooms }).await;
    }
    for name in ["user:42", &id, "fine"] {
        world.publish(&[name], &[], name).await;
    }
    assert_eq!(bob.event("/").await, news("fine"));
    assert_eq!([ann.event("/").await, ann.event("/").await], [news("user:42"), news(&id)]);
    assert_eq!(listener.counts().refused_joins, 4);
}

#[tokio::test]
async fn nothing_reaches_a_socket_whose_login_has_ended() {
    let Some((mut world, listener)) = listening().await else { return };
    // It reads nothing, so that its disconnect is still to come when the messages do.
    let _ann = world.connected("ann", "/").await;
    let mut bob = world.connected("bob", "/").await;
    let socket = world.live.user(42).sockets()[0].clone();
    while socket.emit("fill", &()).is_ok() {}
    let id = socket.id.to_string();
    let address = SocketAddress { namespace: "/", id: &id };
    assert!(world.hooks.may_receive(address));
    world.live.end_session(&"ann".into(), EndReason::LoggedOut);
    // Its client has not read its disconnect, so it is still there.
    assert!(world.io.of("/").unwrap().get_socket(socket.id).is_some());
    assert!(!world.hooks.may_receive(address));
    let rooms = vec!["back".to_owned()];
    world.request(RequestKind::Join { target: target(&[], &[]), rooms }).await;
    for rooms in [&[][..], &["back"], &["user:42"], &[socket.id.as_str()]] {
        world.publish(rooms, &[], "too late").await;
    }
    world.publish(&["user:7"], &[], "done").await;
    while bob.event("/").await != news("done") {}
    assert_eq!(socket.rooms(), Vec::<String>::new());
    // What bob got: sent to all, to the room that he joined, and the last.
    assert_eq!(listener.counts().delivered, 3);
}

#[tokio::test]
async fn a_disconnect_of_an_emitter_is_an_end_with_its_audit_event() {
    let Some((mut world, _listener)) = listening().await else { return };
    let mut ann = world.connected("ann", "/").await;
    ann.connect("/lobby").await.unwrap();
    let mut bob = world.connected("bob", "/").await;
    world.audit.lock().unwrap().clear();
    world.request(RequestKind::Disconnect { target: target(&["user:42"], &[]), close: true }).await;
    let notice = r#"["session_ended",{"code":"evicted","reconnect":false}]"#;
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(ann.receive().await);
    }
    told.sort();
    let lobby = format!("2/lobby,{notice}");
    assert_eq!(told, ["1".to_owned(), "1/lobby,".into(), lobby, format!("2{notice}")]);
    world.publish(&[], &[], "done").await;
    assert_eq!(bob.event("/").await, news("done"));
    assert_eq!(*world.audit.lock().unwrap(), ["Ended evicted"; 2]);
    // The session stays as it is: it was a socket that was disconnected, not a login.
    world.connected("ann", "/").await;
    assert!(world.store.load(&"ann".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn guests_are_reached_and_disconnected_as_in_node() {
    let Some((mut world, _listener)) = listening().await else { return };
    let mut guest = Client::anonymous(&world.app).await;
    guest.connect("/lobby").await.unwrap();
    world.publish_in("/lobby", &[], &[], "hello").await;
    assert_eq!(guest.event("/lobby").await, news("hello"));
    let request = RequestKind::Disconnect { target: target(&[], &[]), close: false };
    let request = Request { sender: None, id: None, kind: request };
    world.publisher.publish("socket.io-request#/lobby#", request.write()).await.unwrap();
    assert_eq!(guest.receive().await, "1/lobby,");
}

/// One server in a cluster with Node's.
async fn member() -> Option<(World<ClusterAdapter<Emitter>>, Cluster)> {
    let redis = RedisServer::start().await?;
    let (auth, store, audit) = audited();
    let hooks = NodeHooks::new();
    let cluster = Cluster::builder(Redis::from_url(&redis.url()).unwrap())
        .hooks(Arc::new(hooks.clone()))
        .connect()
        .await
        .unwrap();
    let (host, io) =
        SocketIo::builder().with_adapter::<ClusterAdapter<_>>(cluster.clone()).build_layer();
    hooks.serve(&io, &auth);
    io.ns("/", (async || {}).with(auth.required())).await.unwrap();
    let live = auth.attach(&io).unwrap();
    let publisher = connection(&redis).await;
    let app = Router::new().layer(host);
    Some((World { app, io, live, auth, store, audit, hooks, publisher, redis }, cluster))
}

async fn next(heard: &mut PubSub) -> (String, Vec<u8>) {
    let message = soon(heard.on_message().next()).await.unwrap();
    (message.get_channel_name().to_owned(), message.get_payload_bytes().to_vec())
}

#[tokio::test]
async fn an_event_to_a_user_reaches_node_servers_in_the_alias_room() {
    let Some((world, cluster)) = member().await else { return };
    let _ann = world.connected("ann", "/").await;
    let client = redis::Client::open(world.redis.url()).unwrap();
    let mut node = client.get_async_pubsub().await.unwrap();
    node.psubscribe("socket.io#/#*").await.unwrap();
    world.live.user(42).emit("news", "x").await.unwrap();
    let (channel, message) = next(&mut node).await;
    assert_eq!(channel, "socket.io#/#user:42#");
    let broadcast = Broadcast::read(&message, &Limits::default()).unwrap();
    assert_eq!(broadcast.target, target(&["user:42"], &[]));
    world.live.user(json!({"id": 1})).emit("news", "of a key without an alias").await.unwrap();

    // Such a server is counted, and so a revocation is not complete.
    node.subscribe("socket.io-request#/#").await.unwrap();
    assert_eq!(cluster.server_count("/").await.unwrap(), 2);
    let revoked = world.hooks.member(&world.live, &cluster).revoke_user(42).await;
    assert_eq!((revoked.here.sockets, revoked.others, revoked.is_complete()), (1, 1, false));
    let (channel, message) = next(&mut node).await;
    assert_eq!(channel, "socket.io-request#/#");
    let request = Request::read(&message, &Limits::default()).unwrap();
    let expected = RequestKind::Disconnect { target: target(&["user:42"], &[]), close: true };
    assert_eq!(request.kind, expected);
    drop(node);
    let numsub = || async { cluster.server_count("/").await.unwrap() };
    while soon(numsub()).await != 1 {
        tokio::task::yield_now().await;
    }
    let member = world.hooks.member(&world.live, &cluster);
    assert!(member.revoke_session(&"bob".into()).await.is_complete());
    assert_eq!(member.disconnect_user(7).await.unwrap(), 0);
}

#[tokio::test]
async fn fetch_sockets_answers_with_the_user_and_without_headers() {
    let Some((world, cluster)) = member().await else { return };
    let _ann = world.connected("ann", "/").await;
    let socket = world.live.user(42).sockets()[0].clone();
    let hash = SessionId::from("ann").hash().to_hex();
    socket.join(["user:7", "session:x", "fine"]);
    let told = cluster.fetch_sockets("/", target(&["user:42"], &[])).await.unwrap();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    let mut rooms = told.rooms.clone();
    rooms.sort();
    let mut expected =
        [socket.id.to_string(), "fine".into(), format!("session:{hash}"), "user:42".into()];
    expected.sort();
    assert_eq!(rooms, expected);
    assert_eq!(told.data, Value::from(&json!({"user": 42})));
    assert!(told.handshake.field("headers").is_none());
    let all = cluster.all_rooms("/").await.unwrap();
    assert!(all.contains("user:42") && !all.contains("user:7"), "{all:?}");
    assert!(!all.iter().any(|room| room.starts_with("passport:")), "{all:?}");
    let target = target(&["user:42"], &[]);
    let joined = cluster.sockets_join("/", target, vec!["user:7".into()]).await;
    assert!(joined.is_err());
    assert!(world.live.user(42).join(["user:7"]).await.is_err());
}
