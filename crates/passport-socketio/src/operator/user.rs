//! One user, wherever they are connected.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use socketioxide::BroadcastError;
use socketioxide::adapter::{Adapter, LocalAdapter};
use socketioxide::extract::SocketRef;
use socketioxide::operators::BroadcastOperators;

use super::Live;
use crate::model::UserKey;

/// One user. Made by [`Live::user`].
///
/// [`sockets`](Self::sockets) and [`sessions`](Self::sessions) are of this node. What is sent goes
/// through the host's adapter: with socketioxide's Redis adapter, to all nodes, in the namespaces
/// that this node knows.
pub struct LiveUser<'l, U, A: Adapter = LocalAdapter> {
    live: &'l Live<U, A>,
    key: UserKey,
}

impl<'l, U: Send + Sync + 'static, A: Adapter> LiveUser<'l, U, A> {
    pub(super) fn new(live: &'l Live<U, A>, key: UserKey) -> Self {
        Self { live, key }
    }

    /// The user's sockets on this node, over all namespaces. Takes as long as the user has sockets,
    /// however many others there are.
    pub fn sockets(&self) -> Vec<SocketRef<A>> {
        // Live ones only, before the host is asked: under the same id it may have a later socket.
        let sockets = self.live.registry().sockets_of(&self.key);
        sockets.iter().filter_map(|socket| self.live.socket(socket)).collect()
    }

    /// How many sessions the user is logged in to here.
    pub fn sessions(&self) -> usize {
        self.live.registry().sessions_of(&self.key).len()
    }

    /// Sends an event to all the user's sockets, in every namespace, on every node.
    ///
    /// # Errors
    /// [`BroadcastError`] of the first namespace that failed, when all have been tried: a client's
    /// full buffer, a payload that can't be serialized, or the adapter's connection.
    pub async fn emit<T: Serialize + ?Sized>(
        &self,
        event: impl AsRef<str>,
        data: &T,
    ) -> Result<(), BroadcastError> {
        let mut outcome = Ok(());
        for namespace in self.everywhere() {
            let sent = namespace.emit(event.as_ref(), data).await;
            outcome = outcome.and(sent);
        }
        outcome
    }

    /// Lets all the user's sockets join these rooms.
    ///
    /// # Errors
    /// The adapter's, if it could not reach the other nodes.
    pub async fn join(
        &self,
        rooms: impl IntoIterator<Item = impl Into<Cow<'static, str>>>,
    ) -> Result<(), A::Error> {
        let rooms: Vec<Cow<'static, str>> = rooms.into_iter().map(Into::into).collect();
        let mut outcome = Ok(());
        for namespace in self.everywhere() {
            let joined = namespace.join(rooms.clone()).await;
            outcome = outcome.and(joined);
        }
        outcome
    }

    /// Lets all the user's sockets leave these rooms.
    ///
    /// # Errors
    /// The adapter's, if it could not reach the other nodes.
    pub async fn leave(
        &self,
        rooms: impl IntoIterator<Item = impl Into<Cow<'static, str>>>,
    ) -> Result<(), A::Error> {
        let rooms: Vec<Cow<'static, str>> = rooms.into_iter().map(Into::into).collect();
        let mut outcome = Ok(());
        for namespace in self.everywhere() {
            let left = namespace.leave(rooms.clone()).await;
            outcome = outcome.and(left);
        }
        outcome
    }

    /// The user's room, in each namespace.
    fn everywhere(&self) -> impl Iterator<Item = BroadcastOperators<A>> {
        let room = self.live.user_room(&self.key);
        let namespaces = self.live.io().nsps();
        namespaces.into_iter().map(move |namespace| namespace.within(room.clone()))
    }
}

impl<U, A: Adapter> fmt::Debug for LiveUser<'_, U, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveUser").field("key", &self.key).finish_non_exhaustive()
    }
}
