//! One look at a request's session: where it was found, registered, counted and resolved.

use std::time::Duration;

use express_session::{SessionId, SidHash};
use http::request::Parts;
use tokio::time::Instant;

use crate::Authorizer;
use crate::admission::Admission;
use crate::authorizer::{Denial, Failure, Identity, Trace, Unheard};
use crate::live::Registration;
use crate::observe::events;

/// How long the layer's answer may wait for the connect middleware. The two are one handshake, a
/// few milliseconds apart; what is older is asked again.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

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
                return Attempt { session: None, outcome: Err(failure), made: Instant::now() };
            }
        };
        let hash = located.id().hash();
        events::located(&hash);
        let session = Some(hash);
        if self.registry().is_denied(located.id()) {
            let outcome = Err(Denial::SessionNotFound.into());
            return Attempt { session, outcome, made: Instant::now() };
        }
        if let Err(limited) = look.count(located.id()) {
            return Attempt { session, outcome: Err(limited.into()), made: Instant::now() };
        }
        let registration = self.registry().register(located.id());
        let (outcome, made) =
            match self.decider().resolve(located, request, look.before(), trace).await {
                // What is known of a user is as old as the question to the store, however long the
                // answer took.
                Ok((identity, asked)) => (Ok((identity, registration)), asked),
                // To ask a store that hangs once more would only let the client wait twice as long.
                Err(failure) => (Err(failure), Instant::now()),
            };
        Attempt { session, outcome, made }
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
    made: Instant,
}

impl<U> Attempt<U> {
    /// When the store was asked, if it has answered.
    pub(crate) fn asked(&self) -> Instant {
        self.made
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.made.elapsed() <= FRESH
    }
}
