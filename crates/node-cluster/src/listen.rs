//! Emitters reach this server's sockets, beside any adapter.

use std::collections::HashMap;
use std::sync::Arc;

use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;

use crate::channel::Channels;
use crate::guarded::Guarded;
use crate::hooks::{NoHooks, ServerEvent, SharedHooks};
use crate::outbox::QueueLimits;
use crate::reach::Reach;
use crate::redis::{Incoming, Redis, RedisError, Subscriber, Topic};
use crate::sockets::PublicSockets;
use crate::stats::Stats;
use crate::{Broadcast, Counts, Hooks, Limits, Malformed, Request, RequestKind};

/// How to listen. Made by [`Listener::builder`].
///
/// ```no_run
/// use node_cluster::{Limits, Listener, Redis};
/// use socketioxide::SocketIo;
///
/// # async fn run() -> Result<(), node_cluster::RedisError> {
/// let (layer, io) = SocketIo::new_layer();
/// io.ns("/", async || {});
/// let redis = Redis::from_url("redis://127.0.0.1:6379/")?;
/// let listener = Listener::builder(redis).limits(Limits::default()).start(&io).await?;
/// assert_eq!(listener.counts().received, 0);
/// # Ok(()) }
/// ```
pub struct ListenerBuilder {
    redis: Redis,
    hooks: SharedHooks,
    limits: Limits,
    queue: QueueLimits,
}

/// Listens until it is dropped: what emitters and Node servers publish reaches this server's sockets.
///
/// It subscribes to patterns only, so Node servers do not count this server, and wait for no answer of
/// it. So it answers nothing, either: sockets of this server do not show in their `fetchSockets()`, and
/// an emit with acknowledgements does not reach them.
///
/// Every server of a cluster listens for itself and delivers to its own sockets alone, whatever
/// adapter it has: each client gets each event once.
///
/// See [`ListenerBuilder`] for an example.
pub struct Listener {
    stats: Arc<Stats>,
    _subscriber: Subscriber,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Listener").field("counts", &self.counts()).finish()
    }
}

impl std::fmt::Debug for ListenerBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut builder = formatter.debug_struct("ListenerBuilder");
        builder.field("redis", &self.redis).field("limits", &self.limits);
        builder.field("queue", &self.queue).finish_non_exhaustive()
    }
}

impl Listener {
    /// How to listen, on this Redis.
    ///
    /// See [`ListenerBuilder`] for an example.
    pub fn builder(redis: Redis) -> ListenerBuilder {
        ListenerBuilder {
            redis,
            hooks: Arc::new(NoHooks),
            limits: Limits::default(),
            queue: QueueLimits::default(),
        }
    }

    /// What has happened so far.
    ///
    /// See [`ListenerBuilder`] for an example.
    pub fn counts(&self) -> Counts {
        self.stats.counts()
    }
}

impl ListenerBuilder {
    /// What the app decides.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use node_cluster::{Listener, NoHooks, Redis};
    ///
    /// let redis = Redis::from_url("redis://127.0.0.1/")?;
    /// let builder = Listener::builder(redis).hooks(Arc::new(NoHooks));
    /// assert!(format!("{builder:?}").contains("socket.io"));
    /// # Ok::<(), node_cluster::RedisError>(())
    /// ```
    pub fn hooks(mut self, hooks: Arc<dyn Hooks>) -> Self {
        self.hooks = Arc::new(Guarded(hooks));
        self
    }

    /// How large a message may be.
    ///
    /// See [`ListenerBuilder`] for an example.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How much may wait for one socket that reads slowly.
    ///
    /// ```
    /// use node_cluster::{Listener, QueueLimits, Redis};
    ///
    /// let redis = Redis::from_url("redis://127.0.0.1/")?;
    /// let queue = QueueLimits { packets: 1_000, ..QueueLimits::default() };
    /// assert!(format!("{:?}", Listener::builder(redis).queue(queue)).contains("1000"));
    /// # Ok::<(), node_cluster::RedisError>(())
    /// ```
    pub fn queue(mut self, queue: QueueLimits) -> Self {
        self.queue = queue;
        self
    }

