//! A user changed in the app's own database: their role, say, or they were disabled.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use express_session::SessionId;
use socketioxide::adapter::{Adapter, LocalAdapter};
use socketioxide::extract::SocketRef;

use super::{Live, LiveSocket};
use crate::model::{AuthorizeError, EndReason, Failure, Identity, UserKey};

/// What [`Live::refresh_user`] did, on this node.
pub struct Refreshed<A: Adapter = LocalAdapter> {
    /// The sockets that stay, with the user as they are now: let them join and leave rooms.
    pub kept: Vec<SocketRef<A>>,
    /// How many sockets were closed.
    pub ended: usize,
}

impl<U: Send + Sync + 'static, A: Adapter> Live<U, A> {
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
    /// or `success` failed, panicked or gave no answer. All others are dealt with. Those keep their
    /// place, with the user as they were, for as long as live sessions are trusted during an outage
    /// ([`outage_grace`](crate::AuthorizerBuilder::outage_grace)), and are closed then
    /// (`could_not_tell`). Ask again before that: the call that can tell settles it.
    pub async fn refresh_user(
        &self,
        key: impl Into<UserKey>,
    ) -> Result<Refreshed<A>, AuthorizeError> {
        let key = key.into();
        let decider = self.auth().decider();
        // Whoever is not in the registry yet will not come in with the user as they were.
        self.registry().renew_handshakes_of(&key);
        let refresh = self.registry().next_number();
        let mut users = HashMap::<SessionId, Result<Option<Arc<U>>, AuthorizeError>>::new();
        let mut refreshed = Refreshed { kept: Vec::new(), ended: 0 };
        let mut unclear = None;
        for socket in self.registry().logins_of(&key) {
            let Some(host_socket) = self.host_socket(&socket) else {
                // Its handshake is not over, and began with the user as they were: it has to begin anew.
                socket.end(EndReason::UserChanged);
                refreshed.ended += 1;
                continue;
            };
            if host_socket.connected() {
                socket.is_seen();
            }
            let session = socket.identity().session().clone();
            let user = if let Some(user) = users.get(session.id()) {
                user.clone()
            } else {
                let user = decider.load_user(&session, host_socket.req_parts()).await;
                users
                    .entry(session.id().clone())
                    .or_insert(user.map(|user| user.map(Arc::new)))
                    .clone()
            };
            let now = match user {
                Ok(Some(user)) => self.ask_again(&socket, user).await,
                Ok(None) => Ok(Now::Over(EndReason::Rejected)),
                Err(error) => Err(error),
            };
            match now {
                Ok(Now::Stays(user)) => {
                    socket.refresh_user(user, refresh);
                    refreshed.kept.push(host_socket);
                }
                // Another call was later, and quicker.
                _ if socket.is_refreshed_after(refresh) => refreshed.kept.push(host_socket),
                Ok(Now::Over(reason)) => {
                    socket.end(reason);
                    refreshed.ended += 1;
                }
                Err(error) => {
                    // As during an outage of the store: not for ever with the user as they were.
                    socket.end_unless_refreshed(refresh, self.auth().live_settings().grace);
                    unclear.get_or_insert(error);
                }
            }
        }
        if let Some(error) = unclear {
            self.observer().could_not_refresh(&key, &error);
            return Err(error);
        }
        self.observer().refreshed_user(&key, refreshed.kept.len(), refreshed.ended);
        Ok(refreshed)
    }

    /// Whether a user who was loaded anew still is who the socket was let in as, and is agreed to.
    async fn ask_again(
        &self,
        socket: &LiveSocket<U>,
        user: Arc<U>,
    ) -> Result<Now<U>, AuthorizeError> {
        let (decider, key) = (self.auth().decider(), socket.user_key());
        let session = socket.identity().session().clone();
        let agreed = match decider.key_of(&user, &session) {
            Ok(found) if found == *key => {
                let identity = Identity::new(user.clone(), found, session);
                decider.admit(&identity, socket.namespace()).await
            }
            Ok(_another) => return Ok(Now::Over(EndReason::UserChanged)),
            Err(failure) => Err(failure),
        };
        match agreed {
            Ok(()) => Ok(Now::Stays(user)),
            Err(Failure::Denied(_)) => Ok(Now::Over(EndReason::Rejected)),
            Err(Failure::Error(error)) => Err(error),
        }
    }
}

/// What becomes of a socket whose user was loaded anew.
enum Now<U> {
    Stays(Arc<U>),
    Over(EndReason),
}

impl<A: Adapter> fmt::Debug for Refreshed<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refreshed")
            .field("kept", &self.kept.len())
            .field("ended", &self.ended)
            .finish()
    }
}
