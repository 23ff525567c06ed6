//! An operator's orders, in a cluster where Node's servers are, too.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
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
/// long as their own login check does. So a revocation is not complete while any other server is counted.
///
/// Counted are the servers that subscribe to requests: Node's servers, and members like this one. **Not counted** are
/// servers that only listen (a [`Listener`](node_cluster::Listener) on the same key): they are told to disconnect, too,
/// and say nothing of it. With such servers no value here tells that a revocation is complete.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeRevoked {
    /// On this server.
    pub here: Revoked,
    /// How many other members and Node servers the cluster has, in the namespace that has most. They were told to
    /// disconnect the sockets. Servers that only listen are not among them.
    pub others: usize,
    /// The last error, if the others could not be told, or counted, in a namespace. The other namespaces were told
    /// nevertheless.
    pub error: Option<ClusterError>,
}

impl NodeRevoked {
    /// Whether no socket of these logins is left on this server, none can come back, and there is no other member or
    /// Node server that could hold one.
    ///
    /// # Security
    /// Servers that only listen are not counted: see [`NodeRevoked`].
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
    /// [`ClusterError`] if the other servers could not be told, in any of the namespaces.
    pub async fn disconnect_user(&self, key: impl Into<UserKey>) -> Result<usize, ClusterError> {
        let key = key.into();
        let here = self.live.disconnect_user(&key);
        let (_, error) = self.disconnect_others(&self.live.user_room(&key)).await;
        error.map_or(Ok(here), Err)
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
        let (others, error) = self.disconnect_others(room).await;
        NodeRevoked { here, others, error }
    }

    /// How many others there are, and what failed.
    async fn disconnect_others(&self, room: &str) -> (usize, Option<ClusterError>) {
        let namespaces = self.live.io().nsps();
        let paths = namespaces.iter().map(|namespace| namespace.ns_path().to_owned());
        let paths: Vec<String> = paths.collect();
        in_each(paths.iter().map(|path| self.disconnect_others_in(path, room).boxed())).await
    }

    async fn disconnect_others_in(&self, path: &str, room: &str) -> Result<usize, ClusterError> {
        let servers = self.cluster.server_count(path).await;
        // A user whose key is no text and no number has no alias.
        if let Some(alias) = node_cluster::Hooks::public_name(&self.hooks, path, room) {
            let target = Target { rooms: vec![alias.into_owned()], ..Target::default() };
            self.cluster.disconnect_sockets(path, target, true).await?;
        }
        Ok(servers?.saturating_sub(1))
    }
}

/// All of them, whatever becomes of those before: the largest count, and the last error.
async fn in_each(
    all: impl IntoIterator<Item = BoxFuture<'_, Result<usize, ClusterError>>>,
) -> (usize, Option<ClusterError>) {
    let (mut largest, mut last) = (0, None);
    for one in all {
        match one.await {
            Ok(count) => largest = largest.max(count),
            Err(error) => last = Some(error),
        }
    }
    (largest, last)
}

impl<U, A: Adapter> std::fmt::Debug for NodeMember<U, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeMember").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_namespace_that_fails_does_not_keep_others_from_being_told() {
        let told = std::sync::Mutex::new(Vec::new());
        let tell = async |name: &'static str, done: Result<usize, ClusterError>| {
            told.lock().unwrap().push(name);
            done
        };
        let failed = Err(ClusterError::NoNamespace);
        let (others, error) = in_each([
            tell("/", Ok(1)).boxed(),
            tell("/away", failed).boxed(),
            tell("/chat", Ok(2)).boxed(),
        ])
        .await;
        assert_eq!(*told.lock().unwrap(), ["/", "/away", "/chat"]);
        assert_eq!(others, 2);
        assert!(matches!(error, Some(ClusterError::NoNamespace)));
    }
}