    /// Connects, and returns when what is published is heard. From then on the connection is made anew
    /// whenever it fails; what is published meanwhile is lost, as it is for a Node server.
    ///
    /// See [`ListenerBuilder`] for an example.
    ///
    /// # Errors
    /// [`RedisError`] if the Redis cannot be reached, or permits no subscription.
    pub async fn start<A: Adapter>(self, io: &SocketIo<A>) -> Result<Listener, RedisError> {
        let stats = Arc::<Stats>::default();
        let channels = Channels::new(self.redis.key());
        let topics = vec![
            Topic::starting_with(&channels.all_broadcasts()),
            Topic::starting_with(&channels.all_requests()),
        ];
        let mut heard = Heard {
            io: io.clone(),
            channels,
            hooks: self.hooks,
            limits: self.limits,
            queue: self.queue,
            stats: stats.clone(),
            reaches: HashMap::new(),
        };
        let hear = move |incoming: Incoming| heard.hear(&incoming);
        let subscriber = Subscriber::connect(self.redis.address(), stats.clone(), hear).await?;
        subscriber.add(topics).await?;
        Ok(Listener { stats, _subscriber: subscriber })
    }
}

struct Heard<A: Adapter> {
    io: SocketIo<A>,
    channels: Channels,
    hooks: SharedHooks,
    limits: Limits,
    queue: QueueLimits,
    stats: Arc<Stats>,
    /// The namespaces that were addressed so far, and are there.
    reaches: HashMap<String, Reach>,
}

impl<A: Adapter> Heard<A> {
    fn hear(&mut self, incoming: &Incoming) {
        self.stats.received.add();
        let heard = match self.channels.read_request(&incoming.channel) {
            Some(namespace) => self.request(namespace, &incoming.message),
            None => self.broadcast(&incoming.channel, &incoming.message),
        };
        if let Err(fault) = heard {
            self.stats.malformed(fault);
        }
    }

    /// `None` where this server has no such namespace.
    fn reach(&mut self, namespace: &str) -> Option<Reach> {
        let Some(sockets) = PublicSockets::new(&self.io, namespace) else {
            self.reaches.remove(namespace);
            return None;
        };
        if let Some(reach) = self.reaches.get(namespace) {
            return Some(reach.clone());
        }
        let (hooks, stats) = (self.hooks.clone(), self.stats.clone());
        let reach = Reach::new(Arc::new(sockets), hooks, stats, self.queue);
        self.reaches.insert(namespace.to_owned(), reach.clone());
        Some(reach)
    }

    fn broadcast(&mut self, channel: &str, message: &[u8]) -> Result<(), Malformed> {
        let is_known = |namespace: &str| self.io.of(namespace).is_some();
        let Some((namespace, room)) = self.channels.read_broadcast(channel, is_known) else {
            return Ok(());
        };
        let Some(reach) = self.reach(namespace) else { return Ok(()) };
        // Most messages are for rooms that have their sockets elsewhere: those are not even read.
        if room.is_some_and(|room| !reach.has_any(room)) {
            return Ok(());
        }
        let broadcast = Broadcast::read(message, &self.limits)?;
        if broadcast.namespace != namespace {
            return Err(Malformed::OtherNamespace);
        }
        reach.emit(broadcast.event, &broadcast.target, message.len());
        Ok(())
    }

    fn request(&mut self, namespace: &str, message: &[u8]) -> Result<(), Malformed> {
        let Some(reach) = self.reach(namespace) else { return Ok(()) };
        let request = Request::read(message, &self.limits)?;
        match request.kind {
            RequestKind::Join { target, rooms } => reach.join(&target, &rooms),
            RequestKind::Leave { target, rooms } => reach.leave(&target, &rooms),
            RequestKind::Disconnect { target, close } => reach.disconnect(&target, close),
            RequestKind::ServerSideEmit(event) => self.hooks.server_event(ServerEvent {
                namespace,
                sender: request.sender.as_deref(),
                event: &event,
                answer: None,
            }),
            // Who asks for these does not count on this server.
            RequestKind::Sockets { .. }
            | RequestKind::AllRooms
            | RequestKind::FetchSockets { .. }
            | RequestKind::BroadcastWithAck { .. } => {}
        }
        Ok(())
    }
}
