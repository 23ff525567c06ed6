//! From a socket to its server, and to the other sockets of its connection.

use std::sync::Arc;

use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;
use socketioxide::handler::FromConnectParts as _;
use socketioxide::socket::{Sid, Socket};

/// The server that a socket is connected to.
pub(super) fn server_of<A: Adapter>(socket: &Arc<Socket<A>>) -> SocketIo<A> {
    let Ok(io) = SocketIo::from_connect_parts(socket, &None);
    io
}

/// The sockets of one connection, which have one id: one in each namespace that it is connected to.
pub(super) fn sockets_of<A: Adapter>(io: &SocketIo<A>, id: Sid) -> Vec<SocketRef<A>> {
    io.nsps().iter().filter_map(|namespace| namespace.get_socket(id)).collect()
}
