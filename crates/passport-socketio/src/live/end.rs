//! How a socket ends with its login.
//!
//! 1. It leaves all its rooms, so that nothing that is sent to them reaches it any more.
//! 2. `session_ended {code, reconnect}` is the last event it gets,
//! 3. and the disconnect follows with nothing in between.
//!
//! The host refuses to send while the connection's buffer is full, and to disconnect a socket that
//! is still connecting. Then a task of its own tries again until it is done, or the socket is gone.

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;
use socketioxide::adapter::Adapter;
use socketioxide::socket::Socket;
use socketioxide::{SendError, SocketError};
use tokio::time::{sleep, timeout};

use super::registry::Connection;

/// A full buffer empties at the client's speed; a handshake takes a few round trips.
const RETRY: Duration = Duration::from_millis(10);
/// By then the host itself has given up on a handshake (`connect_timeout`, 45 s) or on a client that
/// reads nothing (heartbeat, 45 s): what is left is a socket that somebody only remembers.
const GIVE_UP: Duration = Duration::from_secs(60);

/// Why a live session ends.
///
/// ```
/// use passport_socketio::live::EndReason;
///
/// assert_eq!(EndReason::LoggedOut.code(), "logged_out");
/// assert!(!EndReason::LoggedOut.reconnect());
/// assert!(EndReason::UserChanged.reconnect());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The user logged out.
    LoggedOut,
    /// The session's time is over.
    Expired,
    /// An operator ended it.
    Revoked,
    /// Another user logged in to the same session.
    UserChanged,
}

impl EndReason {
    /// The `code` that the client reads.
    pub fn code(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::UserChanged => "user_changed",
        }
    }

    /// Whether the client is invited to come back, and be somebody again.
    pub fn reconnect(self) -> bool {
        matches!(self, Self::UserChanged)
    }
}

/// The payload of `session_ended`.
#[derive(Serialize)]
struct SessionEnded {
    code: &'static str,
    reconnect: bool,
}

/// The host's socket, which must not be kept alive by our knowing of it.
pub(crate) struct Host<A: Adapter>(Weak<Socket<A>>);

impl<A: Adapter> Host<A> {
    pub(crate) fn of(socket: &Arc<Socket<A>>) -> Self {
        Self(Arc::downgrade(socket))
    }
}

impl<A: Adapter> Connection for Host<A> {
    fn is_connected(&self) -> bool {
        self.0.upgrade().is_some_and(|socket| socket.connected())
    }

    fn end(&self, reason: EndReason) {
        let Some(socket) = self.0.upgrade() else {
            return;
        };
        if !try_end(socket, reason) {
            tokio::spawn(timeout(GIVE_UP, end_when_possible(self.0.clone(), reason)));
        }
    }
}

async fn end_when_possible<A: Adapter>(socket: Weak<Socket<A>>, reason: EndReason) {
    while socket.upgrade().is_some_and(|socket| !try_end(socket, reason)) {
        sleep(RETRY).await;
    }
}

/// Whether it is done.
fn try_end<A: Adapter>(socket: Arc<Socket<A>>, reason: EndReason) -> bool {
    socket.leave_all();
    let notice = SessionEnded { code: reason.code(), reconnect: reason.reconnect() };
    match socket.emit("session_ended", &notice) {
        Ok(()) => {}
        Err(SendError::Socket(SocketError::Closed)) if socket.connected() => {}
        // Not connected yet, and not gone: its handshake holds it.
        Err(SendError::Socket(SocketError::Closed | SocketError::InternalChannelFull)) => {
            return false;
        }
        Err(SendError::Serialize(_)) => {}
    }
    socket.disconnect().is_ok()
}
