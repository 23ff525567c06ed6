//! What servers ask each other for: a JSON object, or msgpack where binary may be inside.

use super::broadcast::{read_packet, write_packet};
use super::fields::{
    Event, Target, name, names, optional_name, read, write_names, write_names_of_either,
};
use crate::{Limits, Malformed, Value};

/// What a server, or an emitter, asks of all servers.
///
/// ```
/// use node_cluster::{Limits, Request, RequestKind};
///
/// let text = br#"{"type":1,"uid":"yodURL","requestId":"kHCkE2"}"#;
/// let request = Request::read(text, &Limits::default())?;
/// assert_eq!(request.kind, RequestKind::AllRooms);
/// assert_eq!(request.id.as_deref(), Some("kHCkE2"));
/// # Ok::<(), node_cluster::Malformed>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Which server asks. Emitters leave it out, except in a [`RequestKind::ServerSideEmit`].
    pub sender: Option<String>,
    /// What the answer has to name; absent where none is expected.
    pub id: Option<String>,
    /// What is asked for.
    pub kind: RequestKind,
}

/// What is asked for.
///
/// ```
/// use node_cluster::{RequestKind, Target};
///
/// let kind = RequestKind::Disconnect { target: Target::default(), close: true };
/// assert_ne!(kind, RequestKind::AllRooms);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum RequestKind {
    /// The ids of the sockets in these rooms. Only servers before version 8 ask.
    Sockets {
        /// All sockets if there are none.
        rooms: Vec<String>,
    },
    /// The names of all rooms.
    AllRooms,
    /// Sockets shall join rooms.
    Join {
        /// Which sockets.
        target: Target,
        /// Which rooms.
        rooms: Vec<String>,
    },
    /// Sockets shall leave rooms.
    Leave {
        /// Which sockets.
        target: Target,
        /// Which rooms.
        rooms: Vec<String>,
    },
    /// Sockets shall be disconnected.
    Disconnect {
        /// Which sockets.
        target: Target,
        /// Whether the whole connection is closed, rather than left by this namespace alone.
        close: bool,
    },
    /// What is known of the sockets.
    FetchSockets {
        /// Which sockets.
        target: Target,
    },
    /// An event for the servers themselves.
    ServerSideEmit(Event),
    /// An event for sockets that acknowledge it.
    BroadcastWithAck {
        /// The namespace, with its slash.
        namespace: String,
        /// The event.
        event: Event,
        /// For which sockets.
        target: Target,
    },
}

impl Request {
    /// Reads a message of the request channel.
    ///
    /// See [`Request`] for an example.
    ///
    /// # Errors
    /// [`Malformed`] if this is none, or larger than `limits` allow.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, Malformed> {
        let value = read(bytes, limits)?;
        let kind = value.field("type").and_then(Value::as_int).ok_or(Malformed::UnknownShape)?;
        Ok(Self {
            sender: optional_name(value.field("uid"), limits)?,
            id: optional_name(value.field("requestId"), limits)?,
            kind: read_kind(kind, &value, limits)?,
        })
    }

    /// Writes it for the request channel.
    ///
    /// ```
    /// use node_cluster::{Request, RequestKind, Target};
    ///
    /// let kind = RequestKind::FetchSockets { target: Target::default() };
    /// let request = Request { sender: Some("yodURL".into()), id: Some("Bujwei".into()), kind };
    /// let text = r#"{"uid":"yodURL","requestId":"Bujwei","type":5,"opts":{"rooms":[],"except":[]}}"#;
    /// assert_eq!(request.write(), text.as_bytes());
    /// ```
    pub fn write(&self) -> Vec<u8> {
        let text = |text: &Option<String>| text.clone().map_or(Value::Undefined, Value::Str);
        let mut fields = vec![
            ("uid".to_owned(), text(&self.sender)),
            ("requestId".to_owned(), text(&self.id)),
            ("type".to_owned(), Value::Int(self.kind.number())),
        ];
        fields.extend(self.kind.fields().map(|(name, value)| (name.to_owned(), value)));
        let value = Value::Map(fields);
        match self.kind {
            RequestKind::BroadcastWithAck { .. } => value.to_msgpack(),
            _ => value.to_json(),
        }
    }
}

fn read_kind(kind: i64, value: &Value, limits: &Limits) -> Result<RequestKind, Malformed> {
    Ok(match kind {
        0 => RequestKind::Sockets { rooms: names(value.field("rooms"), limits)? },
        1 => RequestKind::AllRooms,
        2 => {
            let (target, rooms) = joining(value, limits)?;
            RequestKind::Join { target, rooms }
        }
        3 => {
            let (target, rooms) = joining(value, limits)?;
            RequestKind::Leave { target, rooms }
        }
        4 => {
            let close = matches!(value.field("close"), Some(Value::Bool(true)));
            RequestKind::Disconnect { target: target_or_socket(value, limits)?, close }
        }
        5 => RequestKind::FetchSockets { target: target(value, limits)? },
        6 => RequestKind::ServerSideEmit(Event::read(value.field("data"), limits)?),
        7 => {
            let packet = value.field("packet").ok_or(Malformed::UnknownShape)?;
            let (namespace, event) = read_packet(packet, limits)?;
            RequestKind::BroadcastWithAck { namespace, event, target: target(value, limits)? }
        }
        _ => return Err(Malformed::UnknownType),
    })
}

fn target(value: &Value, limits: &Limits) -> Result<Target, Malformed> {
    Target::read(value.field("opts").ok_or(Malformed::UnknownShape)?, limits)
}

/// Servers before version 6 named one socket instead, which has a room of its own id.
fn target_or_socket(value: &Value, limits: &Limits) -> Result<Target, Malformed> {
    match value.field("opts") {
        Some(opts) if !opts.is_nullish() => Target::read(opts, limits),
        _ => {
            let rooms = vec![name(value.field("sid"), limits)?];
            Ok(Target { rooms, ..Target::default() })
        }
    }
}

fn joining(value: &Value, limits: &Limits) -> Result<(Target, Vec<String>), Malformed> {
    let target = target_or_socket(value, limits)?;
    let rooms = match value.field("rooms") {
        Some(_) => names(value.field("rooms"), limits)?,
        None => vec![name(value.field("room"), limits)?],
    };
    Ok((target, rooms))
}

impl RequestKind {
    fn number(&self) -> i64 {
        match self {
            Self::Sockets { .. } => 0,
            Self::AllRooms => 1,
            Self::Join { .. } => 2,
            Self::Leave { .. } => 3,
            Self::Disconnect { .. } => 4,
            Self::FetchSockets { .. } => 5,
            Self::ServerSideEmit(_) => 6,
            Self::BroadcastWithAck { .. } => 7,
        }
    }

    fn fields(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let fields = match self {
            Self::Sockets { rooms } => vec![("rooms", write_names(rooms))],
            Self::AllRooms => vec![],
            Self::Join { target, rooms } => {
                vec![("opts", target.write(false)), ("rooms", write_names(rooms))]
            }
            Self::Leave { target, rooms } => {
                vec![("opts", target.write(false)), ("rooms", write_names_of_either(rooms))]
            }
            Self::Disconnect { target, close } => {
                vec![("opts", target.write(false)), ("close", Value::Bool(*close))]
            }
            Self::FetchSockets { target } => vec![("opts", target.write(false))],
            Self::ServerSideEmit(event) => vec![("data", event.write())],
            Self::BroadcastWithAck { namespace, event, target } => {
                vec![("packet", write_packet(namespace, event)), ("opts", target.write(true))]
            }
        };
        fields.into_iter()
    }
}
