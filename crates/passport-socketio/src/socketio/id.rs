//! socketioxide's ids of sockets.

use socketioxide::socket::Sid;

use crate::model::SocketId;

impl From<Sid> for SocketId {
    fn from(id: Sid) -> Self {
        Self::of(id.as_str())
    }
}

impl PartialEq<Sid> for SocketId {
    fn eq(&self, other: &Sid) -> bool {
        self.as_str() == other.as_str()
    }
}

/// The id as socketioxide takes it. `None` is for ids that it would not give.
pub(crate) fn sid_of(id: SocketId) -> Option<Sid> {
    id.as_str().parse().ok()
}
