//! One namespace of a member: its sockets, and what they answer.

use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::SelectAll;
use futures_util::{Stream, StreamExt as _};
use socketioxide::socket::Sid;
use socketioxide_core::adapter::errors::SocketError;
use socketioxide_core::adapter::{
    AckStreamItem, BroadcastFlags, BroadcastOptions, CoreLocalAdapter, Room, SocketEmitter,
};
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::Parse as _;

use super::packet;
use crate::sockets::{Args, Content, Payload, Sent, Sockets};
use crate::{Event, Value};

/// What clients acknowledge.
pub(super) type AckStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;
/// The same, and how many were asked.
pub(super) type Acks<T> = (AckStream<T>, u32);

/// socketioxide's own adapter of one namespace.
pub(super) struct MemberSockets<E: SocketEmitter> {
    pub(super) local: CoreLocalAdapter<E>,
}

/// What a member of a cluster does beyond [`Sockets`]; the same for every `E`.
pub(super) trait Member: Sockets {
    fn rooms(&self) -> Vec<String>;
    fn rooms_of(&self, id: Sid) -> Vec<String>;
    /// What each client acknowledges first.
    fn emit_with_ack(&self, ids: &[Sid], event: &Event, timeout: Option<Duration>) -> Acks<Value>;
}

fn all() -> BroadcastOptions {
    let mut options = BroadcastOptions::default();
    options.add_flag(BroadcastFlags::Broadcast);
    options
}

fn names(rooms: impl IntoIterator<Item = Room>) -> Vec<String> {
    rooms.into_iter().map(Room::into_owned).collect()
}

impl<E: SocketEmitter> MemberSockets<E> {
    fn packet(&self, event: &Event) -> Option<Packet> {
        let data = self.local.parser().encode_value(&Args(event.args()), Some(event.name()));
        data.ok().map(|data| Packet::event(self.local.path().clone(), data))
    }

    /// Each asked for itself, since a broadcast would choose them anew.
    pub(super) fn acks(
        &self,
        ids: &[Sid],
        packet: &Packet,
        timeout: Option<Duration>,
    ) -> Acks<AckStreamItem<E::AckError>> {
        let (mut streams, mut count) = (SelectAll::new(), 0);
        for id in ids {
            let options = BroadcastOptions::new(*id);
            let (stream, asked) = self.local.broadcast_with_ack(packet.clone(), options, timeout);
            streams.push(Box::pin(stream));
            count += asked;
        }
        (Box::pin(streams), count)
    }
}

impl<E: SocketEmitter> Sockets for MemberSockets<E> {
    fn namespace(&self) -> &str {
        self.local.path()
    }

    fn all(&self) -> Vec<Sid> {
        self.local.sockets(all())
    }

    fn in_rooms(&self, rooms: Vec<String>) -> Vec<Sid> {
        if rooms.is_empty() {
            return Vec::new();
        }
        let mut options = all();
        options.rooms.extend(rooms.into_iter().map(Room::Owned));
        self.local.sockets(options)
    }

    fn has(&self, id: Sid) -> bool {
        !self.local.fetch_sockets(BroadcastOptions::new(id)).is_empty()
    }

    fn payload(&self, event: Event, size: usize) -> Option<Payload> {
        self.packet(&event).map(|packet| Payload { content: Content::Packet(packet), size })
    }

    fn send(&self, id: Sid, payload: &Payload, volatile: bool) -> Sent {
        let Content::Packet(packet) = &payload.content else { return Sent::Gone };
        let mut options = BroadcastOptions::new(id);
        if volatile {
            options.add_flag(BroadcastFlags::Volatile);
        }
        match self.local.broadcast(packet.clone(), options) {
            Ok(()) => Sent::Done,
            Err(errors) => told(&errors),
        }
    }

    fn join(&self, id: Sid, rooms: Vec<String>) {
        if self.has(id) {
            self.local.add_all(id, rooms);
            // It may have gone meanwhile, and would stay in those rooms for ever.
            if !self.has(id) {
                self.local.del_all(id);
            }
        }
    }

    fn leave(&self, id: Sid, rooms: Vec<String>) {
        self.local.del(id, rooms);
    }

    fn leave_all(&self, id: Sid) {
        self.local.del_all(id);
    }

    fn disconnect(&self, id: Sid) -> Sent {
        match self.local.disconnect_socket(BroadcastOptions::new(id)) {
            Ok(()) => Sent::Done,
            Err(errors) => told(&errors),
        }
    }
}

fn told(errors: &[SocketError]) -> Sent {
    match errors.first() {
        Some(SocketError::InternalChannelFull) => Sent::Full,
        Some(SocketError::Closed) | None => Sent::Gone,
    }
}

impl<E: SocketEmitter> Member for MemberSockets<E> {
    fn rooms(&self) -> Vec<String> {
        names(self.local.rooms(all()))
    }

    fn rooms_of(&self, id: Sid) -> Vec<String> {
        names(self.local.socket_rooms(id))
    }

    fn emit_with_ack(&self, ids: &[Sid], event: &Event, timeout: Option<Duration>) -> Acks<Value> {
        let Some(packet) = self.packet(event) else {
            return (Box::pin(futures_util::stream::empty()), 0);
        };
        let (acks, count) = self.acks(ids, &packet, timeout);
        let values = acks.filter_map(async |(_, answer)| Some(packet::first(&answer.ok()?)));
        (Box::pin(values), count)
    }
}
