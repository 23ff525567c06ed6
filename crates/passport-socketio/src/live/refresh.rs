//! A user changed in the app's own database: their role, say, or they were disabled.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use express_session::SessionId;
use socketioxide::adapter::{Adapter, LocalAdapter};
use socketioxide::extract::SocketRef;

use super::{EndReason, Live};
use crate::{AuthorizeError, Identity, UserKey};

/// What [`Live::refresh_user`] did, on this node.
pub struct Refreshed<A: Adapter = LocalAdapter> {
    /// The sockets that stay, with the user as they are now: let them join and leave rooms.
    pub kept: Vec<SocketRef<A>>,
    /// How many sockets were closed.
    pub ended: usize,
}

impl<U: Send + Sync + 'static, A: Adapter> Live<U, A> {
    /// Loads the user anew, and asks `success` again for each of their sockets on this node. Who is
    /// no longer agreed to, or no longer found, is disconnected (`rejected`); the handlers of the
    /// others are given the new user from the next event on.
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
    /// [`AuthorizeError`] if the deserializer could not tell. Sockets that were not asked about yet
    /// stay as they were: ask again, or [`disconnect_user`](Self::disconnect_user).
    pub async fn refresh_user(
        &self,
        key: impl Into<UserKey>,
    ) -> Result<Refreshed<A>, AuthorizeError> {
        let key = key.into();
        let decider = self.auth().decider();
        // Whoever is not in the registry yet will not come in with the user as they were.
        self.registry().renew_handshakes_of(&key);
        let refresh = self.registry().next_number();
        let mut users = HashMap::<SessionId, Option<Arc<U>>>::new();
        let mut refreshed = Refreshed { kept: Vec::new(), ended: 0 };
        for socket in self.registry().logins_of(&key) {
            let Some(host_socket) = self.host_socket(&socket) else {
                // Its handshake is not over, and began with the user as they were: it has to begin anew.
                socket.end(EndReason::UserChanged);
                refreshed.ended += 1;
                continue;
            };
            let session = socket.identity().session().clone();
            let user = if let Some(user) = users.get(session.id()) {
                user.clone()
            } else {
                let user = decider.load_user(&session, host_socket.req_parts()).await;
                let user = user.inspect_err(|e| self.observer().could_not_refresh(&key, e))?;
                users.entry(session.id().clone()).or_insert(user.map(Arc::new)).clone()
            };
            let agreed = match user {
                Some(user) if decider.key_of(&user, &session).as_ref() == Some(&key) => {
                    let identity = Identity::new(user.clone(), key.clone(), session);
                    decider.admit(&identity, socket.namespace()).await.ok().map(|()| user)
                }
                _ => None,
            };
            if let Some(user) = agreed {
                socket.refresh_user(user, refresh);
                refreshed.kept.push(host_socket);
            } else if socket.is_refreshed_after(refresh) {
                refreshed.kept.push(host_socket);
            } else {
                socket.end(EndReason::Rejected);
                refreshed.ended += 1;
            }
        }
        self.observer().refreshed_user(&key, refreshed.kept.len(), refreshed.ended);
        Ok(refreshed)
    }
}

impl<A: Adapter> fmt::Debug for Refreshed<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refreshed")
            .field("kept", &self.kept.len())
            .field("ended", &self.ended)
            .finish()
    }
}
