//! What all namespaces of a member share: the connections, who waits for an answer, and where a
//! message goes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use socketioxide::socket::Sid;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::ClusterError;
use super::node::Member;
use crate::channel::Channels;
use crate::hooks::{Answer, ServerEvent, SharedHooks};
use crate::reach::{Reach, socket_id};
use crate::redis::{Incoming, Publisher};
use crate::stats::Stats;
use crate::{
    Broadcast, Limits, Malformed, QueueLimits, RemoteSocket, Request, RequestKind, Response, Target,
};

/// So many answers to one question may wait to be looked at: each client's acknowledgement is one. One
/// that finds no room is dropped, and the question waits until its timeout.
const WAITING: usize = 65_536;

pub(super) struct Shared {
    pub(super) channels: Channels,
    pub(super) publisher: Publisher,
    pub(super) hooks: SharedHooks,
    pub(super) limits: Limits,
    pub(super) queue: QueueLimits,
    pub(super) stats: Arc<Stats>,
    pub(super) timeout: Duration,
    pub(super) answer_to_one: bool,
    pub(super) answers: mpsc::Sender<Publication>,
    pub(super) namespaces: RwLock<HashMap<String, Arc<Namespace>>>,
    pub(super) waiting: Mutex<HashMap<String, mpsc::Sender<Response>>>,
}

/// Something to publish.
pub(super) struct Publication {
    pub(super) channel: String,
    pub(super) message: Vec<u8>,
}

/// One namespace of this server.
pub(super) struct Namespace {
    /// This server's name there.
    pub(super) uid: String,
    pub(super) member: Arc<dyn Member>,
    pub(super) reach: Reach,
}

/// 6 letters and digits, as Node's servers have for themselves and for their requests.
pub(super) fn uid() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(6).collect()
}

/// Publishes answers, one after the other.
pub(super) async fn publish_answers(
    shared: std::sync::Weak<Shared>,
    mut answers: mpsc::Receiver<Publication>,
) {
    while let Some(Publication { channel, message }) = answers.recv().await {
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = shared.publisher.publish(&channel, &message).await {
            tracing::warn!("an answer to the cluster was lost: {error}");
        }
    }
}

/// Takes an answer out of those that are waited for, whatever happens.
pub(super) struct Waiting<'a> {
    shared: &'a Shared,
    pub(super) id: String,
    pub(super) answers: mpsc::Receiver<Response>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.waiting().remove(&self.id);
    }
}

impl Shared {
    pub(super) fn namespace(&self, name: &str) -> Option<Arc<Namespace>> {
        self.namespaces.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Response>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait(&self) -> Waiting<'_> {
        let (answer, answers) = mpsc::channel(WAITING);
        let id = uid();
        self.waiting().insert(id.clone(), answer);
        Waiting { shared: self, id, answers }
    }

    /// How many servers there are beside this one.
    pub(super) async fn others(&self, namespace: &str) -> Result<usize, ClusterError> {
        let servers = self.publisher.subscribers(&self.channels.request(namespace)).await?;
        Ok(usize::try_from(servers.saturating_sub(1)).unwrap_or(usize::MAX))
    }

    pub(super) async fn request(
        &self,
        namespace: &Namespace,
        id: Option<String>,
        kind: RequestKind,
    ) -> Result<(), ClusterError> {
        let request = Request { sender: Some(namespace.uid.clone()), id, kind };
        let channel = self.channels.request(namespace.member.namespace());
        Ok(self.publisher.publish(&channel, &request.write()).await?)
    }

    /// Asks all other servers, and waits for each one's answer.
    pub(super) async fn ask(
        &self,
        namespace: &Namespace,
        kind: RequestKind,
    ) -> Result<Vec<Response>, ClusterError> {
        let expected = self.others(namespace.member.namespace()).await?;
        let mut answered = Vec::new();
        if expected == 0 {
            return Ok(answered);
        }
        let mut waiting = self.wait();
        self.request(namespace, Some(waiting.id.clone()), kind).await?;
        let deadline = Instant::now() + self.timeout;
        while answered.len() < expected {
            match timeout_at(deadline, waiting.answers.recv()).await {
                Ok(Some(answer)) => answered.push(answer),
                Ok(None) | Err(_) => {
                    return Err(ClusterError::Missing { expected, answered: answered.len() });
                }
            }
        }
        Ok(answered)
    }

