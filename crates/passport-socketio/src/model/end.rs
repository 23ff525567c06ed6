//! The end of a login: why, and of which socket.

use std::fmt;

use express_session::SessionId;

use super::{SocketId, UserKey};

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
    /// Another user logged in to the same session, or the user has another key now.
    UserChanged,
    /// The connection is as old as it may get on a session that its cookie carries: the client may
    /// come back with the cookie that it has now.
    ConnectionAge,
    /// The user was loaded anew, and was not found, or `success` agreed no longer.
    Rejected,
    /// An operator closed it, or the user has more connections than allowed.
    Evicted,
    /// The store stayed away for longer than live sessions are trusted.
    StoreUnavailable,
    /// For as long as live sessions are trusted it could not be told whether the login stands, though
    /// the store answers: its record can't be read, or a hook of the app gave no answer when the user
    /// was loaded anew; or the node was cut off from the others of its cluster, and would not have known
    /// of a revocation.
    CouldNotTell,
}

impl EndReason {
    /// The `code` that the client reads.
    pub fn code(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::Expired | Self::ConnectionAge => "expired",
            Self::Revoked => "revoked",
            Self::UserChanged => "user_changed",
            Self::Rejected => "rejected",
            Self::Evicted => "evicted",
            Self::StoreUnavailable => "store_unavailable",
            Self::CouldNotTell => "could_not_tell",
        }
    }

    /// Whether the client is invited to come back, and be somebody again.
    pub fn reconnect(self) -> bool {
        match self {
            Self::UserChanged
            | Self::ConnectionAge
            | Self::StoreUnavailable
            | Self::CouldNotTell => true,
            Self::LoggedOut | Self::Expired | Self::Revoked | Self::Rejected | Self::Evicted => {
                false
            }
        }
    }
}

/// A socket whose login has ended: what `.on_session_end` is told.
#[non_exhaustive]
pub struct Ended<'e> {
    /// Why.
    pub reason: EndReason,
    /// The session. Log its [`hash`](SessionId::hash), never the id.
    pub session: &'e SessionId,
    /// Whose it was.
    pub user: &'e UserKey,
    /// Where the socket was connected to.
    pub namespace: &'e str,
    /// The socket's id. To whoever knows it and can send requests for it, it opens the connection, if
    /// that is still there: keep it to yourself.
    pub socket: SocketId,
}

/// With hashes of the user and of the socket's id.
impl fmt::Debug for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended")
            .field("reason", &self.reason)
            .field("session", &self.session)
            .field("user", &self.user)
            .field("namespace", &self.namespace)
            .field("socket", &self.socket)
            .finish()
    }
}
