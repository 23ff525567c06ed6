//! How a socket ends with its login.
//!
//! 1. It leaves all its rooms, so that nothing that is sent to them reaches it any more.
//! 2. `session_ended {code, reconnect}` is the last event it gets,
//! 3. and the disconnect follows with nothing in between. Where we can cut the connection, and the
//!    client is invited back, the cut takes the disconnect's place, half a second later.
//!
//! Where our layer holds the transports, nothing of the namespace is written behind that, whatever a
//! handler does that still runs (`handshake/end_filter`).
//!
//! Where our layer can close the connection, it does so half a second later, also of a client that
//! does not read; unless the user is only rejected, and stays in another namespace. (After a lost
//! connection official clients come back by themselves, after a disconnect they do not.)
//!
//! The host refuses to send while the connection's buffer is full, and to disconnect a socket that
//! is still connecting. Then a task of its own tries again until it is done, or the socket is gone.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;
use socketioxide::socket::Socket;
use socketioxide::{SendError, SocketError};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::server::{server_of, sockets_of};
use crate::handshake::{Connection, SESSION_ENDED, SessionEnded};
use crate::live::SocketHandle;
use crate::model::EndReason;

/// A full buffer empties at the client's speed; a handshake takes a few round trips.
const FIRST_RETRY: Duration = Duration::from_millis(10);
/// For as long, it is tried at each: where our layer can close the connection, it does so by then.
const OFTEN: Duration = Duration::from_millis(500);
/// An app's own middleware may hold a handshake for as long as it likes, so nobody gives up.
const SLOWEST_RETRY: Duration = Duration::from_secs(1);

/// A socket of socketioxide's, which this does not keep alive.
pub(super) struct WeakSocket<A: Adapter> {
    socket: Weak<Socket<A>>,
    /// An operator may end a session from a thread of their own.
    runtime: Handle,
}

impl<A: Adapter> WeakSocket<A> {
    /// To be called where the socket lives: in its runtime.
    pub(super) fn of(socket: &Arc<Socket<A>>) -> Self {
        Self { socket: Arc::downgrade(socket), runtime: Handle::current() }
    }
}

impl<A: Adapter> SocketHandle for WeakSocket<A> {
    fn is_connected(&self) -> bool {
        self.socket.upgrade().is_some_and(|socket| socket.connected())
    }

    fn is_in_its_namespace(&self) -> bool {
        self.socket.upgrade().is_some_and(|socket| holder_of_id(&socket) == IdHolder::This)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.runtime.spawn(task);
    }

    fn remove(&self) {
        let _entered = self.runtime.enter();
        if let Some(socket) = self.socket.upgrade()
            && holder_of_id(&socket) == IdHolder::This
        {
            // The first disconnect ran its handler, which panicked; the second has none to run.
            let _ = socket.disconnect();
        }
    }

    fn end(&self, reason: EndReason) {
        // The host spawns a task for the app's disconnect handler.
        let _entered = self.runtime.enter();
        let Some(socket) = self.socket.upgrade() else {
            return;
        };
        let connection = Connection::of(socket.req_parts()).cloned();
        let notice = SessionEnded { code: reason.code(), reconnect: reason.reconnect() };
        let mut by_cut = false;
        if let Some(connection) = &connection {
            by_cut = connection.can_be_cut() && reason.reconnect();
            let may_stay = (reason == EndReason::Rejected).then(|| may_stay(&socket));
            connection.end_in(socket.ns(), notice, may_stay);
        }
        let connection = connection.as_ref().map(Arc::downgrade).unwrap_or_default();
        let mut pending = PendingDisconnect { notice, told: false, by_cut, connection };
        if !pending.try_now(socket) {
            tokio::spawn(pending.when_possible(self.socket.clone()));
        }
    }
}

/// A user who is rejected from one namespace, but stays in another, or was let in to the first again,
/// keeps the connection: once they are out of the first.
fn may_stay<A: Adapter>(
    socket: &Arc<Socket<A>>,
) -> impl FnOnce() -> bool + Send + use<A> + 'static {
    let (io, id, rejected) = (server_of(socket), socket.id, Arc::downgrade(socket));
    move || {
        let left = sockets_of(&io, id);
        let rejected = rejected.upgrade();
        let is_it = |other: &SocketRef<A>| {
            rejected.as_ref().is_some_and(|it| std::ptr::eq(&raw const **it, &raw const **other))
        };
        !left.is_empty() && !left.iter().any(is_it)
    }
}

/// Who is in the namespace under a socket's id.
#[derive(PartialEq, Eq)]
enum IdHolder {
    This,
    Another,
    None,
}

fn holder_of_id<A: Adapter>(socket: &Arc<Socket<A>>) -> IdHolder {
    match socket.broadcast().get_socket(socket.id) {
        Some(there) if std::ptr::eq(&raw const **socket, &raw const *there) => IdHolder::This,
        Some(_) => IdHolder::Another,
        None => IdHolder::None,
    }
}

struct PendingDisconnect {
    notice: SessionEnded,
    told: bool,
    /// Whether the end of the connection takes the disconnect's place.
    by_cut: bool,
    connection: Weak<Connection>,
}

impl PendingDisconnect {
    async fn when_possible<A: Adapter>(mut self, socket: Weak<Socket<A>>) {
        let mut retry = FIRST_RETRY;
        let start = Instant::now();
        while socket.upgrade().is_some_and(|socket| !self.try_now(socket)) {
            sleep(retry).await;
            if start.elapsed() > OFTEN {
                retry = SLOWEST_RETRY.min(retry * 2);
            }
        }
    }

    /// Whether it is done.
    fn try_now<A: Adapter>(&mut self, socket: Arc<Socket<A>>) -> bool {
        // What is left is another one's: a client that came back has its old id.
        if holder_of_id(&socket) == IdHolder::Another {
            return true;
        }
        socket.leave_all();
        if !self.told {
            match socket.emit(SESSION_ENDED, &self.notice) {
                Err(SendError::Socket(SocketError::InternalChannelFull)) => return false,
                // Not connected to its namespace: its handshake is not over.
                Err(SendError::Socket(SocketError::Closed)) if !socket.connected() => return false,
                // Told; or its connection is gone, and only the namespace does not know yet.
                Ok(()) | Err(_) => self.told = true,
            }
        }
        // socketioxide closes the connection of a client whose event it has in hand by then.
        let is_quiet = self.connection.upgrade().is_none_or(|connection| connection.is_quiet());
        self.by_cut || is_quiet && socket.disconnect().is_ok()
    }
}