    pub(super) fn hear(self: &Arc<Self>, incoming: &Incoming) {
        self.stats.received.add();
        let channel = incoming.channel.as_str();
        let heard = if let Some(namespace) = self.channels.read_request(channel) {
            self.hear_request(namespace, &incoming.message)
        } else if self.channels.is_response(channel) {
            self.hear_response(&incoming.message)
        } else {
            self.hear_broadcast(channel, &incoming.message)
        };
        if let Err(fault) = heard {
            self.stats.malformed(fault);
        }
    }

    fn hear_broadcast(&self, channel: &str, message: &[u8]) -> Result<(), Malformed> {
        let is_known = |namespace: &str| self.namespace(namespace).is_some();
        let Some((name, room)) = self.channels.read_broadcast(channel, is_known) else {
            return Ok(());
        };
        let Some(namespace) = self.namespace(name) else { return Ok(()) };
        if room.is_some_and(|room| !namespace.reach.has_any(room)) {
            return Ok(());
        }
        let broadcast = Broadcast::read(message, &self.limits)?;
        if broadcast.sender == namespace.uid {
            return Ok(());
        }
        if broadcast.namespace != name {
            return Err(Malformed::OtherNamespace);
        }
        namespace.reach.emit(broadcast.event, &broadcast.target, message.len());
        Ok(())
    }

    fn hear_response(&self, message: &[u8]) -> Result<(), Malformed> {
        // Those to others are not even read, when this server waits for none.
        if self.waiting().is_empty() {
            return Ok(());
        }
        let response = Response::read(message, &self.limits.of_answers())?;
        let waiting = self.waiting().get(response.id()).cloned();
        if let Some(waiting) = waiting
            && waiting.try_send(response).is_err()
        {
            tracing::debug!("an answer of the cluster came too late, or one too many");
        }
        Ok(())
    }

    fn hear_request(self: &Arc<Self>, name: &str, message: &[u8]) -> Result<(), Malformed> {
        let Some(namespace) = self.namespace(name) else { return Ok(()) };
        let request = Request::read(message, &self.limits)?;
        let Request { sender, id, kind } = request;
        // What this server published itself, it has done already.
        if sender.as_deref() == Some(&namespace.uid) {
            return Ok(());
        }
        let answer = |answer: Response| self.answer(name, sender.as_deref(), &answer);
        let done = |id: Option<String>, has_sid: bool| {
            if let (Some(id), true) = (id, has_sid) {
                answer(Response::Done { id });
            }
        };
        match kind {
            RequestKind::Join { target, rooms } => {
                namespace.reach.join(&target, &rooms);
                // Only servers before version 6 wait for it.
                done(id, sender.is_none());
            }
            RequestKind::Leave { target, rooms } => {
                namespace.reach.leave(&target, &rooms);
                done(id, sender.is_none());
            }
            RequestKind::Disconnect { target, close } => {
                namespace.reach.disconnect(&target, close);
                done(id, sender.is_none());
            }
            RequestKind::ServerSideEmit(event) => {
                let answer = id.map(|id| {
                    // To all, whatever the option says: so does Node.
                    let (shared, channel) = (self.clone(), self.channels.response(name));
                    Answer::new(move |data| {
                        let message = Response::ServerSideEmit { id, data }.write();
                        shared.publish_later(Publication { channel, message });
                    })
                });
                let sender = sender.as_deref();
                self.hooks.server_event(ServerEvent {
                    namespace: name,
                    sender,
                    event: &event,
                    answer,
                });
            }
            RequestKind::Sockets { rooms } => {
                let id = id.ok_or(Malformed::UnknownShape)?;
                let target = Target { rooms, ..Target::default() };
                let sockets = namespace.reach.select(&target).unwrap_or_default();
                let sockets = sockets.iter().map(|id| id.as_str().to_owned()).collect();
                answer(Response::SocketIds { id, sockets });
            }
            RequestKind::AllRooms => {
                let id = id.ok_or(Malformed::UnknownShape)?;
                answer(Response::Rooms { id, rooms: self.rooms(&namespace) });
            }
            RequestKind::FetchSockets { target } => {
                let id = id.ok_or(Malformed::UnknownShape)?;
                answer(Response::Sockets { id, sockets: self.sockets(&namespace, &target) });
            }
            RequestKind::BroadcastWithAck { namespace: packet_namespace, event, target } => {
                let id = id.ok_or(Malformed::UnknownShape)?;
                if packet_namespace != name {
                    return Err(Malformed::OtherNamespace);
                }
                let selected = namespace.reach.select(&target).unwrap_or_default();
                let selected = namespace.reach.may_receive(selected);
                let (mut acks, clients) =
                    namespace.member.emit_with_ack(&selected, &event, target.timeout);
                let channel = self.response_channel(name, sender.as_deref());
                let answers = self.answers.clone();
                tokio::spawn(async move {
                    let send = async |response: Response| {
                        let publication =
                            Publication { channel: channel.clone(), message: response.write() };
                        answers.send(publication).await.is_ok()
                    };
                    send(Response::ClientCount { id: id.clone(), clients }).await;
                    while let Some(value) = acks.next().await {
                        send(Response::Ack { id: id.clone(), value }).await;
                    }
                });
            }
        }
        Ok(())
    }

