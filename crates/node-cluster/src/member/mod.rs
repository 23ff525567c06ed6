//! A full member of a cluster of Node's servers.

mod adapter;
mod node;
mod packet;
mod shared;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

pub use adapter::{ClusterAcks, ClusterAdapter, Initialized};
use shared::{Namespace, Shared, publish_answers};

use crate::channel::Channels;
use crate::guarded::Guarded;
use crate::hooks::{NoHooks, SharedHooks};
use crate::redis::{Incoming, Publisher, Redis, Subscriber};
use crate::stats::Stats;
use crate::{
    Broadcast, Counts, Event, Hooks, Limits, Name, QueueLimits, RedisError, RemoteSocket,
    RequestKind, Response, Target, Value,
};

/// The cluster could not be asked, or did not answer in full.
///
/// ```
/// use node_cluster::ClusterError;
///
/// let error = ClusterError::Missing { expected: 3, answered: 2 };
/// assert_eq!(error.to_string(), "2 of 3 servers answered in time");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The Redis could not be reached, or refused.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// Not every server answered in time.
    #[error("{answered} of {expected} servers answered in time")]
    Missing {
        /// How many servers there are beside this one.
        expected: usize,
        /// How many of them answered.
        answered: usize,
    },
    /// This server has no such namespace, or not yet.
    #[error("this server has no such namespace")]
    NoNamespace,
    /// A room of this name would receive what is meant for others: see [`Hooks::may_join`].
    #[error("the name of a room is reserved")]
    ReservedRoom,
    /// A room that was to be left out (`except`) has no name that other servers know: they would deliver to the sockets
    /// in it, so they were told nothing. Such are rooms for which [`Hooks::public_name`] is `None`, and names that
    /// [`Hooks::name`] refuses. What handlers do through socketioxide is done on this server nevertheless; an emit
    /// with acknowledgements and the methods of [`Cluster`] do nothing.
    #[error("a room that is left out has no public name: other servers were told nothing")]
    PrivateException,
    /// A namespace whose name holds a `#` cannot be in a cluster: channels would be ambiguous.
    #[error("a namespace with # in its name cannot be in a cluster")]
    Namespace,
}

/// How to become a member. Made by [`Cluster::builder`].
///
/// See [`Cluster`] for an example.
pub struct ClusterBuilder {
    redis: Redis,
    hooks: SharedHooks,
    limits: Limits,
    queue: QueueLimits,
    timeout: Duration,
    answer_to_one: bool,
}

impl std::fmt::Debug for ClusterBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ClusterBuilder").field("redis", &self.redis).finish_non_exhaustive()
    }
}

/// A cluster of Node's servers (`@socket.io/redis-adapter`) and of servers like this one.
///
/// As an adapter's state it makes a server a member. What handlers do through socketioxide then reaches
/// all servers: `io.to(room).emit(…)` and the rest, with acknowledgements too. What others do reaches this
/// server's sockets, and what they ask is answered. Emitters are heard as well.
///
/// socketioxide's own `fetch_sockets` leaves out the sockets of Node's servers, whose ids do not fit into
/// its type. The methods here have all, with ids that are text; also what socketioxide has no method for.
///
/// ```no_run
/// use node_cluster::{Cluster, ClusterAdapter, Event, Redis, Target};
/// use socketioxide::SocketIo;
/// use socketioxide::extract::SocketRef;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let cluster = Cluster::builder(Redis::from_url("redis://127.0.0.1:6379/")?).connect().await?;
/// let (layer, io) =
///     SocketIo::builder().with_adapter::<ClusterAdapter<_>>(cluster.clone()).build_layer();
/// io.ns("/", async |socket: SocketRef<ClusterAdapter<_>>| socket.join("a")).await?;
///
/// let target = Target { rooms: vec!["a".into()], ..Target::default() };
/// cluster.emit("/", Event::new("news", vec![])?, target.clone()).await?;
/// for socket in cluster.fetch_sockets("/", target).await? {
///     println!("{} is in {:?}", socket.id, socket.rooms);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    subscriber: Subscriber,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Cluster").field("counts", &self.counts()).finish()
    }
}

impl ClusterBuilder {
    /// What the app decides.
    ///
    /// See [`Cluster`] for an example.
    pub fn hooks(mut self, hooks: Arc<dyn Hooks>) -> Self {
        self.hooks = Arc::new(Guarded(hooks));
        self
    }

    /// How large a message may be.
    ///
    /// See [`Cluster`] for an example.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How much may wait for one socket that reads slowly.
    ///
    /// See [`Cluster`] for an example.
    pub fn queue(mut self, queue: QueueLimits) -> Self {
        self.queue = queue;
        self
    }

    /// How long other servers' answers are waited for: Node's option `requestsTimeout`. 5 s unless
    /// set.
    ///
    /// See [`Cluster`] for an example.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Answers go to the server that asked alone: Node's option `publishOnSpecificResponseChannel`.
    ///
    /// See [`Cluster`] for an example.
    pub fn answer_on_specific_channel(mut self) -> Self {
        self.answer_to_one = true;
        self
    }

