//! The rooms that every socket of a user is in.
//!
//! Their names are keyed: nothing that a client knows leads to them, and adapters carry them through
//! brokers and answers, where neither session ids nor user keys belong.

use express_session::SidHash;
use socketioxide::adapter::Adapter;

use crate::model::UserKey;
use crate::{Authorizer, Live};

impl<U: Send + Sync + 'static> Authorizer<U> {
    /// The room of all sockets of a user, in each namespace that this authorizer lets them into.
    ///
    /// It is the same on all nodes with the same [`name`](crate::AuthorizerBuilder::name),
    /// [`cluster_name`](crate::AuthorizerBuilder::cluster_name) and
    /// [`cluster_secret`](crate::AuthorizerBuilder::cluster_secret); without a secret it is another
    /// one with each start, and with each authorizer.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, ConfigError, store::MemoryStore};
    /// # fn builder() -> passport_socketio::AuthorizerBuilder<i64> {
    /// #     Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #         .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))) }
    /// let auth = builder().cluster_secret("of the cluster").build()?;
    /// assert_eq!(auth.user_room(42), "passport:519f233bd123c382aee8b1c194ab1424");
    /// assert_ne!(builder().build()?.user_room(42), builder().build()?.user_room(42));
    /// # Ok::<(), ConfigError>(())
    /// ```
    ///
    /// # Security
    /// Who may let a socket join any room can let it join this one, if they learn its name: do not
    /// send it to clients.
    pub fn user_room(&self, key: impl Into<UserKey>) -> String {
        self.scope().user_room(&key.into())
    }

    /// The room of all sockets of one session (a browser, usually: its tabs), by the session's id or
    /// its [`SidHash`]. As secret, and the same as widely, as a [user's](Self::user_room).
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// # use passport_socketio::express_session::SessionId;
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build()?;
    /// let sid = SessionId::from("a");
    /// assert_eq!(auth.session_room(&sid), auth.session_room(sid.hash()));
    /// # Ok::<(), passport_socketio::ConfigError>(())
    /// ```
    pub fn session_room(&self, session: impl Into<SidHash>) -> String {
        self.scope().session_room(&session.into())
    }
}

impl<U: Send + Sync + 'static, A: Adapter> Live<U, A> {
    /// [`Authorizer::user_room`].
    pub fn user_room(&self, key: impl Into<UserKey>) -> String {
        self.auth().user_room(key)
    }

    /// [`Authorizer::session_room`].
    pub fn session_room(&self, session: impl Into<SidHash>) -> String {
        self.auth().session_room(session)
    }
}
