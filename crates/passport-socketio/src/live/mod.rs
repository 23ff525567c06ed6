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

use crate::Authorizer;
use crate::handshake::check_limits;
use crate::model::{ConfigError, UserKey};
use crate::observe::Observer;
use crate::socketio::Claim;

mod activity;
mod begun;
#[cfg(feature = "redis")]
pub mod cluster;
mod denied;
mod end;
mod feeds;
mod grace;
mod keeper;
mod refresh;
mod registration;
mod registry;
mod revoke;
mod schedule;
mod settings;
mod slots;
mod socket;
mod user;

pub use crate::model::{EndReason, Ended};
pub use refresh::Refreshed;
pub use revoke::Revoked;
pub use settings::OverLimit;
pub use user::LiveUser;

pub(crate) use activity::Toucher;
pub(crate) use begun::Begun;
pub(crate) use end::Host;
pub(crate) use keeper::{Keeper, Keeping};
pub(crate) use registration::{Membership, NotEntered, Registration};
pub(crate) use registry::Registry;
pub(crate) use settings::LiveSettings;
pub(crate) use socket::{LiveSocket, Login, Over};

use socket::Ending;

/// The operators' side of an [`Authorizer`] on one Socket.IO server. Made by
/// [`Authorizer::attach`]; cheap to clone.
pub struct Live<U, A: Adapter = LocalAdapter> {
    auth: Authorizer<U>,
    // Goes before the server.
    claim: Option<Arc<Claim>>,
    io: SocketIo<A>,
}

impl<U: Send + Sync + 'static> Authorizer<U> {
    /// The live sessions of this authorizer on `io`.
    ///
    /// Only operators need it: sockets end with their login with or without it.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// # use socketioxide::SocketIo;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), passport_socketio::ConfigError> {
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// let (_layer, io) = SocketIo::new_layer();
    /// io.ns("/", async || {});
    /// let live = auth.attach(&io)?;
    /// assert!(live.user(42).sockets().is_empty());
    /// assert_eq!(live.revoke_user(42).await.sockets, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] if the server's adapter reaches other nodes and this authorizer has no
    /// [`cluster_secret`](crate::AuthorizerBuilder::cluster_secret); or if another authorizer that
    /// serves there has the same [`name`](crate::AuthorizerBuilder::name), under the same secret.
    /// Its gates let nobody in then, and say so in the log.
    pub fn attach<A: Adapter>(&self, io: &SocketIo<A>) -> Result<Live<U, A>, ConfigError> {
        check_limits(io, self);
        let claim = Claim::on(io, self.scope())?.map(Arc::new);
        Ok(Live { auth: self.clone(), claim, io: io.clone() })
    }
}

impl<U: Send + Sync + 'static, A: Adapter> Live<U, A> {
    /// The user with this key: the session's user key (`42`, `"ann"`), or what `.user_id` gave.
    pub fn user(&self, key: impl Into<UserKey>) -> LiveUser<'_, U, A> {
        LiveUser::new(self, key.into())
    }

    /// The keys of the users with sockets on this node, in no order.
    pub fn online(&self) -> Vec<UserKey> {
        self.registry().users()
    }

    /// Says that a session was changed or ended: what was loaded of it before no longer counts.
    /// A handshake that is under way with it asks the store again, and live sockets are looked at.
    ///
    /// For apps that keep their own sessions, and stores that give no feed of changes.
    pub fn session_changed(&self, sid: &SessionId) {
        self.registry().session_changed(sid);
    }

    /// Ends the live session of whoever was just logged out, on this node: its sockets get the event
    /// `session_ended {code, reconnect}` and are disconnected, in every namespace. Returns how many
    /// sockets that were.
    ///
    /// For apps that keep their own sessions, after they have destroyed one. It does not ask or
    /// change the store; [`revoke_session`](Self::revoke_session) does.
    pub fn end_session(&self, sid: &SessionId, reason: EndReason) -> usize {
        self.registry().end_session(sid, reason)
    }

    pub(crate) fn auth(&self) -> &Authorizer<U> {
        &self.auth
    }

    fn registry(&self) -> &Arc<Registry<U>> {
        self.auth.registry()
    }

    fn observer(&self) -> &Observer {
        self.auth.observer()
    }

    fn io(&self) -> &SocketIo<A> {
        &self.io
    }

    /// The host's socket, if it still has it.
    fn host_socket(&self, socket: &LiveSocket<U>) -> Option<SocketRef<A>> {
        self.io.of(socket.namespace())?.get_socket(socket.id())
    }
}

impl<U, A: Adapter> Clone for Live<U, A> {
    fn clone(&self) -> Self {
        Self { auth: self.auth.clone(), claim: self.claim.clone(), io: self.io.clone() }
    }
}

/// How many there are, never who.
impl<U: Send + Sync + 'static, A: Adapter> fmt::Debug for Live<U, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("registry", self.registry()).finish_non_exhaustive()
    }
}