    /// Connects. Namespaces become members when they are added to a server.
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`RedisError`] if the Redis cannot be reached.
    pub async fn connect(self) -> Result<Cluster, RedisError> {
        let stats = Arc::<Stats>::default();
        let (answers, to_publish) = mpsc::channel(4_096);
        let shared = Arc::new(Shared {
            channels: Channels::new(self.redis.key()),
            publisher: Publisher::new(self.redis.address()),
            hooks: self.hooks,
            limits: self.limits,
            queue: self.queue,
            stats: stats.clone(),
            timeout: self.timeout,
            answer_to_one: self.answer_to_one,
            answers,
            namespaces: HashMap::new().into(),
            waiting: HashMap::new().into(),
        });
        tokio::spawn(publish_answers(Arc::downgrade(&shared), to_publish));
        let weak = Arc::downgrade(&shared);
        let hear = move |incoming: Incoming| {
            if let Some(shared) = weak.upgrade() {
                shared.hear(&incoming);
            }
        };
        let subscriber = Subscriber::connect(self.redis.address(), stats, hear).await?;
        Ok(Cluster(Arc::new(Inner { shared, subscriber })))
    }
}

impl Cluster {
    /// How to become a member, on this Redis.
    ///
    /// See [`Cluster`] for an example.
    pub fn builder(redis: Redis) -> ClusterBuilder {
        ClusterBuilder {
            redis,
            hooks: Arc::new(NoHooks),
            limits: Limits::default(),
            queue: QueueLimits::default(),
            timeout: Duration::from_secs(5),
            answer_to_one: false,
        }
    }

    /// What has happened so far.
    ///
    /// See [`Cluster`] for an example.
    pub fn counts(&self) -> Counts {
        self.0.shared.stats.counts()
    }

    fn namespace(&self, name: &str) -> Result<Arc<Namespace>, ClusterError> {
        self.0.shared.namespace(name).ok_or(ClusterError::NoNamespace)
    }

    /// The namespace, if what others would do is what is meant: see [`ClusterError::PrivateException`].
    fn addressed(&self, name: &str, target: &Target) -> Result<Arc<Namespace>, ClusterError> {
        let here = self.namespace(name)?;
        let is_private = |room: &String| self.0.shared.hooks.name(name, room) == Name::Refused;
        if target.except.iter().any(is_private) {
            return Err(ClusterError::PrivateException);
        }
        Ok(here)
    }

