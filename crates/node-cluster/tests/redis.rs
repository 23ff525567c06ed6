#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! What this crate says on a real Redis, and whether Node's servers count it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use node_cluster::{
    Broadcast, Cluster, ClusterAdapter, ClusterError, Event, Hooks, Limits, Listener, Name, Redis,
    Request, RequestKind, Target,
};
use redis::aio::PubSub;
use socketioxide::SocketIo;
use socketioxide::adapter::Emitter;
use testkit::{RedisServer, missing_server};

use tokio::time::timeout;

/// Generous: what is published on one machine arrives within milliseconds.
const SOON: Duration = Duration::from_secs(10);

/// Rooms `keyed:X` are `user:X` to others; rooms `own:X` are none of theirs.
struct Keyed;

impl Hooks for Keyed {
    fn name(&self, _: &str, name: &str) -> Name {
        match name.strip_prefix("user:") {
            Some(user) => Name::Rooms(vec![format!("keyed:{user}")]),
            None if name.starts_with("keyed:") || name.starts_with("own:") => Name::Refused,
            None => Name::Plain,
        }
    }

    fn public_name<'a>(&self, _: &str, room: &'a str) -> Option<Cow<'a, str>> {
        match room.strip_prefix("keyed:") {
            Some(user) => Some(format!("user:{user}").into()),
            None => (!room.starts_with("own:")).then_some(room.into()),
        }
    }
}

struct World {
    redis: RedisServer,
    io: SocketIo<ClusterAdapter<Emitter>>,
    cluster: Cluster,
    heard: PubSub,
}

async fn world() -> Option<World> {
    let redis = RedisServer::start().await?;
    let address = Redis::from_url(&redis.url()).unwrap();
    let cluster = Cluster::builder(address)
        .hooks(Arc::new(Keyed))
        .request_timeout(Duration::from_millis(300))
        .connect()
        .await
        .unwrap();
    let (_layer, io) =
        SocketIo::builder().with_adapter::<ClusterAdapter<_>>(cluster.clone()).build_layer();
    io.ns("/", async || {}).await.unwrap();
    let client = redis::Client::open(redis.url()).unwrap();
    let mut heard = client.get_async_pubsub().await.unwrap();
    heard.psubscribe("*").await.unwrap();
    Some(World { redis, io, cluster, heard })
}

impl World {
    async fn next(&mut self) -> (String, Vec<u8>) {
        let message = timeout(SOON, self.heard.on_message().next()).await.unwrap().unwrap();
        (message.get_channel_name().to_owned(), message.get_payload_bytes().to_vec())
    }

    async fn next_broadcast(&mut self) -> (String, Target) {
        let (channel, message) = self.next().await;
        (channel, Broadcast::read(&message, &Limits::default()).unwrap().target)
    }

