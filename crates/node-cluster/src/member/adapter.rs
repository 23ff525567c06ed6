//! socketioxide's adapter: what handlers do reaches the cluster.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::FusedStream;
use futures_util::{Stream, StreamExt as _};
use socketioxide::socket::Sid;
use socketioxide_core::adapter::errors::{AdapterError, BroadcastError};
use socketioxide_core::adapter::{
    AckStreamItem, BroadcastFlags, BroadcastOptions, CoreAdapter, CoreLocalAdapter, DefinedAdapter,
    RemoteSocketData, Room, RoomParam, SocketEmitter, Spawnable,
};
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::Parse as _;
use socketioxide_core::{Str, Uid};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::node::{AckStream, MemberSockets};
use super::shared::{Namespace, Shared, uid};
use super::{Cluster, ClusterError, packet};
use crate::reach::{Reach, socket_id};
use crate::redis::Topic;
use crate::sockets::{Args, Content, Payload};
use crate::{Broadcast, RequestKind, Response, Target};

/// An adapter of socketioxide that makes its server a member of a cluster of Node's servers.
///
/// See [`Cluster`] for an example, and for what reaches the cluster.
pub struct ClusterAdapter<E: SocketEmitter> {
    sockets: Arc<MemberSockets<E>>,
    namespace: Arc<Namespace>,
    cluster: Cluster,
}

impl<E: SocketEmitter> std::fmt::Debug for ClusterAdapter<E> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ClusterAdapter").finish_non_exhaustive()
    }
}

impl<E: SocketEmitter> DefinedAdapter for ClusterAdapter<E> {}

/// Whether a namespace is a member by now.
pub struct Initialized(Pin<Box<dyn Future<Output = Result<(), ClusterError>> + Send>>);

impl std::fmt::Debug for Initialized {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Initialized")
    }
}

impl Future for Initialized {
    type Output = Result<(), ClusterError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl Spawnable for Initialized {
    fn spawn(self) {
        tokio::spawn(async move {
            if let Err(error) = self.0.await {
                tracing::error!("a namespace could not join the cluster: {error}");
            }
        });
    }
}

/// What clients of all servers acknowledge.
pub struct ClusterAcks<T>(Option<mpsc::Receiver<AckStreamItem<T>>>);

impl<T> std::fmt::Debug for ClusterAcks<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ClusterAcks")
    }
}

impl<T> Stream for ClusterAcks<T> {
    type Item = AckStreamItem<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(receiver) = &mut self.0 else { return Poll::Ready(None) };
        let polled = receiver.poll_recv(context);
        if let Poll::Ready(None) = polled {
            self.0 = None;
        }
        polled
    }
}

impl<T> FusedStream for ClusterAcks<T> {
    fn is_terminated(&self) -> bool {
        self.0.is_none()
    }
}

impl<E: SocketEmitter> ClusterAdapter<E> {
    fn shared(&self) -> &Arc<Shared> {
        &self.cluster.0.shared
    }

    fn topics(&self) -> Vec<Topic> {
        let (channels, name) = (&self.shared().channels, self.sockets.local.path());
        vec![
            Topic::starting_with(&channels.broadcast(name)),
            Topic::Channel(channels.request(name)),
            Topic::Channel(channels.response(name)),
            Topic::Channel(channels.response_to(name, &self.namespace.uid)),
        ]
    }

    fn reach(&self) -> &Reach {
        &self.namespace.reach
    }

    /// This server's sockets, as its own handlers mean them: no name is translated or refused.
    fn own(&self, options: &BroadcastOptions) -> Vec<Sid> {
        let rooms: Vec<String> =
            options.rooms.iter().map(|room| room.clone().into_owned()).collect();
        let except: Vec<String> =
            options.except.iter().map(|room| room.clone().into_owned()).collect();
        let is_broadcast = options.has_flag(BroadcastFlags::Broadcast);
        let mut selected = match (options.sid, is_broadcast) {
            (Some(id), false) if rooms.is_empty() => vec![id],
            (None, false) if rooms.is_empty() => Vec::new(),
            _ => self.reach().select_own(&rooms, &except),
        };
        if is_broadcast && let Some(sender) = options.sid {
            selected.retain(|id| *id != sender);
        }
        selected
    }

