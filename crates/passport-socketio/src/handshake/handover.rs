//! From the layer to the connect middleware: one look at the session, used once.

use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;

use crate::Authorizer;
use crate::auth::Attempt;

/// In a request's extensions: what one authorizer's layer found out.
pub(crate) struct Handover<U> {
    auth: Authorizer<U>,
    attempt: Arc<Mutex<Option<Attempt<U>>>>,
}

impl<U: Send + Sync + 'static> Handover<U> {
    /// Leaves an attempt for the connect middleware of `auth`.
    pub(crate) fn leave(request: &mut Parts, auth: &Authorizer<U>, attempt: Attempt<U>) {
        request
            .extensions
            .insert(Self { auth: auth.clone(), attempt: Arc::new(Mutex::new(Some(attempt))) });
    }

    /// Takes what the layer of `auth` left, if it is fresh. A CONNECT that comes later on the same
    /// connection finds nothing, and asks the store.
    pub(crate) fn take(request: &Parts, auth: &Authorizer<U>) -> Option<Attempt<U>> {
        let handover =
            request.extensions.get::<Self>().filter(|handover| handover.auth.is(auth))?;
        let mut attempt = handover.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        attempt.take().filter(Attempt::is_fresh)
    }
}

impl<U> Clone for Handover<U> {
    fn clone(&self) -> Self {
        Self { auth: self.auth.clone(), attempt: self.attempt.clone() }
    }
}