    async fn servers(&self) -> u64 {
        let client = redis::Client::open(self.redis.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut ask = redis::cmd("PUBSUB");
        ask.arg("NUMSUB").arg("socket.io-request#/#");
        ask.query_async::<(String, u64)>(&mut connection).await.unwrap().1
    }
}

fn target(rooms: &[&str], except: &[&str]) -> Target {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Target { rooms: names(rooms), except: names(except), ..Target::default() }
}

#[tokio::test]
async fn what_handlers_emit_is_published_as_node_does() {
    let Some(mut world) = world().await else { return missing_server("redis-server") };
    world.io.emit("e", &1).await.unwrap();
    assert_eq!(world.next_broadcast().await, ("socket.io#/#".into(), target(&[], &[])));
    world.io.to("a").emit("e", &1).await.unwrap();
    assert_eq!(world.next_broadcast().await, ("socket.io#/#a#".into(), target(&["a"], &[])));
    world.io.to(["a", "b"]).except("c").volatile().emit("e", &1).await.unwrap();
    let expected = Target { volatile: true, ..target(&["a", "b"], &["c"]) };
    assert_eq!(world.next_broadcast().await, ("socket.io#/#".into(), expected));
}

#[tokio::test]
async fn rooms_of_the_app_are_named_to_others_as_it_says_or_not_at_all() {
    let Some(mut world) = world().await else { return missing_server("redis-server") };
    // Rooms that others must not know are no reason to address everybody: nothing is published.
    world.io.to("own:1").emit("e", &1).await.unwrap();
    world.io.within("own:1").disconnect().await.unwrap();
    world.io.to("keyed:1").except("keyed:2").emit("e", &1).await.unwrap();
    let expected = ("socket.io#/#user:1#".into(), target(&["user:1"], &["user:2"]));
    assert_eq!(world.next_broadcast().await, expected);
    world.io.local().emit("e", &1).await.unwrap();
    world.io.to("last").emit("e", &1).await.unwrap();
    assert_eq!(world.next_broadcast().await.0, "socket.io#/#last#");
}

/// Others can't leave out a room that has no name for them: they would deliver to the sockets in it.
#[tokio::test]
async fn an_exception_without_a_public_name_publishes_nothing() {
    let Some(mut world) = world().await else { return missing_server("redis-server") };
    let all_but = || world.io.except(["own:2", "keyed:2"]);
    let errors = [
        all_but().emit("e", &1).await.map_err(|error| format!("{error:?}")),
        all_but().disconnect().await.map_err(|error| format!("{error:?}")),
        all_but()
            .emit_with_ack::<_, i32>("e", &1)
            .await
            .map_or_else(|e| Err(format!("{e:?}")), |_| Ok(())),
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert!(error.contains("PrivateException") && !error.contains("own:2"), "{error}");
    }
    let others = [
        all_but().join("fine").await,
        all_but().leave("fine").await,
        all_but().fetch_sockets().await.map(|_| ()),
        all_but().rooms().await.map(|_| ()),
        world.io.to("keyed:1").except("own:2").join("fine").await,
    ];
    for other in others {
        assert!(matches!(other, Err(ClusterError::PrivateException)), "{other:?}");
    }
    // What stays on this server needs no name for others.
    all_but().local().emit("e", &1).await.unwrap();
    world.io.to("own:1").except("own:2").emit("e", &1).await.unwrap();
    world.io.to("last").emit("e", &1).await.unwrap();
    assert_eq!(world.next_broadcast().await.0, "socket.io#/#last#");
}

#[tokio::test]
async fn a_private_room_as_exception_of_the_cluster_publishes_nothing() {
    let Some(mut world) = world().await else { return missing_server("redis-server") };
    let (cluster, but) = (&world.cluster, || target(&[], &["keyed:2"]));
    let event = || Event::new("e", vec![]).unwrap();
    let all = [
        cluster.emit("/", event(), but()).await,
        cluster.emit_with_ack("/", event(), but(), SOON).await.map(|_| ()),
        cluster.sockets_join("/", but(), vec!["fine".into()]).await,
        cluster.sockets_leave("/", but(), vec!["fine".into()]).await,
        cluster.disconnect_sockets("/", but(), true).await,
        cluster.fetch_sockets("/", but()).await.map(|_| ()),
    ];
    for done in all {
        assert!(matches!(done, Err(ClusterError::PrivateException)), "{done:?}");
    }
    cluster.emit("/", event(), target(&["last"], &["user:2"])).await.unwrap();
    assert_eq!(world.next_broadcast().await.0, "socket.io#/#last#");
}

#[tokio::test]
async fn reserved_names_are_joined_by_no_way() {
    let Some(mut world) = world().await else { return missing_server("redis-server") };
    for name in ["user:1", "keyed:1", "own:1", "AAAAAAAAAAAAAAAA"] {
        let joined = world.io.within("a").join(name).await;
        assert!(matches!(joined, Err(ClusterError::ReservedRoom)), "{name}");
        let joined = world.cluster.sockets_join("/", target(&[], &[]), vec![name.into()]).await;
        assert!(matches!(joined, Err(ClusterError::ReservedRoom)), "{name}");
    }
    world.io.within("a").join("fine").await.unwrap();
    let (channel, message) = world.next().await;
    assert_eq!(channel, "socket.io-request#/#");
    let kind = Request::read(&message, &Limits::default()).unwrap().kind;
    assert_eq!(kind, RequestKind::Join { target: target(&["a"], &[]), rooms: vec!["fine".into()] });
}

#[tokio::test]
async fn a_member_is_counted_and_a_listener_is_not() {
    let Some(world) = world().await else { return missing_server("redis-server") };
    assert_eq!(world.servers().await, 1);
    let (_layer, io) = SocketIo::new_layer();
    io.ns("/", async || {});
    let address = Redis::from_url(&world.redis.url()).unwrap();
    let listener = Listener::builder(address).start(&io).await.unwrap();
    assert_eq!(world.servers().await, 1);
    assert_eq!(world.cluster.server_count("/").await.unwrap(), 1);
    drop(listener);
}

#[tokio::test]
async fn a_closed_server_is_counted_no_more() {
    let Some(world) = world().await else { return missing_server("redis-server") };
    world.io.close().await;
    let gone = async {
        while world.servers().await > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, gone).await.unwrap();
    let event = Event::new("e", vec![]).unwrap();
    let emitted = world.cluster.emit("/", event, Target::default()).await;
    assert!(matches!(emitted, Err(ClusterError::NoNamespace)));
}

#[tokio::test]
async fn a_silent_server_is_missing_and_an_absent_namespace_is_none() {
    let Some(world) = world().await else { return missing_server("redis-server") };
    let client = redis::Client::open(world.redis.url()).unwrap();
    let mut silent = client.get_async_pubsub().await.unwrap();
    silent.subscribe("socket.io-request#/#").await.unwrap();
    let rooms = world.cluster.all_rooms("/").await;
    assert!(matches!(rooms, Err(ClusterError::Missing { expected: 1, answered: 0 })));
    let event = Event::new("e", vec![]).unwrap();
    let emitted = world.cluster.emit("/nowhere", event, Target::default()).await;
    assert!(matches!(emitted, Err(ClusterError::NoNamespace)));
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_an_error_at_once() {
    let address = Redis::from_url("redis://:hunter2@127.0.0.1:1/").unwrap();
    let error = Cluster::builder(address.clone()).connect().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let (_layer, io) = SocketIo::new_layer();
    io.ns("/", async || {});
    assert!(Listener::builder(address).start(&io).await.is_err());
}
