//! Live sessions: which sockets stand behind which login.
//!
//! The registry knows every session with open sockets, on this node: user → sessions → sockets,
//! over all namespaces. A handshake enters it *before* it asks the store, under an epoch, and
//! compares epochs as its last act: a session that changes in between is asked for again.

use std::fmt;
use std::sync::Arc;

use express_session::SessionId;
use socketioxide::SocketIo;
use socketioxide::adapter::{Adapter, LocalAdapter};
use socketioxide::extract::SocketRef;

use crate::{Authorizer, UserKey};

mod end;
mod feeds;
mod keeper;
mod registry;
mod schedule;
mod settings;
mod socket;

pub use end::EndReason;
pub use socket::Ended;

pub(crate) use end::Host;
pub(crate) use keeper::{Keeper, Keeping};
pub(crate) use registry::{Membership, Registration, Registry};
pub(crate) use settings::LiveSettings;
pub(crate) use socket::{LiveSocket, Login, OnEnd};

use socket::Ending;

/// The operators' side of an [`Authorizer`] on one Socket.IO server. Made by
/// [`Authorizer::attach`]; cheap to clone.
pub struct Live<U, A: Adapter = LocalAdapter> {
    registry: Arc<Registry<U>>,
    io: SocketIo<A>,
}

/// One user's sockets on this node. Made by [`Live::user`].
pub struct LiveUser<'l, U, A: Adapter = LocalAdapter> {
    live: &'l Live<U, A>,
    key: UserKey,
}

impl<U: Send + Sync + 'static> Authorizer<U> {
    /// The live sessions of this authorizer on `io`.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// # use socketioxide::SocketIo;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// let (_layer, io) = SocketIo::new_layer();
    /// io.ns("/", async || {});
    /// let live = auth.attach(&io);
    /// assert!(live.user(42).sockets().is_empty());
    /// # }
    /// ```
    pub fn attach<A: Adapter>(&self, io: &SocketIo<A>) -> Live<U, A> {
        Live { registry: self.registry().clone(), io: io.clone() }
    }
}

impl<U: Send + Sync + 'static, A: Adapter> Live<U, A> {
    /// The user with this key: the session's user key (`42`, `"ann"`), or what `.user_id` gave.
    pub fn user(&self, key: impl Into<UserKey>) -> LiveUser<'_, U, A> {
        LiveUser { live: self, key: key.into() }
    }

    /// The keys of the users with sockets on this node, in no order.
    pub fn users(&self) -> Vec<UserKey> {
        self.registry.users()
    }

    /// Says that a session was changed or ended: what was loaded of it before no longer counts.
    /// A handshake that is under way with it asks the store again.
    pub fn session_changed(&self, sid: &SessionId) {
        self.registry.session_changed(sid);
    }

    /// Ends the live session of whoever was just logged out, on this node: its sockets get the event
    /// `session_ended {code, reconnect}` and are disconnected, in every namespace. Returns how many
    /// sockets that were.
    ///
    /// For apps that keep their own sessions, after they have destroyed one. It does not ask or
    /// change the store.
    pub fn end_session(&self, sid: &SessionId, reason: EndReason) -> usize {
        self.registry.end_session(sid, reason)
    }
}

impl<U: Send + Sync + 'static, A: Adapter> LiveUser<'_, U, A> {
    /// The user's sockets on this node, over all namespaces. Takes as long as the user has sockets,
    /// however many others there are.
    pub fn sockets(&self) -> Vec<SocketRef<A>> {
        // Live ones only, before the host is asked: under the same id it may have a later socket.
        let sockets = self.live.registry.sockets_of(&self.key);
        sockets
            .iter()
            .filter_map(|socket| self.live.io.of(socket.namespace())?.get_socket(socket.id()))
            .collect()
    }

    /// How many sessions the user is logged in to here.
    pub fn sessions(&self) -> usize {
        self.live.registry.sessions_of(&self.key).len()
    }
}

impl<U, A: Adapter> Clone for Live<U, A> {
    fn clone(&self) -> Self {
        Self { registry: self.registry.clone(), io: self.io.clone() }
    }
}

impl<U, A: Adapter> fmt::Debug for Live<U, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl<U, A: Adapter> fmt::Debug for LiveUser<'_, U, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveUser").field("key", &self.key).finish_non_exhaustive()
    }
}
