//! What the app decides.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{Event, Value};

/// A socket of this server.
///
/// ```
/// use node_cluster::SocketAddress;
///
/// let socket = SocketAddress { namespace: "/", id: "AAAAAAAAAAAAAAAA" };
/// assert_eq!(socket.namespace, "/");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketAddress<'a> {
    /// Its namespace, with the slash.
    pub namespace: &'a str,
    /// Its id.
    pub id: &'a str,
}

/// What a room's name from the cluster stands for here.
///
/// ```
/// use node_cluster::Name;
///
/// let name = Name::Rooms(vec!["keyed:9f2c".into()]);
/// assert_ne!(name, Name::Refused);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// The room of this name, or the socket of this id.
    Plain,
    /// These rooms instead. None at all means no socket.
    Rooms(Vec<String>),
    /// A name that no publisher may use. The message is dropped, and counted.
    Refused,
}

/// What a server tells others of one of its sockets.
///
/// ```
/// use node_cluster::{Description, Value};
///
/// assert_eq!(Description::default().data, Value::Undefined);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// What Node's `fetchSockets()` shows as `data`.
    pub data: Value,
    /// What it shows as `handshake`.
    pub handshake: Value,
}

/// An event that a server or an emitter sent to the servers themselves.
///
/// ```
/// use node_cluster::{Event, ServerEvent};
///
/// let event = Event::new("reload", vec![])?;
/// let from_an_emitter = ServerEvent { namespace: "/", sender: Some("emitter"), event: &event, answer: None };
/// assert!(from_an_emitter.answer.is_none());
/// # Ok::<(), node_cluster::Malformed>(())
/// ```
#[derive(Debug)]
pub struct ServerEvent<'a> {
    /// The namespace, with its slash.
    pub namespace: &'a str,
    /// Which server sent it; `emitter` for an emitter.
    pub sender: Option<&'a str>,
    /// The event.
    pub event: &'a Event,
    /// How to answer, where the sender waits for that.
    pub answer: Option<Answer>,
}

/// Sends the one answer to a [`ServerEvent`]. Dropped, it answers nothing, and the sender waits for
/// its timeout.
///
/// ```
/// use node_cluster::{Answer, Value};
///
/// let (answer, sent) = Answer::channel();
/// answer.send(Value::Int(1));
/// assert_eq!(sent.try_recv(), Ok(Value::Int(1)));
/// ```
pub struct Answer(Box<dyn FnOnce(Value) + Send>);

impl Answer {
    pub(crate) fn new(send: impl FnOnce(Value) + Send + 'static) -> Self {
        Self(Box::new(send))
    }

    /// For the tests of a [`Hooks::server_event`]: an answer, and where it arrives.
    ///
    /// See [`Answer`] for an example.
    pub fn channel() -> (Self, std::sync::mpsc::Receiver<Value>) {
        let (sender, receiver) = std::sync::mpsc::channel();
        (Self::new(move |value| drop(sender.send(value))), receiver)
    }

    /// Sends it.
    ///
    /// See [`Answer`] for an example.
    pub fn send(self, value: Value) {
        (self.0)(value);
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Answer")
    }
}

/// What the app decides. Every method has a default, which is what a plain Node server does.
///
/// They are called often, must not block, and must not call this crate back. One that panics has said no:
/// nothing is received, joined or translated.
///
/// ```
/// use node_cluster::{Hooks, Name, SocketAddress};
///
/// struct Users;
///
/// impl Hooks for Users {
///     fn name(&self, _: &str, name: &str) -> Name {
///         match name.strip_prefix("user:") {
///             Some(user) => Name::Rooms(vec![format!("keyed:{user}")]),
///             None if name.starts_with("keyed:") => Name::Refused,
///             None => Name::Plain,
///         }
///     }
///
///     fn may_join(&self, _: SocketAddress<'_>, room: &str) -> bool {
///         room != "staff"
///     }
/// }
///
/// assert_eq!(Users.name("/", "user:42"), Name::Rooms(vec!["keyed:42".into()]));
/// assert_eq!(Users.name("/", "keyed:42"), Name::Refused);
/// ```
pub trait Hooks: Send + Sync + 'static {
    /// Whether a socket may receive what the cluster sends it. Asked for each message at the moment
    /// when it is handed to the socket, and for every join.
    ///
    /// # Security
    /// A socket whose login has ended must not: say no as soon as that is known.
    fn may_receive(&self, _socket: SocketAddress<'_>) -> bool {
        true
    }

    /// Whether a publisher may make a socket join a room, or leave it. Names that are shaped like the id
    /// of a socket, or that [`name`](Self::name) translates or refuses, are refused without asking: a
    /// room of that name would receive what is meant for others.
    fn may_join(&self, _socket: SocketAddress<'_>, _room: &str) -> bool {
        true
    }

    /// What a name in an incoming `to`, `in` or `except` stands for.
    fn name(&self, _namespace: &str, _name: &str) -> Name {
        Name::Plain
    }

    /// How a room of this server is named to others; `None` if it is not. Then nothing is published that has the room as
    /// an exception: see [`ClusterError::PrivateException`](crate::ClusterError::PrivateException).
    fn public_name<'a>(&self, _namespace: &str, room: &'a str) -> Option<Cow<'a, str>> {
        Some(Cow::Borrowed(room))
    }

    /// What others are told of a socket.
    ///
    /// # Security
    /// They are told what this returns, and their logs may hold it. A cookie must not be in it.
    fn describe(&self, _socket: SocketAddress<'_>) -> Description {
        Description::default()
    }

    /// A publisher disconnects a socket; with `close`, its whole connection. Returns whether the app
    /// does it. Else this crate sends the DISCONNECT packet.
    fn disconnect(&self, _socket: SocketAddress<'_>, _close: bool) -> bool {
        false
    }

    /// Closes the connection of a socket. Returns whether the app can. Else a socket that reads too
    /// slowly gets a DISCONNECT packet, once there is room for one.
    fn close_connection(&self, _socket: SocketAddress<'_>) -> bool {
        false
    }

    /// An event for the servers themselves.
    fn server_event(&self, _event: ServerEvent<'_>) {}
}

/// Decides as a plain Node server does.
///
/// ```
/// use node_cluster::{Hooks, Name, NoHooks};
///
/// assert_eq!(NoHooks.name("/", "user:42"), Name::Plain);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}

/// Shared by everything that serves one key.
pub(crate) type SharedHooks = Arc<dyn Hooks>;
