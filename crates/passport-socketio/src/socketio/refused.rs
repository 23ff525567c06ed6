//! Connections whose CONNECTs are refused.
//!
//! socketioxide closes a connection that is in no namespace after its `connect_timeout`, 45 s by default,
//! and one of a Socket.IO 2 client never. On each, a client may ask to be let in again and again.
//!
//! 1. A client that was refused, has not been let in since, and is in no namespace at two checks in a
//!    row is cut, `.connect_within` apart: a client that goes from one namespace to the next is in none
//!    for a moment. (One that sends nothing at all is cut by `handshake/silence.rs`.)
//! 2. A client that was refused `.max_refused_connects` times in a row is cut. Where that can't be done,
//!    each further attempt waits for a second before the store is asked.

use std::sync::{Arc, Weak};
use std::time::Duration;

use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::socket::{Sid, Socket};
use tokio::time::sleep;

use super::server::{server_of, sockets_of};
use crate::handshake::{Connection, HandshakeSettings};

const PENALTY: Duration = Duration::from_secs(1);

/// To be awaited before a CONNECT is looked at.
pub(super) async fn before_connect<A: Adapter>(socket: &Socket<A>, settings: &HandshakeSettings) {
    let Some(connection) = Connection::of(socket.req_parts()) else {
        return;
    };
    connection.connects().have_begun();
    if connection.connects().refused() >= settings.max_refused_connects {
        sleep(PENALTY).await;
    }
}

/// To be called when a CONNECT was admitted or refused.
pub(super) fn after_connect<A: Adapter>(
    socket: &Arc<Socket<A>>,
    settings: &HandshakeSettings,
    admitted: bool,
) {
    let Some(connection) = Connection::of(socket.req_parts()) else {
        return;
    };
    if admitted {
        connection.connects().was_admitted();
        return;
    }
    let refused = connection.connects().was_refused();
    if !connection.can_be_cut() {
        return;
    }
    if refused == settings.max_refused_connects {
        // Another CONNECT of the client may be let in meanwhile.
        let most = settings.max_refused_connects;
        connection.cut_soon("refused too often", move |connection| {
            connection.connects().refused() >= most
        });
    }
    if connection.connects().watch() {
        let (weak, io) = (Arc::downgrade(connection), server_of(socket));
        let watch = watch_refused(weak, io, socket.id, settings.connect_within);
        connection.ends(&tokio::spawn(watch));
    }
}

/// Looks at a connection from time to time, from a refusal until a CONNECT is admitted on it.
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
        if connection.connects().stop_watching() {
            return;
        }
        let is_nowhere = sockets_of(&io, id).is_empty();
        if was_nowhere && is_nowhere {
            connection.cut("refused, and connected nowhere");
            return;
        }
        was_nowhere = is_nowhere;
    }
}
