//! The operators' side of an authorizer, on this node.

use std::fmt;
use std::sync::Arc;

use express_session::{SessionId, SidHash};
use socketioxide::SocketIo;
use socketioxide::adapter::{Adapter, LocalAdapter};
use socketioxide::extract::SocketRef;

#[cfg(feature = "redis")]
use super::cluster::{self, Cluster, ClusterError};
use super::{LiveUser, Refreshed, Revoked, refresh, revoke};
use crate::live::{LiveSocket, Registry, end_all};
use crate::lookup::SessionLookup;
use crate::model::{AuthorizeError, ConfigError, EndReason, Scope, UserKey};
use crate::observe::Observer;
use crate::socketio::{Claim, sid_of};

/// The operators' side of an [`Authorizer`](crate::Authorizer) on one Socket.IO server. Made by
/// [`Authorizer::attach`](crate::Authorizer::attach); cheap to clone.
pub struct Live<U, A: Adapter = LocalAdapter> {
    lookup: SessionLookup<U>,
    scope: Arc<Scope>,
    // Goes before the server.
    claim: Option<Arc<Claim>>,
    io: SocketIo<A>,
}

impl<U: Send + Sync + 'static, A: Adapter> Live<U, A> {
    pub(crate) fn attach(
        lookup: SessionLookup<U>,
        scope: Arc<Scope>,
        io: &SocketIo<A>,
    ) -> Result<Self, ConfigError> {
        let claim = Claim::on(io, &scope)?.map(Arc::new);
        Ok(Self { lookup, scope, claim, io: io.clone() })
    }

    /// The user with this key: the session's user key (`42`, `"ann"`), or what `.user_id` gave.
    pub fn user(&self, key: impl Into<UserKey>) -> LiveUser<'_, U, A> {
        LiveUser::new(self, key.into())
    }

    /// The keys of the users with sockets on this node, in no order.
    pub fn online(&self) -> Vec<UserKey> {
        self.registry().users()
    }

    /// [`Authorizer::user_room`](crate::Authorizer::user_room).
    pub fn user_room(&self, key: impl Into<UserKey>) -> String {
        self.scope.user_room(&key.into())
    }

    /// [`Authorizer::session_room`](crate::Authorizer::session_room).
    pub fn session_room(&self, session: impl Into<SidHash>) -> String {
        self.scope.session_room(&session.into())
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

    /// Closes the user's sockets on this node (`evicted`). Their sessions stay as they are: a client
    /// may come back at once. How many sockets they were.
    pub fn disconnect_user(&self, key: impl Into<UserKey>) -> usize {
        let key = key.into();
        let sockets = self.registry().logins_of(&key);
        let ended = end_all(&sockets, EndReason::Evicted);
        self.observer().disconnected_user(&key, ended);
        ended
    }

    /// Ends a session for good: its sockets on this node are closed (`revoked`), the store destroys
    /// it, and this node believes it no more, whoever writes it again. An app that keeps a session's
    /// id at a login (Passport up to 0.5) may use that id again after five minutes.
    ///
    /// Where the store can't destroy sessions, or does not answer, this node refuses it until it
    /// restarts, since the app may prolong it again and again (see [`Revoked::is_final`]); other nodes
    /// find out if it disappears.
    ///
    /// Its sockets are closed, and it is refused, at the first poll. The store destroys it even if the future is
    /// dropped then.
    pub async fn revoke_session(&self, sid: &SessionId) -> Revoked {
        revoke::session(&self.lookup, sid).await
    }

    /// Revokes every session that the user is connected with on this node, and whatever connection
    /// of theirs is being made at this moment.
    ///
    /// Sessions that nobody is connected with are not known here, and stay: let the app destroy them,
    /// or its deserializer refuse the user.
    ///
    /// All sockets are closed, and all sessions refused, at the first poll. The store destroys the sessions even
    /// if the future is dropped then.
    pub async fn revoke_user(&self, key: impl Into<UserKey>) -> Revoked {
        revoke::user(&self.lookup, &key.into()).await.0
    }

    /// Loads the user anew, and asks `success` again for each of their sockets on this node. Who is
    /// no longer agreed to, or no longer found, is disconnected (`rejected`), and so is who has
    /// another key now (`user_changed`); the handlers of the others are given the new user from the
    /// next event on.
    ///
    /// ```
    /// # use passport_socketio::Live;
    /// # struct User { is_admin: bool }
    /// # async fn role_changed(live: Live<User>) -> Result<(), passport_socketio::AuthorizeError> {
    /// use passport_socketio::MaybeAuth;
    ///
    /// for socket in live.refresh_user(42).await?.kept {
    ///     if MaybeAuth::<User>::of(&socket).user().is_some_and(|user| !user.is_admin) {
    ///         socket.leave("admins");
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`AuthorizeError`] if it could not be told for one of the sockets: the deserializer, `user_id`
    /// or `success` failed, panicked or gave no answer. All others are dealt with, none after another. Those
    /// keep their place, with the user as they were, for as long after this call as live sessions are trusted
    /// during an outage ([`outage_grace`](crate::AuthorizerBuilder::outage_grace)), and are closed then
    /// (`could_not_tell`). Ask again before that: the call that can tell settles it.
    pub async fn refresh_user(
        &self,
        key: impl Into<UserKey>,
    ) -> Result<Refreshed<A>, AuthorizeError> {
        refresh::user(self, key.into()).await
    }

    /// Joins the other nodes of this authorizer: those that share this Redis, its
    /// [`name`](crate::AuthorizerBuilder::name), and the cluster's
    /// [name](crate::AuthorizerBuilder::cluster_name) and
    /// [secret](crate::AuthorizerBuilder::cluster_secret). The secret signs what they say to each
    /// other; who does not know it can give no orders.
    ///
    /// The URL is as a [`RedisStore`](crate::store::redis::RedisStore) takes it for one server, with
    /// `rediss://` and `ca`, `cert` and `key`.
    ///
    /// ```no_run
    /// # use passport_socketio::Live;
    /// # async fn start(live: Live<i64>) -> Result<(), Box<dyn std::error::Error>> {
    /// let cluster = live.join("redis://127.0.0.1/").await?;
    /// let revoked = cluster.revoke_user(42).await;
    /// assert!(revoked.is_complete(), "not confirmed by {:?}", revoked.missing);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ClusterError`] if there is no cluster secret, the URL is none, or Redis can't be reached. Once
    /// joined, a Redis that goes away is connected to anew.
    #[cfg(feature = "redis")]
    pub async fn join(&self, redis_url: &str) -> Result<Cluster<U, A>, ClusterError> {
        Cluster::join_over_redis(self.clone(), redis_url).await
    }

    /// Joins the other nodes over any transport: for tests without Redis.
    ///
    /// # Errors
    /// [`ClusterError`] if there is no cluster secret, or the transport can't connect.
    #[doc(hidden)]
    #[cfg(feature = "redis")]
    pub async fn join_over(
        &self,
        transport: impl cluster::transport::Transport,
    ) -> Result<Cluster<U, A>, ClusterError> {
        Cluster::join(self.clone(), transport).await
    }

    pub(super) fn lookup(&self) -> &SessionLookup<U> {
        &self.lookup
    }

    #[cfg(feature = "redis")]
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn registry(&self) -> &Registry<U> {
        self.lookup.live().registry()
    }

    pub(super) fn observer(&self) -> &Observer {
        self.lookup.observer()
    }

    pub(crate) fn io(&self) -> &SocketIo<A> {
        &self.io
    }

    /// socketioxide's socket, if it still has it.
    pub(super) fn socket(&self, socket: &LiveSocket<U>) -> Option<SocketRef<A>> {
        self.io.of(socket.namespace())?.get_socket(sid_of(socket.id())?)
    }
}

impl<U, A: Adapter> Clone for Live<U, A> {
    fn clone(&self) -> Self {
        let Self { lookup, scope, claim, io } = self;
        let (lookup, scope) = (lookup.clone(), scope.clone());
        Self { lookup, scope, claim: claim.clone(), io: io.clone() }
    }
}

/// How many there are, never who.
impl<U: Send + Sync + 'static, A: Adapter> fmt::Debug for Live<U, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("registry", self.registry()).finish_non_exhaustive()
    }
}
