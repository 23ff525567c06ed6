//! What keeps an authorizer's rooms and orders apart from others', on one node and on several.

use super::AuthorizerBuilder;
#[cfg(doc)]
use crate::{Authorizer, Live, LiveUser};

impl<U: Send + Sync + 'static> AuthorizerBuilder<U> {
    /// This authorizer's name: the same on all nodes, and another one for each authorizer of a server.
    /// `main` by default. Up to 64 letters, digits, `.`, `_` and `-`.
    ///
    /// Its users' rooms and the orders of its [`Cluster`](crate::cluster::Cluster) are its own:
    /// user 42 of the authorizer `admin` has nothing in common with user 42 of `main`. Without a
    /// [`cluster_secret`](Self::cluster_secret) that is so whatever the names are.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.scope.authorizer = name.into();
        self
    }

    /// The cluster's name: the same on all nodes, and another one for each cluster that shares their
    /// Redis. `passport-socketio` by default. Up to 64 letters, digits, `.`, `_`, `-` and `:`.
    ///
    /// The names of the nodes' channels, and of the list of nodes, begin with it.
    pub fn cluster_name(mut self, name: impl Into<String>) -> Self {
        self.scope.cluster = name.into();
        self
    }

    /// A secret that all nodes of a cluster share, and nothing else knows: from it come the names of
    /// the rooms, and with it the nodes sign what they say to each other. Give it at least 32 random
    /// bytes, as of `openssl rand -hex 32`.
    ///
    /// Needed for [`Live::join`], and where an adapter carries what is sent to a
    /// [user](LiveUser::emit) to other nodes. Without it a random one is taken, and the rooms are this
    /// node's own. It can't be changed while nodes are running: change it on all of them at once.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// # use socketioxide::SocketIo;
    /// # let builder = || Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)));
    /// let secret = "of the cluster, and of nothing else";
    /// let users = builder().cluster_secret(secret).build()?;
    /// let on_another_node = builder().cluster_secret(secret).build()?;
    /// let admins = builder().cluster_secret(secret).name("admin").build()?;
    /// assert_eq!(users.user_room(42), on_another_node.user_room(42));
    /// assert_ne!(users.user_room(42), admins.user_room(42));
    ///
    /// let (_layer, io) = SocketIo::new_layer();
    /// let live = users.attach(&io)?;
    /// assert!(on_another_node.attach(&io).is_err(), "it has the same name");
    /// admins.attach(&io)?;
    /// # drop(live); Ok::<(), passport_socketio::ConfigError>(())
    /// ```
    ///
    /// # Security
    /// Who knows it can compute the name of every user's room, and give orders to all nodes over their
    /// Redis. It is not the sessions' secret, which the app knows too, and which is changed now and then.
    pub fn cluster_secret(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.scope.secret = Some(secret.as_ref().to_vec());
        self
    }

    /// Lets this node serve on however long it is cut off from the others of the
    /// [`Cluster`](crate::cluster::Cluster) that it joined.
    ///
    /// By default it serves for the [outage grace](Self::outage_grace) and
    /// [`max_stale`](Self::max_stale), as during an outage of the store. Then it closes the sockets of its
    /// users (`could_not_tell`) and lets nobody in (`cut_off`: `try_again`), until it has reached the
    /// others again: it would not know of a revocation.
    ///
    /// # Security
    /// With this, a node that falls silent, because it is cut off or because it crashed, may have sockets
    /// for as long as it likes. The others name it with each order, as
    /// [missing](crate::cluster::Answers::missing), until it comes back or they are restarted.
    #[cfg(feature = "redis")]
    pub fn serve_when_cut_off(mut self) -> Self {
        self.live.serves_when_cut_off = true;
        self
    }
}