    /// How many servers there are, this one included.
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`ClusterError::Redis`] if that cannot be asked.
    pub async fn server_count(&self, namespace: &str) -> Result<usize, ClusterError> {
        Ok(self.0.shared.others(namespace).await?.saturating_add(1))
    }

    /// Emits to sockets of all servers: this server's first.
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`ClusterError`] if there is no such namespace here, or others could not be told.
    pub async fn emit(
        &self,
        namespace: &str,
        event: Event,
        target: Target,
    ) -> Result<(), ClusterError> {
        let (shared, here) = (&self.0.shared, self.addressed(namespace, &target)?);
        let channel = match target.rooms.as_slice() {
            [room] => shared.channels.broadcast_to(namespace, room),
            _ => shared.channels.broadcast(namespace),
        };
        let (sender, name) = (here.uid.clone(), namespace.to_owned());
        let broadcast =
            Broadcast { sender, namespace: name, event: event.clone(), target: target.clone() };
        let message = broadcast.write();
        here.reach.emit(event, &target, message.len());
        Ok(shared.publisher.publish(&channel, &message).await?)
    }

    /// Emits to sockets of all servers, and returns what each client acknowledges first. Those that do
    /// not in time are missing in it.
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`ClusterError`] if there is no such namespace here, or others could not be asked.
    pub async fn emit_with_ack(
        &self,
        namespace: &str,
        event: Event,
        target: Target,
        timeout: Duration,
    ) -> Result<Vec<Value>, ClusterError> {
        let (shared, here) = (&self.0.shared, self.addressed(namespace, &target)?);
        let target = Target { timeout: Some(timeout), ..target };
        let selected = here.reach.may_receive(here.reach.select(&target).unwrap_or_default());
        // Counted first: a failure then means that no socket got it.
        let expected = shared.others(namespace).await?;
        let (mut local, _) = here.member.emit_with_ack(&selected, &event, Some(timeout));
        let mut waiting = shared.wait();
        if expected > 0 {
            let name = namespace.to_owned();
            let kind = RequestKind::BroadcastWithAck { namespace: name, event, target };
            shared.request(&here, Some(waiting.id.clone()), kind).await?;
        }
        let deadline = Instant::now() + timeout;
        let mut values = Vec::new();
        let (mut counted, mut clients, mut answered) = (0, 0_u64, 0_u64);
        while counted < expected || answered < clients {
            match timeout_at(deadline, waiting.answers.recv()).await {
                Ok(Some(Response::ClientCount { clients: more, .. })) => {
                    counted += 1;
                    clients += u64::from(more);
                }
                Ok(Some(Response::Ack { value, .. })) => {
                    answered += 1;
                    values.push(value);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        while let Some(value) = local.next().await {
            values.push(value);
        }
        Ok(values)
    }

    /// The sockets of all servers. Those of Node's servers carry their handshake: see
    /// [`RemoteSocket`].
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`ClusterError::Missing`] if a server did not answer in time: then which sockets there are is not
    /// known.
    pub async fn fetch_sockets(
        &self,
        namespace: &str,
        target: Target,
    ) -> Result<Vec<RemoteSocket>, ClusterError> {
        let here = self.addressed(namespace, &target)?;
        let mut sockets = self.0.shared.sockets(&here, &target);
        sockets.extend(self.remote_sockets(&here, target).await?);
        Ok(sockets)
    }

    async fn remote_sockets(
        &self,
        here: &Namespace,
        target: Target,
    ) -> Result<Vec<RemoteSocket>, ClusterError> {
        let answers = self.0.shared.ask(here, RequestKind::FetchSockets { target }).await?;
        let sockets = answers.into_iter().filter_map(|answer| match answer {
            Response::Sockets { sockets, .. } => Some(sockets),
            _ => None,
        });
        Ok(sockets.flatten().collect())
    }

    /// The rooms of all servers, those of the sockets' own ids included.
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`ClusterError::Missing`] if a server did not answer in time.
    pub async fn all_rooms(&self, namespace: &str) -> Result<BTreeSet<String>, ClusterError> {
        let here = self.namespace(namespace)?;
        let mut rooms: BTreeSet<String> = self.0.shared.rooms(&here).into_iter().collect();
        for answer in self.0.shared.ask(&here, RequestKind::AllRooms).await? {
            if let Response::Rooms { rooms: more, .. } = answer {
                rooms.extend(more);
            }
        }
        Ok(rooms)
    }

    /// Makes sockets of all servers join rooms.
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`ClusterError::ReservedRoom`] for a name that no room may have: then nothing is joined;
    /// [`ClusterError`] if there is no such namespace here, or others could not be told.
    pub async fn sockets_join(
        &self,
        namespace: &str,
        target: Target,
        rooms: Vec<String>,
    ) -> Result<(), ClusterError> {
        let here = self.addressed(namespace, &target)?;
        if !rooms.iter().all(|room| here.reach.is_plain(room)) {
            return Err(ClusterError::ReservedRoom);
        }
        here.reach.join(&target, &rooms);
        self.0.shared.request(&here, None, RequestKind::Join { target, rooms }).await
    }

    /// Makes sockets of all servers leave rooms.
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`ClusterError`] if there is no such namespace here, or others could not be told.
    pub async fn sockets_leave(
        &self,
        namespace: &str,
        target: Target,
        rooms: Vec<String>,
    ) -> Result<(), ClusterError> {
        let here = self.addressed(namespace, &target)?;
        here.reach.leave(&target, &rooms);
        self.0.shared.request(&here, None, RequestKind::Leave { target, rooms }).await
    }

    /// Disconnects sockets of all servers; with `close`, their whole connections.
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`ClusterError`] if there is no such namespace here, or others could not be told. No server says
    /// whether it did it.
    pub async fn disconnect_sockets(
        &self,
        namespace: &str,
        target: Target,
        close: bool,
    ) -> Result<(), ClusterError> {
        let here = self.addressed(namespace, &target)?;
        here.reach.disconnect(&target, close);
        self.0.shared.request(&here, None, RequestKind::Disconnect { target, close }).await
    }

    /// Sends an event to all other servers.
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`ClusterError`] if there is no such namespace here, or others could not be told.
    pub async fn server_side_emit(
        &self,
        namespace: &str,
        event: Event,
    ) -> Result<(), ClusterError> {
        let here = self.namespace(namespace)?;
        self.0.shared.request(&here, None, RequestKind::ServerSideEmit(event)).await
    }

    /// Sends an event to all other servers, and returns each one's answer.
    ///
    /// See [`Cluster`] for an example.
    ///
    /// # Errors
    /// [`ClusterError::Missing`] if a server did not answer in time, as one does that has no handler
    /// for it.
    pub async fn server_side_emit_with_ack(
        &self,
        namespace: &str,
        event: Event,
    ) -> Result<Vec<Value>, ClusterError> {
        let here = self.namespace(namespace)?;
        let answers = self.0.shared.ask(&here, RequestKind::ServerSideEmit(event)).await?;
        let values = answers.into_iter().filter_map(|answer| match answer {
            Response::ServerSideEmit { data, .. } => Some(data),
            _ => None,
        });
        Ok(values.collect())
    }
}