    /// The same for other servers; `None` if this is nothing to tell them.
    ///
    /// # Errors
    /// [`ClusterError::PrivateException`]: without that exception they would deliver to the sockets in it.
    fn others(&self, options: &BroadcastOptions) -> Result<Option<Target>, ClusterError> {
        if options.is_local(self.sockets.local.server_id()) {
            return Ok(None);
        }
        let is_broadcast = options.has_flag(BroadcastFlags::Broadcast);
        let name = self.sockets.local.path();
        let public = |room: &Room| self.shared().hooks.public_name(name, room).map(Cow::into_owned);
        let rooms: Vec<String> = options.rooms.iter().filter_map(public).collect();
        // Rooms that others must not know are no reason to address everybody.
        if rooms.is_empty() && !options.rooms.is_empty() {
            return Ok(None);
        }
        let except: Option<Vec<String>> = options.except.iter().map(public).collect();
        let mut target = Target {
            rooms,
            except: except.ok_or(ClusterError::PrivateException)?,
            volatile: options.has_flag(BroadcastFlags::Volatile),
            timeout: None,
        };
        match (options.sid, is_broadcast) {
            (Some(sender), true) => target.except.push(sender.as_str().to_owned()),
            (Some(id), false) if target.rooms.is_empty() => {
                target.rooms.push(id.as_str().to_owned());
            }
            (None, false) if target.rooms.is_empty() => return Ok(None),
            _ => {}
        }
        Ok(Some(target))
    }

    async fn tell(&self, kind: RequestKind) -> Result<(), ClusterError> {
        self.shared().request(&self.namespace, None, kind).await
    }
}

fn adapter_error(error: ClusterError) -> BroadcastError {
    BroadcastError::Adapter(AdapterError::from(error))
}

impl From<ClusterError> for AdapterError {
    fn from(error: ClusterError) -> Self {
        Self(Box::new(error))
    }
}

impl<E: SocketEmitter> CoreAdapter<E> for ClusterAdapter<E> {
    type Error = ClusterError;
    type State = Cluster;
    type AckStream = ClusterAcks<E::AckError>;
    type InitRes = Initialized;

    fn new(cluster: &Cluster, local: CoreLocalAdapter<E>) -> Self {
        let sockets = Arc::new(MemberSockets { local });
        let shared = &cluster.0.shared;
        let (hooks, stats) = (shared.hooks.clone(), shared.stats.clone());
        let reach = Reach::new(sockets.clone(), hooks, stats, shared.queue);
        let namespace = Arc::new(Namespace { uid: uid(), member: sockets.clone(), reach });
        Self { sockets, namespace, cluster: cluster.clone() }
    }

    fn init(self: Arc<Self>, on_success: impl FnOnce() + Send + 'static) -> Initialized {
        Initialized(Box::pin(async move {
            let name = self.sockets.local.path().to_string();
            if name.contains('#') {
                return Err(ClusterError::Namespace);
            }
            let namespaces = &self.shared().namespaces;
            let lock = || namespaces.write().unwrap_or_else(PoisonError::into_inner);
            lock().insert(name.clone(), self.namespace.clone());
            if let Err(error) = self.cluster.0.subscriber.add(self.topics()).await {
                lock().remove(&name);
                self.cluster.0.subscriber.remove(self.topics());
                return Err(error.into());
            }
            on_success();
            Ok(())
        }))
    }

    async fn close(&self) -> Result<(), ClusterError> {
        self.cluster.0.subscriber.remove(self.topics());
        let mut namespaces =
            self.shared().namespaces.write().unwrap_or_else(PoisonError::into_inner);
        namespaces.remove(self.sockets.local.path().as_str());
        Ok(())
    }

    async fn server_count(&self) -> Result<u16, ClusterError> {
        let others = self.shared().others(self.sockets.local.path()).await?;
        Ok(u16::try_from(others.saturating_add(1)).unwrap_or(u16::MAX))
    }

