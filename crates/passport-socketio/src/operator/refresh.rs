//! A user changed in the app's own database: their role, say, or they were disabled.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use express_session::SessionId;
use futures_util::future::join_all;
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
    let grace = live.lookup().live().settings().grace;
    // Whoever is not in the registry yet will not come in with the user as they were.
    registry.renew_handshakes_of(&key);
    let refresh = registry.next_number();
    let mut refreshed = Refreshed { kept: Vec::new(), ended: 0 };
    let mut sessions = HashMap::<SessionId, Vec<Asked<U, A>>>::new();
    for socket in registry.logins_of(&key) {
        let Some(host_socket) = live.socket(&socket) else {
            if !socket.has_left() {
                // Its handshake is not over, and began with the user as they were: it has to begin anew.
                socket.end(EndReason::UserChanged);
                refreshed.ended += 1;
            }
            continue;
        };
        if host_socket.connected() {
            socket.is_seen();
        }
        // As during an outage of the store: not for ever with the user as they were, however long the hooks
        // take, and whether or not the caller waits for them.
        socket.end_unless_refreshed(refresh, grace);
        sessions.entry(socket.sid().clone()).or_default().push((socket, host_socket));
    }
    let asking = sessions.into_values().map(|sockets| of_session(decider, refresh, sockets));
    let mut unclear = None;
    for outcome in join_all(asking).await.into_iter().flatten() {
        match outcome {
            Outcome::Kept(socket) => refreshed.kept.push(socket),
            Outcome::Ended => refreshed.ended += 1,
            Outcome::Gone => {}
            Outcome::Unclear(error) => {
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

/// A live socket, and socketioxide's.
type Asked<U, A> = (Arc<LiveSocket<U>>, SocketRef<A>);

/// What a refresh has made of one socket.
enum Outcome<A: Adapter> {
    Kept(SocketRef<A>),
    Ended,
    /// It left, or its login ended, while the hooks were asked.
    Gone,
    Unclear(AuthorizeError),
}

/// Loads the user of a session once. What becomes of one socket does not wait for another.
async fn of_session<U: Send + Sync + 'static, A: Adapter>(
    decider: &Decider<U>,
    refresh: u64,
    sockets: Vec<Asked<U, A>>,
) -> Vec<Outcome<A>> {
    let Some((socket, host_socket)) = sockets.first() else {
        return Vec::new();
    };
    let session = socket.identity().session().clone();
    let loaded = decider.load_user(&session, host_socket.req_parts()).await;
    let user = loaded.map(|user| user.map(Arc::new));
    let asking = sockets.into_iter().map(|asked| of_socket(decider, refresh, asked, user.clone()));
    join_all(asking).await
}

async fn of_socket<U: Send + Sync + 'static, A: Adapter>(
    decider: &Decider<U>,
    refresh: u64,
    (socket, host_socket): Asked<U, A>,
    user: Result<Option<Arc<U>>, AuthorizeError>,
) -> Outcome<A> {
    let now = match user {
        Ok(Some(user)) => ask_again(decider, &socket, user).await,
        Ok(None) => Ok(Now::Over(EndReason::Rejected)),
        Err(error) => Err(error),
    };
    match now {
        Ok(_) if socket.has_ended() || socket.has_left() => Outcome::Gone,
        Ok(Now::Stays(user)) => {
            socket.refresh_user(user, refresh);
            Outcome::Kept(host_socket)
        }
        // Another call was later, and quicker.
        _ if socket.is_refreshed_after(refresh) => Outcome::Kept(host_socket),
        Ok(Now::Over(reason)) => {
            socket.end(reason);
            Outcome::Ended
        }
        Err(error) => Outcome::Unclear(error),
    }
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
