//! From the layer to the connect middleware: one look at the session, used once.

use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;

use super::Connection;
use crate::auth::Attempt;
use crate::{Authorizer, Session};

/// In a request's extensions: what one authorizer's layer found out.
pub(crate) struct Handover<U> {
    auth: Authorizer<U>,
    connection: Arc<Connection>,
    attempt: Arc<Mutex<Option<Attempt<U>>>>,
}

impl<U: Send + Sync + 'static> Handover<U> {
    /// Leaves an attempt for the connect middleware of `auth`.
    pub(super) fn leave(
        request: &mut Parts,
        auth: &Authorizer<U>,
        connection: Arc<Connection>,
        attempt: Attempt<U>,
    ) {
        let attempt = Arc::new(Mutex::new(Some(attempt)));
        request.extensions.insert(Self { auth: auth.clone(), connection, attempt });
    }

    /// Takes what the layer of `auth` left, if it is fresh. A CONNECT that comes later on the same
    /// connection finds nothing, and asks the store.
    pub(crate) fn take(request: &Parts, auth: &Authorizer<U>) -> Option<Attempt<U>> {
        let handover = Self::of(request, auth)?;
        let mut attempt = handover.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        attempt.take().filter(Attempt::is_fresh)
    }

    /// Somebody was let in with this session: from now on the connection is theirs.
    pub(crate) fn bind(request: &Parts, auth: &Authorizer<U>, session: &Session) {
        if let Some(handover) = Self::of(request, auth) {
            handover.connection.bind(auth.decider().owner(session));
        }
    }

    fn of<'r>(request: &'r Parts, auth: &Authorizer<U>) -> Option<&'r Self> {
        request.extensions.get::<Self>().filter(|handover| handover.auth.is(auth))
    }
}

impl<U> Clone for Handover<U> {
    fn clone(&self) -> Self {
        Self {
            auth: self.auth.clone(),
            connection: self.connection.clone(),
            attempt: self.attempt.clone(),
        }
    }
}
