//! The sockets of one namespace on this server, whatever adapter it has.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeTuple as _, Serializer};
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;
use socketioxide::operators::BroadcastOperators;
use socketioxide::socket::Sid;
use socketioxide::{SendError, SocketError, SocketIo};
use socketioxide_core::packet::Packet;

use crate::{Event, Value};

/// An event, in the form in which the sockets take it. Cheap to keep for many of them.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) content: Content,
    /// About how many bytes it takes.
    pub(crate) size: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Event(Arc<Event>),
    Packet(Packet),
}

/// What has become of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Done,
    /// There was no room for it in socketioxide's buffer.
    Full,
    /// The socket is not there.
    Gone,
}

/// The sockets of one namespace on this server.
pub(crate) trait Sockets: Send + Sync + 'static {
    fn namespace(&self) -> &str;
    fn all(&self) -> Vec<Sid>;
    /// Those in any of these rooms, each once.
    fn in_rooms(&self, rooms: Vec<String>) -> Vec<Sid>;
    fn has(&self, id: Sid) -> bool;
    /// `None` if it cannot be written for clients.
    fn payload(&self, event: Event, size: usize) -> Option<Payload>;
    fn send(&self, id: Sid, payload: &Payload, volatile: bool) -> Sent;
    fn join(&self, id: Sid, rooms: Vec<String>);
    fn leave(&self, id: Sid, rooms: Vec<String>);
    fn leave_all(&self, id: Sid);
    fn disconnect(&self, id: Sid) -> Sent;
}

/// A namespace seen through socketioxide's public handle: beside any adapter.
pub(crate) struct PublicSockets<A: Adapter> {
    io: SocketIo<A>,
    namespace: String,
}

impl<A: Adapter> PublicSockets<A> {
    /// `None` where there is no such namespace.
    pub(crate) fn new(io: &SocketIo<A>, namespace: &str) -> Option<Self> {
        io.of(namespace)?;
        Some(Self { io: io.clone(), namespace: namespace.to_owned() })
    }

    fn operators(&self) -> Option<BroadcastOperators<A>> {
        self.io.of(&self.namespace)
    }

    fn socket(&self, id: Sid) -> Option<SocketRef<A>> {
        self.operators()?.get_socket(id)
    }
}

fn ids<A: Adapter>(operators: BroadcastOperators<A>) -> Vec<Sid> {
    operators.sockets().into_iter().map(|socket| socket.id).collect()
}

impl<A: Adapter> Sockets for PublicSockets<A> {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn all(&self) -> Vec<Sid> {
        self.operators().map(ids).unwrap_or_default()
    }

    fn in_rooms(&self, rooms: Vec<String>) -> Vec<Sid> {
        if rooms.is_empty() {
            return Vec::new();
        }
        self.operators().map(|operators| ids(operators.within(rooms))).unwrap_or_default()
    }

    fn has(&self, id: Sid) -> bool {
        self.socket(id).is_some()
    }

    fn payload(&self, event: Event, size: usize) -> Option<Payload> {
        Some(Payload { content: Content::Event(Arc::new(event)), size })
    }

    fn send(&self, id: Sid, payload: &Payload, volatile: bool) -> Sent {
        let (Some(socket), Content::Event(event)) = (self.socket(id), &payload.content) else {
            return Sent::Gone;
        };
        let args = Args(event.args());
        let sent = if volatile {
            socket.volatile().emit(event.name(), &args)
        } else {
            socket.emit(event.name(), &args)
        };
        match sent {
            Ok(()) => Sent::Done,
            Err(SendError::Socket(SocketError::InternalChannelFull)) => Sent::Full,
            Err(SendError::Socket(SocketError::Closed) | SendError::Serialize(_)) => Sent::Gone,
        }
    }

    fn join(&self, id: Sid, rooms: Vec<String>) {
        if let Some(socket) = self.socket(id) {
            join(&socket, rooms);
        }
    }

    fn leave(&self, id: Sid, rooms: Vec<String>) {
        if let Some(socket) = self.socket(id) {
            socket.leave(rooms);
        }
    }

    fn leave_all(&self, id: Sid) {
        if let Some(socket) = self.socket(id) {
            socket.leave_all();
        }
    }

    fn disconnect(&self, id: Sid) -> Sent {
        match self.socket(id).map(SocketRef::disconnect) {
            Some(Ok(())) => Sent::Done,
            Some(Err(SocketError::InternalChannelFull)) => Sent::Full,
            Some(Err(SocketError::Closed)) | None => Sent::Gone,
        }
    }
}

/// A socket that has closed meanwhile would leave its id in the rooms for ever. The connection's next socket in this
/// namespace has the same id, perhaps without a login, and would be in them.
fn join<A: Adapter>(socket: &SocketRef<A>, rooms: Vec<String>) {
    socket.join(rooms.clone());
    // As long as it is connected, its end has yet to remove it from its rooms.
    if !socket.connected() {
        socket.leave(rooms);
    }
}

/// The arguments of an event, which socketioxide spreads only if they are a tuple.
pub(crate) struct Args<'a>(pub(crate) &'a [Value]);

impl Serialize for Args<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for argument in self.0 {
            tuple.serialize_element(argument)?;
        }
        tuple.end()
    }
}

#[cfg(test)]
mod tests;
