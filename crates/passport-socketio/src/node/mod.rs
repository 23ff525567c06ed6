//! Node's Socket.IO servers and emitters reach the sockets here, as far as their logins allow. Needs the feature
//! `node-cluster`.
//!
//! The protocol is that of the crate [`node_cluster`]. What its messages may do to a socket is decided by
//! [`NodeHooks`]:
//!
//! - `user:42` and `session:<hash>` are aliases, not rooms: a message to one reaches the sockets of this user or
//!   session, and no socket can join it. `user:42` means the keys `42` and `"42"` alike; a key that is an object has no
//!   alias. `<hash>` is the SHA-256 of the session's id, in hexadecimal digits.
//! - A socket whose login has ended receives nothing, and joins nothing.
//! - A socket that Node disconnects is an end of its login here, `evicted`, with its audit event.
//! - Node's `fetchSockets()` shows `data: {user: <key>}` and no header.
//!
//! ```no_run
//! # use passport_socketio::{Authorizer, store::MemoryStore};
//! # use socketioxide::{SocketIo, handler::ConnectHandler};
//! # use std::sync::Arc;
//! # async fn run(auth: Authorizer<i64>) -> Result<(), Box<dyn std::error::Error>> {
//! use passport_socketio::node::NodeHooks;
//! use passport_socketio::node_cluster::{Listener, Redis};
//!
//! let (layer, io) = SocketIo::new_layer();
//! io.ns("/", (async || {}).with(auth.required()));
//!
//! let hooks = NodeHooks::new();
//! hooks.serve(&io, &auth);
//! let redis = Redis::from_url("redis://127.0.0.1:6379/")?;
//! let listener = Listener::builder(redis).hooks(Arc::new(hooks)).start(&io).await?;
//! # Ok(()) }
//! ```
//!
//! Now the Express app's `new Emitter(redis).to("user:42").emit("news", …)` reaches user 42.

mod member;
mod part;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use node_cluster::{Description, Hooks, Name, ServerEvent, SocketAddress};
use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;

use crate::Authorizer;
use crate::model::ROOM;
use crate::model::aliases::Aliases;

pub use member::{NodeMember, NodeRevoked};
use part::{Part, Served};

/// What messages of Node's servers and emitters may do to the sockets of [`Authorizer`]s. Cheap to clone.
///
/// Until [`serve`](Self::serve) has named an authorizer, no socket receives anything.
///
/// ```
/// use node_cluster::{Hooks, Name};
/// use passport_socketio::node::NodeHooks;
///
/// let hooks = NodeHooks::new().alias_prefix("acme:");
/// assert_eq!(hooks.name("/", "user:42"), Name::Plain);
/// // No authorizer is served yet, so no socket is meant.
/// assert_eq!(hooks.name("/", "acme:user:42"), Name::Rooms(vec![]));
/// ```
#[derive(Clone, Default)]
pub struct NodeHooks {
    shared: Arc<Shared>,
    prefix: Arc<str>,
    on_server_event: Option<Arc<ServerEventHook>>,
}

type ServerEventHook = dyn Fn(ServerEvent<'_>) + Send + Sync;

#[derive(Default)]
struct Shared(RwLock<Vec<Box<dyn Part>>>);

impl NodeHooks {
    /// Without a prefix: aliases are `user:…` and `session:…`.
    ///
    /// See [`NodeHooks`] for an example.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another beginning of the aliases, where the app has rooms of its own that are called `user:…`: with `acme:` they
    /// are `acme:user:42` and `acme:session:<hash>`.
    ///
    /// See [`NodeHooks`] for an example.
    pub fn alias_prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// What to do when Node's `io.serverSideEmit` or an emitter's `serverSideEmit` sends the servers an event.
    ///
    /// ```
    /// use passport_socketio::node::NodeHooks;
    ///
    /// let hooks = NodeHooks::new().on_server_event(|event| {
    ///     if event.event.name() == "reload" { /* … */ }
    /// });
    /// assert_eq!(format!("{hooks:?}"), "NodeHooks { authorizers: 0 }");
    /// ```
    ///
    /// # Security
    /// Who may publish on the Redis can send any event. No login stands behind it.
    pub fn on_server_event(
        mut self,
        act: impl Fn(ServerEvent<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.on_server_event = Some(Arc::new(act));
        self
    }

    /// The sockets of this authorizer on this server are reached by their aliases. To be called before the server takes
    /// connections; once for each authorizer that has gates there.
    ///
    /// The server lives on for as long as these hooks do.
    ///
    /// See [the module](self) for an example.
    pub fn serve<U: Send + Sync + 'static, A: Adapter>(
        &self,
        io: &SocketIo<A>,
        auth: &Authorizer<U>,
    ) {
        auth.scope().aliases.get_or_init(Aliases::default);
        let part = Box::new(Served::new(io.clone(), auth.clone()));
        self.shared.0.write().unwrap_or_else(PoisonError::into_inner).push(part);
    }

    fn parts(&self) -> RwLockReadGuard<'_, Vec<Box<dyn Part>>> {
        self.shared.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without the app's prefix; `None` if it is no alias.
    fn alias<'n>(&self, name: &'n str) -> Option<&'n str> {
        let name = name.strip_prefix(&*self.prefix)?;
        (name.starts_with("user:") || name.starts_with("session:")).then_some(name)
    }
}

impl Hooks for NodeHooks {
    fn may_receive(&self, socket: SocketAddress<'_>) -> bool {
        let parts = self.parts();
        !parts.is_empty() && parts.iter().all(|part| part.may_receive(socket))
    }

    fn name(&self, _: &str, name: &str) -> Name {
        if name.starts_with(ROOM) {
            return Name::Refused;
        }
        match self.alias(name) {
            Some(alias) => {
                Name::Rooms(self.parts().iter().flat_map(|part| part.rooms_of(alias)).collect())
            }
            None => Name::Plain,
        }
    }

    /// A room whose name only looks like an alias is named to no other server, which would take it for one.
    fn public_name<'a>(&self, _: &str, room: &'a str) -> Option<Cow<'a, str>> {
        if room.starts_with(ROOM) {
            let alias = self.parts().iter().find_map(|part| part.alias_of(room))?;
            return Some(Cow::Owned(format!("{}{alias}", self.prefix)));
        }
        self.alias(room).is_none().then_some(Cow::Borrowed(room))
    }

    fn describe(&self, socket: SocketAddress<'_>) -> Description {
        self.parts().iter().find_map(|part| part.describe(socket)).unwrap_or_default()
    }

    fn disconnect(&self, socket: SocketAddress<'_>, close: bool) -> bool {
        // Of each authorizer, so that each has its audit event.
        let evicted = self.parts().iter().filter(|part| part.evict(socket, close)).count();
        evicted > 0
    }

    fn server_event(&self, event: ServerEvent<'_>) {
        if let Some(act) = &self.on_server_event {
            act(event);
        }
    }
}

impl fmt::Debug for NodeHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeHooks").field("authorizers", &self.parts().len()).finish()
    }
}
