//! The id of a socket.

use std::fmt;

use express_session::SidHash;

/// The id of a socket: socketioxide's `Sid`, of which it is made, and with which it can be compared. All
/// sockets of one connection have the same.
///
/// ```
/// use passport_socketio::SocketId;
/// use socketioxide::socket::Sid;
///
/// let sid = Sid::new();
/// let id = SocketId::from(sid);
/// assert_eq!(id, sid);
/// assert_eq!(id.as_str(), sid.as_str());
/// assert!(!format!("{id:?}").contains(sid.as_str()), "`Debug` shows a hash");
/// ```
///
/// # Security
/// A client that knows it, and can send requests for it, opens the connection if that is still there:
/// keep it to yourself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SocketId([u8; 16]);

impl SocketId {
    /// As it is in URLs.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Of the first 16 bytes, which are all that such an id has.
    pub(crate) fn of(text: &str) -> Self {
        let mut id = [b'-'; 16];
        id.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Self(id)
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A hash.
impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SidHash::of(self.as_str()).fmt(f)
    }
}
