//! One look at a request's session: where it was found, registered, counted and resolved.

use express_session::{SessionId, SidHash};
use http::request::Parts;
use tokio::time::Instant;

use crate::Authorizer;
use crate::admission::Admission;
use crate::authorizer::{Lookup, Trace, Unheard};
use crate::live::Registration;
use crate::model::{Denial, Failure, Identity};
use crate::observe::events;

impl<U: Send + Sync + 'static> Authorizer<U> {
    /// Checks 1 to 11, registered with the live sessions before the store is asked. Counted, where
    /// there is a limit.
    pub(crate) async fn attempt(&self, request: &Parts) -> Attempt<U> {
        self.attempt_traced(request, Look::First(self.admission()), &mut Unheard).await
    }

    /// The same, once more for what was counted before. Who was found `before` in the same handshake
    /// may still be who it is.
    pub(crate) async fn attempt_again(
        &self,
        request: &Parts,
        before: Option<&Identity<U>>,
    ) -> Attempt<U> {
        self.attempt_traced(request, Look::Again(before), &mut Unheard).await
    }

    pub(crate) async fn attempt_traced(
        &self,
        request: &Parts,
        look: Look<'_, U>,
        trace: &mut impl Trace,
    ) -> Attempt<U> {
        let located = match self.decider().identify(request, trace) {
            Ok(located) => located,
            Err(failure) => {
                return Attempt::without_lookup(None, failure);
            }
        };
        let hash = located.id().hash();
        events::located(&hash);
        let session = Some(hash);
        if self.registry().is_denied(located.id()) {
            return Attempt::without_lookup(session, Denial::Revoked.into());
        }
        if let Err(limited) = look.count(located.id()) {
            return Attempt::without_lookup(session, limited.into());
        }
        let registration = self.registry().register(located.id());
        match self.decider().resolve(located, request, look.before(), trace).await {
            Ok((identity, lookup)) => {
                Attempt { session, outcome: Ok((identity, registration)), lookup }
            }
            // To ask a store that hangs once more would only let the client wait twice as long.
            Err(failure) => Attempt::without_lookup(session, failure),
        }
    }
}

/// Which look at the session it is, in one handshake.
pub(crate) enum Look<'l, U> {
    /// The one that counts, where there is a limit.
    First(&'l Admission),
    /// Another one, and who was found before.
    Again(Option<&'l Identity<U>>),
}

impl<'l, U> Look<'l, U> {
    fn count(&self, sid: &SessionId) -> Result<(), Denial> {
        match self {
            Self::First(admission) => admission.session(sid),
            Self::Again(_) => Ok(()),
        }
    }

    fn before(&self) -> Option<&'l Identity<U>> {
        match self {
            Self::First(_) => None,
            Self::Again(before) => *before,
        }
    }
}

/// A user, and the registration that says whether what is known of them still counts.
pub(crate) type Granted<U> = (Identity<U>, Registration<U>);

/// What one look at the session gave.
pub(crate) struct Attempt<U> {
    /// Of the session that the cookie's signature vouches for, whatever came of it.
    pub(crate) session: Option<SidHash>,
    pub(crate) outcome: Result<Granted<U>, Failure>,
    /// How old what it gave is.
    pub(crate) lookup: Lookup,
}

impl<U> Attempt<U> {
    /// A failure is as old as its being found, whatever it was found by.
    fn without_lookup(session: Option<SidHash>, failure: Failure) -> Self {
        let lookup = Lookup::answered_now(Instant::now());
        Self { session, outcome: Err(failure), lookup }
    }
}
