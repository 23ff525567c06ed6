//! One lookup of a request's session: located, counted, registered and resolved.

use std::sync::Arc;

use express_session::SidHash;
use http::request::Parts;
use tokio::time::Instant;

use crate::admission::Admission;
use crate::authorizer::{AnswerAge, Decider, NoTrace, Provenance, Trace};
use crate::live::{LiveSessions, Registration};
use crate::model::{AuthorizeError, Denial, Failure, Identity};
use crate::observe::{Observer, events};

/// Looks up the sessions of requests for one authorizer. Cheap to clone.
pub(crate) struct SessionLookup<U> {
    decider: Arc<Decider<U>>,
    live: Arc<LiveSessions<U>>,
    admission: Arc<Admission>,
}

impl<U: Send + Sync + 'static> SessionLookup<U> {
    pub(crate) fn new(
        decider: Arc<Decider<U>>,
        live: LiveSessions<U>,
        admission: Admission,
    ) -> Self {
        Self { decider, live: Arc::new(live), admission: Arc::new(admission) }
    }

    /// Checks 1 to 11. The session is registered with the live sessions before the store is asked, and
    /// counted, where there is a limit.
    ///
    /// `provenance` is what check 1 found, where the layer has made it.
    pub(crate) async fn first(
        &self,
        request: &Parts,
        provenance: Option<Provenance>,
    ) -> LookedUp<U> {
        self.look_up(request, provenance, Attempt::First, &mut NoTrace).await
    }

    /// The same for a request that has been counted. Where the session says what it said `before` in
    /// the same handshake, the user is not loaded again.
    pub(crate) async fn again(&self, request: &Parts, before: Option<&Identity<U>>) -> LookedUp<U> {
        self.look_up(request, None, Attempt::Again(before), &mut NoTrace).await
    }

    /// The same for a request that is not counted, and what each check saw.
    pub(crate) async fn traced(&self, request: &Parts, trace: &mut impl Trace) -> LookedUp<U> {
        self.look_up(request, None, Attempt::Again(None), trace).await
    }

    async fn look_up(
        &self,
        request: &Parts,
        provenance: Option<Provenance>,
        attempt: Attempt<'_, U>,
        trace: &mut impl Trace,
    ) -> LookedUp<U> {
        let located = match self.decider.identify(request, provenance, trace) {
            Ok(located) => located,
            Err(failure) => return LookedUp::failed(None, failure),
        };
        let hash = located.id().hash();
        events::located(&hash);
        let session = Some(hash);
        if self.live.registry().is_denied(located.id()) {
            return LookedUp::failed(session, Denial::Revoked.into());
        }
        if self.live.registry().is_cut_off() {
            return LookedUp::failed(session, AuthorizeError::CutOff.into());
        }
        let before = match attempt {
            Attempt::First => match self.admission.session(located.id()) {
                Ok(()) => None,
                Err(limited) => return LookedUp::failed(session, limited.into()),
            },
            Attempt::Again(before) => before,
        };
        let registration = self.live.registry().register(located.id());
        match self.decider.resolve(located, request, before, trace).await {
            Ok((identity, age)) => LookedUp { session, outcome: Ok((identity, registration)), age },
            // To ask a store that hangs once more would only let the client wait twice as long.
            Err(failure) => LookedUp::failed(session, failure),
        }
    }

    /// Counts a connection that is being opened.
    pub(crate) fn count_handshake(&self, request: &Parts) -> Result<(), Denial> {
        self.admission.handshake(request, &self.decider.origins.proxies)
    }

    /// Counts a CONNECT packet.
    pub(crate) fn count_connect(&self, request: &Parts) -> Result<(), Denial> {
        self.admission.connect(request, &self.decider.origins.proxies)
    }
}

impl<U> SessionLookup<U> {
    pub(crate) fn decider(&self) -> &Decider<U> {
        &self.decider
    }

    pub(crate) fn live(&self) -> &LiveSessions<U> {
        &self.live
    }

    pub(crate) fn observer(&self) -> &Observer {
        self.live.observer()
    }
}

impl<U> Clone for SessionLookup<U> {
    fn clone(&self) -> Self {
        let Self { decider, live, admission } = self;
        Self { decider: decider.clone(), live: live.clone(), admission: admission.clone() }
    }
}

/// Which lookup it is in one handshake.
enum Attempt<'l, U> {
    /// The one that counts, where there is a limit.
    First,
    /// A later one, and whose session it was before.
    Again(Option<&'l Identity<U>>),
}

/// A user, and the registration that says whether what is known of them still counts.
pub(crate) type Granted<U> = (Identity<U>, Registration<U>);

/// What one lookup found.
pub(crate) struct LookedUp<U> {
    /// The session that the cookie's signature vouches for, whatever the outcome.
    pub(crate) session: Option<SidHash>,
    pub(crate) outcome: Result<Granted<U>, Failure>,
    /// How old the answer is.
    pub(crate) age: AnswerAge,
}

impl<U> LookedUp<U> {
    /// A failure is as old as this call.
    fn failed(session: Option<SidHash>, failure: Failure) -> Self {
        let age = AnswerAge::answered_now(Instant::now());
        Self { session, outcome: Err(failure), age }
    }
}