    fn response_channel(&self, namespace: &str, sender: Option<&str>) -> String {
        match sender {
            Some(sender) if self.answer_to_one => self.channels.response_to(namespace, sender),
            _ => self.channels.response(namespace),
        }
    }

    fn answer(&self, namespace: &str, sender: Option<&str>, response: &Response) {
        let channel = self.response_channel(namespace, sender);
        self.publish_later(Publication { channel, message: response.write() });
    }

    fn publish_later(&self, publication: Publication) {
        if self.answers.try_send(publication).is_err() {
            self.stats
                .unanswered
                .warn_once("too many requests of the cluster wait: one is not answered");
        }
    }

    /// The rooms of this server, as others may know them. As in Node, each socket is in one of its
    /// own id.
    pub(super) fn rooms(&self, namespace: &Namespace) -> Vec<String> {
        let name = namespace.member.namespace();
        let rooms = namespace.member.rooms();
        let rooms = rooms.iter().filter_map(|room| self.public_name(name, room));
        let ids = namespace.member.all();
        let ids = ids.iter().map(|id| id.as_str().to_owned());
        rooms.map(Cow::into_owned).chain(ids).collect()
    }

    /// How a room is named to others. One that is named like the id of a socket would be taken for that socket's.
    fn public_name<'a>(&self, namespace: &str, room: &'a str) -> Option<Cow<'a, str>> {
        if socket_id(room).is_some() { None } else { self.hooks.public_name(namespace, room) }
    }

    /// The sockets of this server, as others may know them.
    pub(super) fn sockets(&self, namespace: &Namespace, target: &Target) -> Vec<RemoteSocket> {
        let selected = namespace.reach.select(target).unwrap_or_default();
        let selected = namespace.reach.may_receive(selected);
        selected.into_iter().map(|id| self.socket(namespace, id)).collect()
    }

    pub(super) fn socket(&self, namespace: &Namespace, id: Sid) -> RemoteSocket {
        let description = self.hooks.describe(namespace.reach.address(&id));
        let name = namespace.member.namespace();
        let mut rooms = vec![id.as_str().to_owned()];
        for room in namespace.member.rooms_of(id) {
            rooms.extend(self.public_name(name, &room).map(Cow::into_owned));
        }
        RemoteSocket {
            id: id.as_str().to_owned(),
            rooms,
            data: description.data,
            handshake: description.handshake,
        }
    }
}
