//! A user changed in the app's own database: their role, say, or they were disabled.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use express_session::SessionId;
use socketioxide::adapter::{Adapter, LocalAdapter};
use socketioxide::extract::SocketRef;

use super::Live;
use crate::authorizer::Decider;
use crate::live::LiveSocket;
use crate::model::{AuthorizeError, EndReason, Failure, Identity, UserKey};

/// What [`Live::refresh_user`] did, on this node.
pub struct Refreshed<A: Adapter = LocalAdapter> {
    /// The sockets that stay, with the user as they are now: let them join and leave rooms.
    pub kept: Vec<SocketRef<A>>,
    /// How many sockets were closed.
    pub ended: usize,
}

/// [`Live::refresh_user`].
pub(super) async fn user<U: Send + Sync + 'static, A: Adapter>(
    live: &Live<U, A>,
    key: UserKey,
) -> Result<Refreshed<A>, AuthorizeError> {
    let (decider, registry) = (live.lookup().decider(), live.registry());
    // Whoever is not in the registry yet will not come in with the user as they were.
    registry.renew_handshakes_of(&key);
    let refresh = registry.next_number();
    let mut users = HashMap::<SessionId, Result<Option<Arc<U>>, AuthorizeError>>::new();
    let mut refreshed = Refreshed { kept: Vec::new(), ended: 0 };
    let mut unclear = None;
    for socket in registry.logins_of(&key) {
        let Some(host_socket) = live.socket(&socket) else {
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
            users.entry(session.id().clone()).or_insert(user.map(|user| user.map(Arc::new))).clone()
        };
        let now = match user {
            Ok(Some(user)) => ask_again(decider, &socket, user).await,
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
                socket.end_unless_refreshed(refresh, live.lookup().live().settings().grace);
                unclear.get_or_insert(error);
            }
        }
    }
    if let Some(error) = unclear {
        live.observer().could_not_refresh(&key, &error);
        return Err(error);
    }
    live.observer().refreshed_user(&key, refreshed.kept.len(), refreshed.ended);
    Ok(refreshed)
}

/// Whether a user who was loaded anew still is who the socket was let in as, and is agreed to.
async fn ask_again<U: Send + Sync + 'static>(
    decider: &Decider<U>,
    socket: &LiveSocket<U>,
    user: Arc<U>,
) -> Result<Now<U>, AuthorizeError> {
    let key = socket.user_key();
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
