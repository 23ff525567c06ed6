//! From the layer to the connect middleware: one look at the session, used once.

use std::iter;
use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;
use tokio::time::sleep;

use super::Connection;
use crate::attempt::{Attempt, FRESH};
use crate::{Authorizer, Session};

/// In a request's extensions: what one authorizer's layer found out.
pub(crate) struct Handover<U> {
    auth: Authorizer<U>,
    connection: Arc<Connection>,
    left: Arc<Mutex<Left<U>>>,
    /// Of another authorizer with the same type of user, whose layer is further out.
    outer: Option<Arc<Self>>,
}

/// What is left of an attempt.
pub(crate) enum Left<U> {
    Fresh(Box<Attempt<U>>),
    /// Nobody came for it in time. It is known that it was made, and nothing of it is kept.
    Stale,
    /// There was none, or somebody came.
    Nothing,
}

impl<U: Send + Sync + 'static> Handover<U> {
    /// Leaves an attempt for the connect middleware of `auth`.
    pub(super) fn leave(
        request: &mut Parts,
        auth: &Authorizer<U>,
        connection: Arc<Connection>,
        attempt: Attempt<U>,
    ) {
        let left = Arc::new(Mutex::new(Left::Fresh(Box::new(attempt))));
        let forgotten = Arc::downgrade(&left);
        tokio::spawn(async move {
            sleep(FRESH).await;
            if let Some(left) = forgotten.upgrade() {
                let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
                if matches!(*left, Left::Fresh(_)) {
                    *left = Left::Stale;
                }
            }
        });
        let outer = request.extensions.remove().map(Arc::new);
        request.extensions.insert(Self { auth: auth.clone(), connection, left, outer });
    }

    /// Takes what the layer of `auth` left. A CONNECT that comes later on the same connection finds
    /// nothing, and asks the store.
    pub(crate) fn take(request: &Parts, auth: &Authorizer<U>) -> Left<U> {
        let Some(handover) = Self::of(request, auth) else {
            return Left::Nothing;
        };
        let mut left = handover.left.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *left, Left::Nothing) {
            Left::Fresh(attempt) if !attempt.is_fresh() => Left::Stale,
            left => left,
        }
    }

    /// Whether the request came through a layer of `auth`.
    pub(super) fn has_passed(request: &Parts, auth: &Authorizer<U>) -> bool {
        Self::of(request, auth).is_some()
    }

    /// Somebody was let in with this session: from now on the connection is theirs.
    pub(crate) fn bind(request: &Parts, auth: &Authorizer<U>, session: &Session) {
        if let Some(handover) = Self::of(request, auth) {
            handover.connection.bind(auth.decider().owner(session));
        }
    }

    fn of<'r>(request: &'r Parts, auth: &Authorizer<U>) -> Option<&'r Self> {
        let innermost = request.extensions.get::<Self>();
        let mut all = iter::successors(innermost, |handover| handover.outer.as_deref());
        all.find(|handover| handover.auth.is(auth))
    }
}

impl<U> Clone for Handover<U> {
    fn clone(&self) -> Self {
        Self {
            auth: self.auth.clone(),
            connection: self.connection.clone(),
            left: self.left.clone(),
            outer: self.outer.clone(),
        }
    }
}
