//! Whose a connection is, once somebody was let in on it.

use express_session::source::Located;
use express_session::store::{Life, StoredSession};
use http::request::Parts;

use super::{Decider, Denial, Failure, Session, Unheard, UserKey};
use crate::express_session::SessionId;

/// What every later request of a connection has to show. Found out without a store.
#[derive(Debug)]
pub(crate) enum Owner {
    /// The same session.
    Session(SessionId),
    /// The same user, where the cookie carries the session: it has no id, and another value after
    /// each change.
    User(UserKey),
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
    pub(crate) fn check_owner(&self, owner: &Owner, request: &Parts) -> Result<(), Failure> {
        let owns =
            self.identify(request, &mut Unheard).and_then(|located| match (owner, located) {
                (Owner::Session(sid), Located::Stored(shown)) => Ok(*sid == shown),
                (Owner::User(user), Located::Carried(shown)) => {
                    let stored = StoredSession::new(shown.payload(), Life::Forever);
                    let (session, _) =
                        self.read(shown.id().clone(), Some(&stored), &mut Unheard)?;
                    Ok(session.user_key() == Some(user))
                }
                _ => Ok(false),
            });
        match owns {
            Ok(true) => Ok(()),
            Err(error @ Failure::Error(_)) => Err(error),
            Ok(false) | Err(Failure::Denied(_)) => Err(Denial::OtherSession.into()),
        }
    }
}
