//! Connections on which nobody gets in.
//!
//! The host closes a connection that is in no namespace after its `connect_timeout`, 45 s by default,
//! and one of a Socket.IO 2 client never. On each, somebody may ask to be let in again and again.
//!
//! 1. A client that says nothing at all is cut after `.connect_within`,
//! 2. and so is one that was refused, has not been let in since, and is in no namespace at two looks
//!    in a row: who goes from one namespace to the next is in none for a moment.
//! 3. Who was refused `.max_refused_connects` times in a row is cut. Where that can't be done, each
//!    further attempt waits for a second before the store is asked.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;
use socketioxide::handler::FromConnectParts as _;
use socketioxide::socket::{Sid, Socket};
use tokio::time::sleep;

use super::connection::Connection;
use super::settings::HandshakeSettings;

const PENALTY: Duration = Duration::from_secs(1);

/// To be awaited before a CONNECT is looked at.
pub(crate) async fn before_connect<A: Adapter>(socket: &Socket<A>, settings: &HandshakeSettings) {
    let Some(connection) = Connection::of(socket.req_parts()) else {
        return;
    };
    connection.asked.store(true, Ordering::Relaxed);
    if connection.refused.load(Ordering::Relaxed) >= settings.max_refused_connects {
        sleep(PENALTY).await;
    }
}

/// What became of it.
pub(crate) fn after_connect<A: Adapter>(
    socket: &Arc<Socket<A>>,
    settings: &HandshakeSettings,
    admitted: bool,
) {
    let Some(connection) = Connection::of(socket.req_parts()) else {
        return;
    };
    if admitted {
        connection.refused.store(0, Ordering::SeqCst);
        return;
    }
    let refused = connection.refused.fetch_add(1, Ordering::SeqCst) + 1;
    if !connection.can_be_cut() {
        return;
    }
    if refused == settings.max_refused_connects {
        // Another CONNECT of the client may be let in meanwhile.
        let most = settings.max_refused_connects;
        connection.cut_soon("refused too often", move |connection| {
            connection.refused.load(Ordering::SeqCst) >= most
        });
    }
    if !connection.is_watched.swap(true, Ordering::SeqCst) {
        let (weak, io) = (Arc::downgrade(connection), host_of(socket));
        let watch = watch_refused(weak, io, socket.id, settings.connect_within);
        connection.ends(&tokio::spawn(watch));
    }
}

/// Looks at a connection from time to time, from a refusal until somebody is let in on it.
async fn watch_refused<A: Adapter>(
    connection: Weak<Connection>,
    io: SocketIo<A>,
    id: Sid,
    every: Duration,
) {
    let mut was_nowhere = sockets_of(&io, id).is_empty();
    loop {
        sleep(every).await;
        let Some(connection) = connection.upgrade() else {
            return;
        };
        if connection.refused.load(Ordering::SeqCst) == 0 {
            connection.is_watched.store(false, Ordering::SeqCst);
            // Refused again in between: by whom nobody else would be watched.
            if connection.refused.load(Ordering::SeqCst) == 0
                || connection.is_watched.swap(true, Ordering::SeqCst)
            {
                return;
            }
        }
        let is_nowhere = sockets_of(&io, id).is_empty();
        if was_nowhere && is_nowhere {
            connection.cut("refused, and connected nowhere");
            return;
        }
        was_nowhere = is_nowhere;
    }
}

/// The server that a socket is connected to.
pub(crate) fn host_of<A: Adapter>(socket: &Arc<Socket<A>>) -> SocketIo<A> {
    let Ok(io) = SocketIo::from_connect_parts(socket, &None);
    io
}

/// The sockets of one connection, which have one id: one in each namespace that it is connected to.
pub(crate) fn sockets_of<A: Adapter>(io: &SocketIo<A>, id: Sid) -> Vec<SocketRef<A>> {
    io.nsps().iter().filter_map(|namespace| namespace.get_socket(id)).collect()
}

/// Gives the client of a new connection some time to say something.
pub(super) fn watch(connection: &Arc<Connection>, within: Duration) {
    let weak = Arc::downgrade(connection);
    let watch = tokio::spawn(async move {
        sleep(within).await;
        if let Some(connection) = weak.upgrade()
            && !connection.asked.load(Ordering::Relaxed)
            && !connection.has_heard()
        {
            connection.cut("it never said anything");
        }
    });
    connection.ends(&watch);
}
