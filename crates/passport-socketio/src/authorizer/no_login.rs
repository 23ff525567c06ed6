//! Why what a store holds is no login: checks 6 to 9, and no other reason.

use std::time::SystemTime;

use crate::model::{AuthorizeError, Denial, Failure, Session};

/// Closed, so that who acts on a live session treats each of them, and none as another.
#[derive(Debug)]
pub(crate) enum NoLogin {
    /// 6. There is no such session.
    NotFound,
    /// 7. It can't be told.
    Unclear(AuthorizeError),
    /// 8. Its time is over.
    Expired { at: SystemTime, now: SystemTime },
    /// 9. Nobody is logged in to it.
    NotLoggedIn(Session),
}

impl From<AuthorizeError> for NoLogin {
    fn from(error: AuthorizeError) -> Self {
        Self::Unclear(error)
    }
}

impl From<NoLogin> for Failure {
    fn from(no_login: NoLogin) -> Self {
        match no_login {
            NoLogin::NotFound => Denial::SessionNotFound.into(),
            NoLogin::Unclear(error) => error.into(),
            NoLogin::Expired { at, now } => Denial::SessionExpired { at, now }.into(),
            NoLogin::NotLoggedIn(session) => Denial::NotLoggedIn { session }.into(),
        }
    }
}
