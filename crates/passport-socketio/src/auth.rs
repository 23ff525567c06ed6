//! The handle that a server holds: the decision and the live sessions behind it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use express_session::{SessionId, SidHash};
use http::request::Parts;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::admission::Admission;
use crate::authorizer::{
    Decider, Decision, Denial, Explanation, Failure, Identity, Trace, Unheard, failed_step,
};
use crate::handshake::HandshakeSettings;
use crate::live::{Keeper, Keeping, LiveSettings, Registration, Registry, Toucher};
use crate::observe::{Observer, Subject, events, metrics};
use crate::{AuthorizeError, AuthorizerBuilder};

/// How long the layer's answer may wait for the connect middleware. The two are one handshake, a
/// few milliseconds apart; what is older is asked again.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// Knows the user behind each request, and which of them are connected.
///
/// Cheap to clone: all clones are one authorizer. `U` is your user, whatever the deserializer
/// returns; two authorizers with different `U` can live on one server.
///
/// See the [crate's page](crate) for a whole server.
pub struct Authorizer<U> {
    inner: Arc<Inner<U>>,
}

struct Inner<U> {
    decider: Arc<Decider<U>>,
    registry: Arc<Registry<U>>,
    keeper: Arc<Keeper<U>>,
    keeping: Keeping,
    live: LiveSettings,
    server: ServerOptions,
    admission: Admission,
}

/// What does not concern the decision.
pub(crate) struct ServerOptions {
    pub(crate) handshake: HandshakeSettings,
    pub(crate) keep_cookies: bool,
    pub(crate) path: Box<str>,
    pub(crate) max_connection_age: Option<Duration>,
}

