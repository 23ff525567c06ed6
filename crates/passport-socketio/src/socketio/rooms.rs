//! The rooms that every socket of a user is in.
//!
//! Their names are hashes: adapters carry them through brokers and answers, where neither session
//! ids nor user keys belong. The hash is the same on every node.

use express_session::SessionId;

use crate::UserKey;

/// The room of all sockets of a user.
///
/// ```
/// use passport_socketio::socketio::user_room;
///
/// assert_eq!(user_room(42), "user:73475cb40a568e8da8a045ced110137e");
/// ```
pub fn user_room(key: impl Into<UserKey>) -> String {
    format!("user:{}", key.into().hash())
}

/// The room of all sockets of one session (a browser, usually: its tabs).
///
/// ```
/// use passport_socketio::socketio::session_room;
///
/// assert_eq!(session_room(&"a".into()), "session:ca978112ca1bbdcafac231b39a23dc4d");
/// ```
pub fn session_room(sid: &SessionId) -> String {
    format!("session:{}", sid.hash())
}
