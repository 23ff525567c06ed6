//! The handle that a server holds: the decision and the live sessions behind it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use tracing::Instrument as _;

use crate::AuthorizerBuilder;
use crate::admission::Admission;
use crate::attempt::{Granted, Look};
use crate::authorizer::{Decider, Explanation, failed_step};
use crate::handshake::{HandshakeSettings, Setup};
use crate::live::{Keeper, Keeping, LiveSettings, Registry, Toucher};
use crate::model::{AuthorizeError, Decision, Denial, Failure, Scope};
use crate::observe::{Observer, Subject, events, metrics};

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
    setup: Setup,
}

/// What does not concern the decision.
pub(crate) struct ServerOptions {
    pub(crate) handshake: HandshakeSettings,
    pub(crate) keep_cookies: bool,
    pub(crate) path: Box<str>,
    pub(crate) max_connection_age: Option<Duration>,
    pub(crate) scope: Arc<Scope>,
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
        let toucher =
            touch_every.map(|every| Toucher::new(decider.clone(), every, live.observer.clone()));
        let live = LiveSettings { toucher, ..live };
        let keeper = Keeper::new(decider.clone(), registry.clone(), live.clone());
        let keeping = Keeping::default();
        let setup = Setup::default();
        Self {
            inner: Arc::new(Inner {
                decider,
                registry,
                keeper,
                keeping,
                live,
                server,
                admission,
                setup,
            }),
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

    pub(crate) fn decider(&self) -> &Decider<U> {
        &self.inner.decider
    }

    pub(crate) fn admission(&self) -> &Admission {
        &self.inner.admission
    }

    /// One more connection is opened.
    pub(crate) fn count_handshake(&self, request: &Parts) -> Result<(), Denial> {
        self.inner.admission.handshake(request, &self.decider().origins.proxies)
    }

    /// One more CONNECT packet has come.
    pub(crate) fn count_connect(&self, request: &Parts) -> Result<(), Denial> {
        self.inner.admission.connect(request, &self.decider().origins.proxies)
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

    /// What is known of the server around it.
    pub(crate) fn setup(&self) -> &Setup {
        &self.inner.setup
    }

    pub(crate) fn max_connection_age(&self) -> Option<Duration> {
        self.inner.server.max_connection_age
    }

    /// Whose rooms and orders they are.
    pub(crate) fn scope(&self) -> &Arc<Scope> {
        &self.inner.server.scope
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
