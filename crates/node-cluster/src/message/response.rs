//! What servers answer.

use super::fields::{name, names, read, write_names};
use crate::{Limits, Malformed, Value};

/// An answer of one server to a [`Request`](super::Request), or of one client to an event.
///
/// ```
/// use node_cluster::{Limits, Response};
///
/// let response = Response::Rooms { id: "r2".into(), rooms: vec!["a".into()] };
/// assert_eq!(response.write(), br#"{"requestId":"r2","rooms":["a"]}"#);
/// assert_eq!(Response::read(&response.write(), &Limits::default())?, response);
/// # Ok::<(), node_cluster::Malformed>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// The ids of sockets, for servers before version 8.
    SocketIds {
        /// Which request this answers.
        id: String,
        /// The ids.
        sockets: Vec<String>,
    },
    /// Sockets.
    Sockets {
        /// Which request this answers.
        id: String,
        /// The sockets.
        sockets: Vec<RemoteSocket>,
    },
    /// The names of rooms.
    Rooms {
        /// Which request this answers.
        id: String,
        /// The rooms.
        rooms: Vec<String>,
    },
    /// What a server answered to an event.
    ServerSideEmit {
        /// Which request this answers.
        id: String,
        /// The answer.
        data: Value,
    },
    /// How many clients of a server have been asked to acknowledge.
    ClientCount {
        /// Which request this answers.
        id: String,
        /// How many.
        clients: u32,
    },
    /// What a client acknowledged.
    Ack {
        /// Which request this answers.
        id: String,
        /// Its first argument.
        value: Value,
    },
    /// It is done, for servers before version 6.
    Done {
        /// Which request this answers.
        id: String,
    },
}

/// What a server tells of one of its sockets.
///
/// ```
/// use node_cluster::{RemoteSocket, Value};
///
/// let socket = RemoteSocket {
///     id: "ojIckSD2jqNzOqIrAGzL".into(),
///     rooms: vec!["ojIckSD2jqNzOqIrAGzL".into()],
///     ..RemoteSocket::default()
/// };
/// assert_eq!(socket.data, Value::Undefined);
/// ```
///
/// # Security
/// The `handshake` of a Node server's socket holds its request's headers, the cookie among them.
/// `Debug` leaves it and `data` out.
#[derive(Clone, Default, PartialEq)]
pub struct RemoteSocket {
    /// Its id: 20 characters for a socket of a Node server.
    pub id: String,
    /// Its rooms, the one of its own id among them.
    pub rooms: Vec<String>,
    /// What its server's program keeps with it.
    pub data: Value,
    /// Its request: `{headers, time, address, xdomain, secure, issued, url, query, auth}` from Node.
    pub handshake: Value,
}

impl std::fmt::Debug for RemoteSocket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RemoteSocket")
            .field("id", &self.id)
            .field("rooms", &self.rooms)
            .finish_non_exhaustive()
    }
}

impl RemoteSocket {
    fn read(value: &Value, limits: &Limits) -> Result<Self, Malformed> {
        let field = |name| value.field(name).cloned().unwrap_or_default();
        Ok(Self {
            id: name(value.field("id"), limits)?,
            rooms: names(value.field("rooms"), limits)?,
            data: field("data"),
            handshake: field("handshake"),
        })
    }

    fn write(&self) -> Value {
        Value::Map(vec![
            ("id".into(), Value::Str(self.id.clone())),
            ("handshake".into(), self.handshake.clone()),
            ("rooms".into(), write_names(&self.rooms)),
            ("data".into(), self.data.clone()),
        ])
    }
}

impl Response {
    /// Reads a message of the response channel.
    ///
    /// See [`Response`] for an example.
    ///
    /// # Errors
    /// [`Malformed`] if this is none, or larger than `limits` allow.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, Malformed> {
        let value = read(bytes, limits)?;
        let id = name(value.field("requestId"), limits)?;
        let field = |name| value.field(name).cloned().unwrap_or_default();
        match value.field("type").and_then(Value::as_int) {
            Some(6) => return Ok(Self::ServerSideEmit { id, data: field("data") }),
            Some(8) => {
                let clients = value.field("clientCount").and_then(Value::as_int);
                let clients = clients.and_then(|clients| u32::try_from(clients).ok());
                let clients = clients.ok_or(Malformed::UnknownShape)?;
                return Ok(Self::ClientCount { id, clients });
            }
            Some(9) => return Ok(Self::Ack { id, value: field("packet") }),
            Some(_) => return Err(Malformed::UnknownType),
            None => {}
        }
        match (value.field("sockets"), value.field("rooms")) {
            (Some(Value::Array(sockets)), _) => {
                if let Some(Value::Map(_)) = sockets.first() {
                    let sockets = sockets.iter().map(|socket| RemoteSocket::read(socket, limits));
                    Ok(Self::Sockets { id, sockets: sockets.collect::<Result<_, _>>()? })
                } else if sockets.is_empty() {
                    Ok(Self::Sockets { id, sockets: Vec::new() })
                } else {
                    let sockets = sockets.iter().map(|socket| name(Some(socket), limits));
                    Ok(Self::SocketIds { id, sockets: sockets.collect::<Result<_, _>>()? })
                }
            }
            (None, Some(Value::Array(rooms))) => {
                // A server may have as many rooms as it likes: only the message is limited.
                let rooms = rooms.iter().map(|room| name(Some(room), limits));
                Ok(Self::Rooms { id, rooms: rooms.collect::<Result<_, _>>()? })
            }
            (None, None) => Ok(Self::Done { id }),
            _ => Err(Malformed::UnknownShape),
        }
    }

    /// Which request this answers.
    ///
    /// ```
    /// use node_cluster::Response;
    ///
    /// assert_eq!(Response::Done { id: "r1".into() }.id(), "r1");
    /// ```
    pub fn id(&self) -> &str {
        match self {
            Self::SocketIds { id, .. }
            | Self::Sockets { id, .. }
            | Self::Rooms { id, .. }
            | Self::ServerSideEmit { id, .. }
            | Self::ClientCount { id, .. }
            | Self::Ack { id, .. }
            | Self::Done { id } => id,
        }
    }

    /// Writes it for the response channel.
    ///
    /// See [`Response`] for an example.
    pub fn write(&self) -> Vec<u8> {
        let kind = |number| ("type", Value::Int(number));
        let id = ("requestId", Value::Str(self.id().to_owned()));
        let fields = match self {
            Self::SocketIds { sockets, .. } => vec![id, ("sockets", write_names(sockets))],
            Self::Sockets { sockets, .. } => {
                let sockets = sockets.iter().map(RemoteSocket::write).collect();
                vec![id, ("sockets", Value::Array(sockets))]
            }
            Self::Rooms { rooms, .. } => vec![id, ("rooms", write_names(rooms))],
            Self::ServerSideEmit { data, .. } => vec![kind(6), id, ("data", data.clone())],
            Self::ClientCount { clients, .. } => {
                vec![kind(8), id, ("clientCount", Value::Int((*clients).into()))]
            }
            Self::Ack { value, .. } => vec![kind(9), id, ("packet", value.clone())],
            Self::Done { .. } => vec![id],
        };
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        let value = Value::Map(fields.collect());
        // What a client acknowledges may be binary.
        if matches!(self, Self::Ack { .. }) { value.to_msgpack() } else { value.to_json() }
    }
}
