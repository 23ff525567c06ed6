//! Why what a store holds is no login: checks 6 to 9, and no other reason.

use std::time::SystemTime;

use crate::model::{AuthorizeError, Denial, Failure, Session};

/// Closed, so that who acts on a live session treats each of them, and none as another.
#[derive(Debug)]
pub(crate) enum Unread {
    /// 6. There is no such session.
    NotFound,
    /// 7. It can't be told.
    Unclear(AuthorizeError),
    /// 8. Its time is over.
    Expired { at: SystemTime, now: SystemTime },
    /// 9. Nobody is logged in to it.
    NotLoggedIn(Session),
}

impl From<AuthorizeError> for Unread {
    fn from(error: AuthorizeError) -> Self {
        Self::Unclear(error)
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::NotFound => Denial::SessionNotFound.into(),
            Unread::Unclear(error) => error.into(),
            Unread::Expired { at, now } => Denial::SessionExpired { at, now }.into(),
            Unread::NotLoggedIn(session) => Denial::NotLoggedIn { session }.into(),
        }
    }
}
