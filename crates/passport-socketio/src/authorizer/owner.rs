//! Whose a connection is, once somebody was let in on it.

use express_session::{SessionId, SidHash};

use crate::model::{Failure, UserKey};

/// What every later request of a connection has to show. Found out without a store.
#[derive(Debug)]
pub(crate) enum Owner {
    /// The same session.
    Session(SessionId),
    /// The same user, where the cookie carries the session: it has no id, and another value after
    /// each change.
    User(UserKey),
}

/// Somebody else, or it could not be told.
#[derive(Debug)]
pub(crate) struct NotOwner {
    /// Of the session that they show, if its cookie's signature vouches for it.
    pub(crate) session: Option<SidHash>,
    pub(crate) failure: Failure,
}
