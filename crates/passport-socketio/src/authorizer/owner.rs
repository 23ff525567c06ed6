//! Whose a connection is, once somebody was let in on it.

use express_session::source::Located;
use express_session::store::{Life, StoredSession};
use http::request::Parts;

use super::Decider;
use super::trace::Known;
use crate::express_session::{SessionId, SidHash};
use crate::model::{Denial, Failure, Session, UserKey};

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

impl<U: Send + Sync + 'static> Decider<U> {
    /// Who owns the connection of whoever was let in with this session.
    pub(crate) fn owner(&self, session: &Session) -> Option<Owner> {
        if self.source.needs_store() {
            Some(Owner::Session(session.id().clone()))
        } else {
            session.user_key().cloned().map(Owner::User)
        }
    }

    /// Checks 1 to 4, and that it is the owner who asks.
    pub(crate) fn check_owner(&self, owner: &Owner, request: &Parts) -> Result<(), Box<NotOwner>> {
        let (session, owns) = match self.identify(request, &mut Known) {
            Ok(located) => (Some(located.id().hash()), self.owns(owner, located)),
            Err(failure) => (None, Err(failure)),
        };
        let failure = match owns {
            Ok(true) => return Ok(()),
            Err(error @ Failure::Error(_)) => error,
            Err(foreign @ Failure::Denied(Denial::OriginNotAllowed { .. })) => foreign,
            // It does not show the session that the connection belongs to, whatever else it shows.
            Ok(false) | Err(Failure::Denied(_)) => Denial::OtherSession.into(),
        };
        Err(Box::new(NotOwner { session, failure }))
    }

    fn owns(&self, owner: &Owner, located: Located) -> Result<bool, Failure> {
        match (owner, located) {
            (Owner::Session(sid), Located::Stored(shown)) => Ok(*sid == shown),
            (Owner::User(user), Located::Carried(shown)) => {
                let stored = StoredSession::new(shown.payload(), Life::Forever);
                let (session, _) = self.read(shown.id().clone(), Some(&stored), &mut Known)?;
                Ok(session.user_key() == Some(user))
            }
            (Owner::Session(_), Located::Carried(_)) | (Owner::User(_), Located::Stored(_)) => {
                Ok(false)
            }
        }
    }
}