    async fn broadcast(
        &self,
        packet: Packet,
        opts: BroadcastOptions,
    ) -> Result<(), BroadcastError> {
        let others = self.others(&opts);
        let event = matches!(others, Ok(Some(_))).then(|| packet::event(&packet)).flatten();
        let volatile = opts.has_flag(BroadcastFlags::Volatile);
        let size = size(&packet);
        let payload = Payload { content: Content::Packet(packet), size };
        // Here first: a Redis that is away holds up no local socket.
        for id in self.own(&opts) {
            self.reach().outboxes.deliver(id, &payload, volatile);
        }
        let target = others.map_err(adapter_error)?;
        let (Some(target), Some(event)) = (target, event) else { return Ok(()) };
        let (shared, name) = (self.shared(), self.sockets.local.path().to_string());
        let channel = match target.rooms.as_slice() {
            [room] => shared.channels.broadcast_to(&name, room),
            _ => shared.channels.broadcast(&name),
        };
        let sender = self.namespace.uid.clone();
        let broadcast = Broadcast { sender, namespace: name, event, target };
        let published = shared.publisher.publish(&channel, &broadcast.write()).await;
        published.map_err(|error| adapter_error(error.into()))
    }

    async fn broadcast_with_ack(
        &self,
        packet: Packet,
        opts: BroadcastOptions,
        timeout: Option<Duration>,
    ) -> Result<Self::AckStream, ClusterError> {
        let selected = self.reach().may_receive(self.own(&opts));
        let timeout = timeout.unwrap_or_else(|| self.sockets.local.ack_timeout());
        // Counted first: a failure then means that no socket got it.
        let others = match self.others(&opts)?.zip(packet::event(&packet)) {
            Some((target, event)) => {
                let expected = self.shared().others(self.sockets.local.path()).await?;
                let asking = Asking {
                    namespace: self.namespace.clone(),
                    shared: self.shared().clone(),
                    expected,
                    timeout,
                };
                let target = Target { timeout: Some(timeout), ..target };
                Some((asking, event, target))
            }
            None => None,
        };
        let (local, _) = self.sockets.acks(&selected, &packet, Some(timeout));
        let (acks, stream) = mpsc::channel(128);
        let sockets = self.sockets.clone();
        tokio::spawn(async move {
            let here = forward(local, acks.clone());
            let there = async {
                if let Some((asking, event, target)) = others {
                    let namespace = asking.namespace.member.namespace().to_owned();
                    let kind = RequestKind::BroadcastWithAck { namespace, event, target };
                    asking.forward(kind, &sockets, acks).await;
                }
            };
            tokio::join!(here, there);
        });
        Ok(ClusterAcks(Some(stream)))
    }

    async fn add_sockets(
        &self,
        opts: BroadcastOptions,
        rooms: impl RoomParam,
    ) -> Result<(), ClusterError> {
        let rooms: Vec<String> = rooms.into_room_iter().map(Cow::into_owned).collect();
        if !rooms.iter().all(|room| self.reach().is_plain(room)) {
            return Err(ClusterError::ReservedRoom);
        }
        for id in self.own(&opts) {
            self.reach().sockets.join(id, rooms.clone());
        }
        match self.others(&opts)? {
            Some(target) if !rooms.is_empty() => {
                self.tell(RequestKind::Join { target, rooms }).await
            }
            _ => Ok(()),
        }
    }

    async fn del_sockets(
        &self,
        opts: BroadcastOptions,
        rooms: impl RoomParam,
    ) -> Result<(), ClusterError> {
        let rooms: Vec<String> = rooms.into_room_iter().map(Cow::into_owned).collect();
        for id in self.own(&opts) {
            self.reach().sockets.leave(id, rooms.clone());
        }
        match self.others(&opts)? {
            Some(target) => self.tell(RequestKind::Leave { target, rooms }).await,
            None => Ok(()),
        }
    }

    async fn disconnect_socket(&self, opts: BroadcastOptions) -> Result<(), BroadcastError> {
        for id in self.own(&opts) {
            self.reach().outboxes.disconnect(id);
        }
        match self.others(&opts).map_err(adapter_error)? {
            Some(target) => {
                let told = self.tell(RequestKind::Disconnect { target, close: false }).await;
                told.map_err(adapter_error)
            }
            None => Ok(()),
        }
    }