impl<U: Send + Sync + 'static> Authorizer<U> {
    /// Starts to configure one.
    pub fn builder() -> AuthorizerBuilder<U> {
        AuthorizerBuilder::new()
    }

    pub(crate) fn new(
        decider: Decider<U>,
        server: ServerOptions,
        live: LiveSettings,
        admission: Admission,
    ) -> Self {
        metrics::describe_all();
        let registry = Registry::new(decider.loads.clone());
        let decider = Arc::new(decider);
        let touch_every = live.touch_every;
        let toucher = touch_every.map(|every| Toucher::new(decider.clone(), every));
        let live = LiveSettings { toucher, ..live };
        let keeper = Keeper::new(decider.clone(), registry.clone(), live.clone());
        let keeping = Keeping::default();
        Self {
            inner: Arc::new(Inner { decider, registry, keeper, keeping, live, server, admission }),
        }
    }

    /// Decides about any request: checks 1 to 11 (`success` is about namespaces, and is not asked).
    ///
    /// ```
    /// # use passport_socketio::store::{Life, MemoryStore};
    /// use passport_socketio::{Authorizer, Decision, source::ExpressSource};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = MemoryStore::for_tests();
    /// store.set("sid-1", r#"{"cookie":{},"passport":{"user":42}}"#, Life::Forever);
    /// let auth = Authorizer::builder()
    ///     .secret("keyboard cat")
    ///     .store(store)
    ///     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(format!("user {id}"))))
    ///     .build()?;
    ///
    /// let cookie = ExpressSource::new("connect.sid", ["keyboard cat"])?.signer().cookie_pair("connect.sid", "sid-1");
    /// let ask = |cookie: String| {
    ///     let request = http::Request::get("/").header("cookie", cookie).body(()).unwrap();
    ///     request.into_parts().0
    /// };
    /// match auth.authorize(&ask(cookie.clone())).await? {
    ///     Decision::Granted(identity) => assert_eq!(identity.user(), "user 42"),
    ///     Decision::Denied(denial) => panic!("{denial}"),
    /// }
    /// match auth.authorize(&ask(cookie.replace("sid-1", "sid-2"))).await? {
    ///     Decision::Granted(_) => panic!("the signature does not fit"),
    ///     Decision::Denied(denial) => assert_eq!(denial.code(), "bad_signature"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`AuthorizeError`] if it could not be told. Let nobody in then, not even as a guest.
    pub async fn authorize(&self, request: &Parts) -> Result<Decision<U>, AuthorizeError> {
        let asked = self.attempt_again(request, None).instrument(events::authorize_span());
        let attempt = asked.await;
        let subject = Subject::of_request(request).with_session(attempt.session);
        match &attempt.outcome {
            Ok((identity, _)) => self.observer().granted(&subject.with_user(identity.user_key())),
            Err(failure) => self.observer().refused(&subject, failure),
        }
        answer(attempt.outcome)
    }

    /// Decides as [`authorize`](Self::authorize) does, and tells what each check saw: to answer "why
    /// was this socket refused?". The command line's `doctor` prints it.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, authorizer::Check, store::MemoryStore};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// let (request, ()) = http::Request::get("/").body(()).unwrap().into_parts();
    /// let explanation = auth.explain(&request).await;
    /// let last = explanation.steps.last().unwrap();
    /// assert_eq!((last.check, last.passed), (Check::Cookie, false));
    /// assert_eq!(last.saw, "there is no session cookie");
    /// # }
    /// ```
    pub async fn explain(&self, request: &Parts) -> Explanation<U> {
        let mut steps = Vec::new();
        let outcome = self.attempt_traced(request, Look::Again(None), &mut steps).await.outcome;
        if let Err(failure) = &outcome {
            steps.push(failed_step(failure));
        }
        Explanation { steps, outcome: answer(outcome) }
    }

    /// Checks 1 to 11, registered with the live sessions before the store is asked. Counted, where
    /// there is a limit.
    pub(crate) async fn attempt(&self, request: &Parts) -> Attempt<U> {
        self.attempt_traced(request, Look::First(&self.inner.admission), &mut Unheard).await
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

    async fn attempt_traced(
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

    pub(crate) fn decider(&self) -> &Decider<U> {
        &self.inner.decider
    }

    /// One more connection is opened.
    pub(crate) fn count_handshake(&self, request: &Parts) -> Result<(), Denial> {
        self.inner.admission.handshake(request, &self.decider().origins.trusted_proxies)
    }

    /// One more CONNECT packet has come.
    pub(crate) fn count_connect(&self, request: &Parts) -> Result<(), Denial> {
        self.inner.admission.connect(request, &self.decider().origins.trusted_proxies)
    }

    pub(crate) fn registry(&self) -> &Arc<Registry<U>> {
        &self.inner.registry
    }

    /// Who looks after the sockets that are entered, awake from now on.
    pub(crate) fn keeper(&self) -> &Keeper<U> {
        self.inner.keeping.start(&self.inner.keeper);
        &self.inner.keeper
    }

    pub(crate) fn live_settings(&self) -> &LiveSettings {
        &self.inner.live
    }

    pub(crate) fn handshake_settings(&self) -> &HandshakeSettings {
        &self.inner.server.handshake
    }

    /// Who is told what is decided.
    pub(crate) fn observer(&self) -> &Observer {
        &self.inner.live.observer
    }

    pub(crate) fn keep_cookies(&self) -> bool {
        self.inner.server.keep_cookies
    }

    pub(crate) fn path(&self) -> &str {
        &self.inner.server.path
    }

    pub(crate) fn max_connection_age(&self) -> Option<Duration> {
        self.inner.server.max_connection_age
    }

    /// Whether both are clones of one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl<U> Clone for Authorizer<U> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<U> fmt::Debug for Authorizer<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer")
            .field("source", &self.inner.decider.source)
            .field("store", &self.inner.decider.store)
            .field("registry", &self.inner.registry)
            .finish_non_exhaustive()
    }
}

fn answer<U>(outcome: Result<Granted<U>, Failure>) -> Result<Decision<U>, AuthorizeError> {
    match outcome {
        Ok((identity, _)) => Ok(Decision::Granted(identity)),
        Err(Failure::Denied(denial)) => Ok(Decision::Denied(denial)),
        Err(Failure::Error(error)) => Err(error),
    }
}

/// Which look at the session it is, in one handshake.
enum Look<'l, U> {
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
    pub(crate) fn is_fresh(&self) -> bool {
        self.made.elapsed() <= FRESH
    }
}
