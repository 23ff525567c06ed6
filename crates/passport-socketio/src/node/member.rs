//! An operator's orders, in a cluster where Node's servers are, too.

use node_cluster::{Cluster, ClusterError, Target};
use socketioxide::adapter::{Adapter, LocalAdapter};

use super::NodeHooks;
use crate::model::UserKey;
use crate::operator::Revoked;
use crate::{Live, express_session::SessionId};

/// What an operator can do to a user or a session in a cluster with Node's servers. Made by [`NodeHooks::member`].
///
/// Sockets of Node's servers are reached if the app there has made them join the rooms `user:<key>` and
/// `session:<hash>`.
pub struct NodeMember<U, A: Adapter = LocalAdapter> {
    live: Live<U, A>,
    cluster: Cluster,
    hooks: NodeHooks,
}

/// What a revocation did.
///
/// # Security
/// Node's servers close the sockets that they know by an alias, say nothing of it, and let the client come back for as
/// long as their own login check does. So a revocation is not complete while there is any other server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeRevoked {
    /// On this server.
    pub here: Revoked,
    /// How many other servers the cluster has. Their sockets were told to disconnect.
    pub others: usize,
    /// Whether the others could not be told, or counted.
    pub error: Option<ClusterError>,
}

impl NodeRevoked {
    /// Whether no socket of these logins is left, and none can come back.
    ///
    /// ```
    /// # use passport_socketio::node::NodeRevoked;
    /// fn tell(revoked: &NodeRevoked) {
    ///     if !revoked.is_complete() {
    ///         println!("{} other servers may still hold sockets", revoked.others);
    ///     }
    /// }
    /// ```
    pub fn is_complete(&self) -> bool {
        self.here.is_final() && self.others == 0 && self.error.is_none()
    }
}

impl NodeHooks {
    /// The operator's side, for a server that is a [member](node_cluster::Cluster) of the cluster.
    ///
    /// ```no_run
    /// # use passport_socketio::{Live, node::NodeHooks, node_cluster::{Cluster, ClusterAdapter}};
    /// # use socketioxide::adapter::Emitter;
    /// # async fn run(hooks: NodeHooks, live: Live<i64, ClusterAdapter<Emitter>>, cluster: Cluster) {
    /// let member = hooks.member(&live, &cluster);
    /// let revoked = member.revoke_user(42).await;
    /// assert!(revoked.is_complete(), "{} other servers", revoked.others);
    /// # }
    /// ```
    pub fn member<U: Send + Sync + 'static, A: Adapter>(
        &self,
        live: &Live<U, A>,
        cluster: &Cluster,
    ) -> NodeMember<U, A> {
        NodeMember { live: live.clone(), cluster: cluster.clone(), hooks: self.clone() }
    }
}

impl<U: Send + Sync + 'static, A: Adapter> NodeMember<U, A> {
    /// [`Live::disconnect_user`], on all servers. Returns how many sockets of this server they were.
    ///
    /// See [`NodeHooks::member`] for an example.
    ///
    /// # Errors
    /// [`ClusterError`] if the other servers could not be told.
    pub async fn disconnect_user(&self, key: impl Into<UserKey>) -> Result<usize, ClusterError> {
        let key = key.into();
        let here = self.live.disconnect_user(&key);
        self.disconnect_others(&self.live.user_room(&key)).await?;
        Ok(here)
    }

    /// [`Live::revoke_user`] here, and a disconnect everywhere else.
    ///
    /// See [`NodeHooks::member`] for an example.
    pub async fn revoke_user(&self, key: impl Into<UserKey>) -> NodeRevoked {
        let key = key.into();
        let here = self.live.revoke_user(&key).await;
        self.tell_others(here, &self.live.user_room(&key)).await
    }

    /// [`Live::revoke_session`] here, and a disconnect everywhere else.
    ///
    /// See [`NodeHooks::member`] for an example.
    pub async fn revoke_session(&self, sid: &SessionId) -> NodeRevoked {
        let here = self.live.revoke_session(sid).await;
        self.tell_others(here, &self.live.session_room(sid)).await
    }

    async fn tell_others(&self, here: Revoked, room: &str) -> NodeRevoked {
        match self.disconnect_others(room).await {
            Ok(others) => NodeRevoked { here, others, error: None },
            Err(error) => NodeRevoked { here, others: 0, error: Some(error) },
        }
    }

    /// How many others there are.
    async fn disconnect_others(&self, room: &str) -> Result<usize, ClusterError> {
        let mut others = 0;
        for namespace in self.live.io().nsps() {
            let path = namespace.ns_path();
            let servers = self.cluster.server_count(path).await?;
            others = others.max(servers.saturating_sub(1));
            // A user whose key is no text and no number has no alias.
            if let Some(alias) = node_cluster::Hooks::public_name(&self.hooks, path, room) {
                let target = Target { rooms: vec![alias.into_owned()], ..Target::default() };
                self.cluster.disconnect_sockets(path, target, true).await?;
            }
        }
        Ok(others)
    }
}

impl<U, A: Adapter> std::fmt::Debug for NodeMember<U, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeMember").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}
