//! A server with its authorizers, as an app would set it up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use passport_socketio::cluster::Cluster;
use passport_socketio::cluster::memory::{MemoryBus, MemoryTransport};
use passport_socketio::{Auth, Authorizer, Candidate, Live, Reject};
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::config::{HookMode, LayerKind, STORE_TIMEOUT};
use crate::record::{Connection, Key};
use crate::store::{Feed, Store};
use crate::world::{Place, UserId, World, WorldClock, sid_of};
use crate::{admission, ends};

/// The cookies of the authorizers.
pub(crate) const COOKIES: [&str; 2] = ["connect.sid", "second.sid"];
pub(crate) const SECRET: &str = "keyboard cat";

/// Which namespaces there are. The last is guarded by a second authorizer, too, where there is one.
pub(crate) const NAMESPACES: [&str; 3] = ["/", "/team", "/both"];

/// A user as the app's database knew them.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) version: u32,
}

pub(crate) struct Node {
    /// No other one ever has it.
    pub(crate) number: usize,
    pub(crate) app: Router,
    pub(crate) io: SocketIo,
    /// One for each authorizer.
    pub(crate) live: Vec<Live<User>>,
    /// With the other nodes, and the way to them.
    pub(crate) cluster: Option<(Cluster<User>, MemoryTransport)>,
    pub(crate) clients: Mutex<JoinSet<()>>,
}

/// Which authorizers guard a namespace.
pub(crate) fn guards(world: &World, namespace: &str) -> usize {
    if namespace == "/both" && world.config.two { 2 } else { 1 }
}

impl Node {
    pub(crate) async fn start(world: &Arc<World>, node: usize, bus: Option<&MemoryBus>) -> Self {
        let started = world.now();
        {
            let record = &mut world.state().record;
            record.nodes.insert(node, started);
            record.bus.joins(node, started);
        }
        let auths: Vec<_> =
            (0..=usize::from(world.config.two)).map(|at| authorizer(world, (node, at))).collect();
        let never = Duration::from_secs(7 * 24 * 3600);
        let (host, io) = SocketIo::builder().ping_interval(never).ping_timeout(never).build_layer();
        for namespace in NAMESPACES {
            let on_connect = {
                let world = world.clone();
                async move |socket: SocketRef, user: Auth<User>| {
                    admitted(&world, (node, namespace), &socket, &user);
                }
            };
            if guards(world, namespace) == 2 {
                let gate = on_connect.with(auths[1].required());
                io.ns(namespace, gate.with(auths[0].required()));
            } else {
                io.ns(namespace, on_connect.with(auths[0].required()));
            }
        }
        let app = match world.config.layer {
            LayerKind::Over => Router::new().layer(auths[0].layer_over(host)),
            LayerKind::Around => Router::new().layer(host).layer(auths[0].layer()),
            LayerKind::None => Router::new().layer(host),
        };
        let live: Vec<_> = auths.iter().map(|auth| auth.attach(&io).unwrap()).collect();
        let cluster = match bus {
            Some(bus) => {
                let way = bus.transport();
                let joined = live[0].join_over(way.clone()).await;
                Some((joined.unwrap(), way))
            }
            None => None,
        };
        Self { number: node, app, io, live, cluster, clients: Mutex::default() }
    }

    /// Its process is killed: nothing of it is said to anybody.
    pub(crate) async fn die(self, world: &World) {
        {
            let mut state = world.state();
            let record = &mut state.record;
            record.nodes.remove(&self.number);
            record.live.retain(|key, _| key.0 != self.number);
            let of_it = |connection: &&mut Connection| connection.node == self.number;
            let connections = record.connections.iter_mut().filter(of_it);
            connections.for_each(|connection| connection.is_closed = true);
        }
        self.clients.lock().unwrap().abort_all();
        let Self { io, live, cluster, .. } = self;
        drop((live, cluster));
        io.close().await;
    }
}

fn authorizer(world: &Arc<World>, place: Place) -> Authorizer<User> {
    let config = world.config;
    let (finds, agrees, ends) = (world.clone(), world.clone(), world.clone());
    let mut builder = Authorizer::builder()
        .key(COOKIES[place.1])
        .name(["first", "second"][place.1])
        .cluster_secret(SECRET)
        .secret(SECRET)
        .name(COOKIES[place.1])
        .cluster_secret(SECRET.repeat(3))
        .store(Store { world: world.clone(), node: place.0 })
        .store_timeout(STORE_TIMEOUT)
        .clock(Arc::new(WorldClock(world.clone())))
        .max_stale(config.max_stale)
        .outage_grace(config.grace)
        .max_store_loads(config.loads)
        .max_queued_loads(0)
        .deserialize_user(async move |id: UserId| find_user(&finds, id).await)
        .success(async move |candidate: Candidate<User>| agrees_to(&agrees, place, candidate).await)
        .on_session_end(move |ended| ends::on_end(&ends, place, ended));
    if config.feed {
        builder = builder.watch(Feed { world: world.clone(), place });
    }
    if !config.kept_for.is_zero() {
        builder = builder.cache_sessions_for(config.kept_for);
    }
    builder.build().unwrap()
}

async fn find_user(world: &World, id: UserId) -> Result<Option<User>, &'static str> {
    let (mode, version) = {
        let state = world.state();
        (state.deserializer, state.versions.get(&id).copied().unwrap_or_default())
    };
    match mode {
        HookMode::Prompt => {}
        HookMode::Slow(by) => sleep(Duration::from_millis(by)).await,
        HookMode::Fails => return Err("the database is away"),
    }
    Ok(Some(User { id, version }))
}

async fn agrees_to(world: &World, place: Place, candidate: Candidate<User>) -> Result<(), Reject> {
    let (mode, is_banned) = {
        let mut state = world.state();
        let user = candidate.user();
        let sid = sid_of(candidate.session().id()).unwrap();
        let asked = (place, sid, candidate.namespace().to_owned());
        state.record.candidates.insert(asked, user.id);
        (state.success, state.banned.contains_key(&user.id))
    };
    if let HookMode::Slow(by) = mode {
        sleep(Duration::from_millis(by)).await;
    }
    if is_banned { Err(Reject::new("banned")) } else { Ok(()) }
}

/// The connect handler: the socket was let in.
fn admitted(world: &Arc<World>, at: (usize, &'static str), socket: &SocketRef, user: &Auth<User>) {
    let (node, namespace) = at;
    let Some(connection) = world.state().record.by_id.get(&(node, socket.id.to_string())).copied()
    else {
        return world.violated("connections", "a socket of no connection was admitted");
    };
    let key: Key = (node, connection, namespace);
    admission::on_admission(world, key, user);
    let left = world.clone();
    socket.on_disconnect(async move || ends::on_leave(&left, key));
}