    async fn rooms(&self, opts: BroadcastOptions) -> Result<Vec<Room>, ClusterError> {
        let is_all = opts.rooms.is_empty() && opts.except.is_empty() && opts.sid.is_none();
        let mut rooms = self.sockets.local.rooms(opts.clone());
        // The protocol has no question for the rooms of some sockets: their servers tell which they
        // are in.
        if let Some(target) = self.others(&opts)? {
            if is_all {
                for answer in self.shared().ask(&self.namespace, RequestKind::AllRooms).await? {
                    if let Response::Rooms { rooms: more, .. } = answer {
                        rooms.extend(more.into_iter().map(Room::Owned));
                    }
                }
            } else {
                for socket in self.cluster.remote_sockets(&self.namespace, target).await? {
                    rooms.extend(socket.rooms.into_iter().map(Room::Owned));
                }
            }
        }
        Ok(rooms.into_iter().collect())
    }

    async fn fetch_sockets(
        &self,
        opts: BroadcastOptions,
    ) -> Result<Vec<RemoteSocketData>, ClusterError> {
        let ns: Str = self.sockets.local.path().clone();
        let server_id = self.sockets.local.server_id();
        let here = self.own(&opts).into_iter().filter(|id| self.reach().sockets.has(*id));
        let here = here.map(|id| RemoteSocketData { id, server_id, ns: ns.clone() });
        let mut sockets: Vec<RemoteSocketData> = here.collect();
        if let Some(target) = self.others(&opts)? {
            for socket in self.cluster.remote_sockets(&self.namespace, target).await? {
                // An id of Node's does not fit: `Cluster::fetch_sockets` has them all.
                if let Some(id) = socket_id(&socket.id) {
                    sockets.push(RemoteSocketData { id, server_id: Uid::ZERO, ns: ns.clone() });
                }
            }
        }
        Ok(sockets)
    }

    fn get_local(&self) -> &CoreLocalAdapter<E> {
        &self.sockets.local
    }
}

fn size(packet: &Packet) -> usize {
    use socketioxide_core::Value;
    use socketioxide_core::packet::PacketData;
    match &packet.inner {
        PacketData::Event(data, _) | PacketData::BinaryEvent(data, _) => match data {
            Value::Str(text, Some(binaries)) => {
                text.len() + binaries.iter().map(bytes::Bytes::len).sum::<usize>()
            }
            data => data.len(),
        },
        _ => 0,
    }
}

async fn forward<T: Send>(
    mut local: AckStream<AckStreamItem<T>>,
    acks: mpsc::Sender<AckStreamItem<T>>,
) {
    while let Some(ack) = local.next().await {
        if acks.send(ack).await.is_err() {
            return;
        }
    }
}

/// What clients of other servers acknowledge.
struct Asking {
    namespace: Arc<Namespace>,
    shared: Arc<Shared>,
    expected: usize,
    timeout: Duration,
}

impl Asking {
    async fn forward<E: SocketEmitter>(
        self,
        kind: RequestKind,
        sockets: &MemberSockets<E>,
        acks: mpsc::Sender<AckStreamItem<E::AckError>>,
    ) {
        if self.expected == 0 {
            return;
        }
        let mut waiting = self.shared.wait();
        let id = Some(waiting.id.clone());
        if let Err(error) = self.shared.request(&self.namespace, id, kind).await {
            tracing::warn!("the cluster could not be asked to acknowledge: {error}");
            return;
        }
        let deadline = Instant::now() + self.timeout;
        let (mut counted, mut clients, mut answered) = (0, 0_u64, 0_u64);
        while counted < self.expected || answered < clients {
            match timeout_at(deadline, waiting.answers.recv()).await {
                Ok(Some(Response::ClientCount { clients: more, .. })) => {
                    counted += 1;
                    clients += u64::from(more);
                }
                Ok(Some(Response::Ack { value, .. })) => {
                    answered += 1;
                    let value = sockets.local.parser().encode_value(&Args(&[value]), None);
                    // Which socket it was is not told.
                    if let Ok(value) = value
                        && acks.send((Sid::ZERO, Ok(value))).await.is_err()
                    {
                        return;
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        // Each that is missing, as socketioxide tells it of its own sockets.
        for _ in answered..clients {
            if let Ok(late) = serde_json::from_str::<E::AckError>("\"Timeout\"")
                && acks.send((Sid::ZERO, Err(late))).await.is_err()
            {
                return;
            }
        }
    }
}
