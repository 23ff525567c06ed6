//! The handle that a server holds: the decision and the live sessions behind it.

mod builder;

use std::fmt;
use std::sync::Arc;

use express_session::SidHash;
use http::request::Parts;
use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::layer::SocketIoLayer;
use tracing::Instrument as _;

use crate::authorizer::{Explanation, failed_step};
use crate::handshake::{AuthLayer, HandshakeContext, HandshakeSettings, OverLayer};
use crate::lookup::{Granted, SessionLookup};
use crate::model::{AuthorizeError, ConfigError, Decision, Failure, Scope, UserKey};
use crate::observe::{Subject, events, metrics};
use crate::operator::Live;
use crate::socketio::{Gate, GateContext, Guard};

pub use builder::AuthorizerBuilder;

/// Knows the user behind each request, and which of them are connected.
///
/// Cheap to clone: all clones are one authorizer. `U` is your user, whatever the deserializer
/// returns; two authorizers with different `U` can live on one server.
///
/// See the [crate's page](crate) for a whole server.
pub struct Authorizer<U> {
    context: Arc<GateContext<U>>,
}

impl<U: Send + Sync + 'static> Authorizer<U> {
    /// Starts to configure one.
    pub fn builder() -> AuthorizerBuilder<U> {
        AuthorizerBuilder::new()
    }

    pub(crate) fn new(lookup: SessionLookup<U>, settings: HandshakeSettings, scope: Scope) -> Self {
        metrics::describe_all();
        let handshake = HandshakeContext::new(lookup, settings);
        Self { context: GateContext::new(handshake, scope) }
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
        let lookup = self.lookup();
        let found = lookup.again(request, None).instrument(events::authorize_span()).await;
        let subject = Subject::of_request(request).with_session(found.session);
        match &found.outcome {
            Ok((identity, _)) => lookup.observer().granted(&subject.with_user(identity.user_key())),
            Err(failure) => lookup.observer().refused(&subject, failure),
        }
        decision(found.outcome)
    }

    #[cfg(feature = "node-cluster")]
    pub(crate) fn scope(&self) -> &Scope {
        &self.context.scope
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
        let outcome = self.lookup().traced(request, &mut steps).await.outcome;
        if let Err(failure) = &outcome {
            steps.push(failed_step(failure));
        }
        Explanation { steps, outcome: decision(outcome) }
    }

    /// A tower layer that goes **around** the host's: give it to the router after the host's layer.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// # use socketioxide::SocketIo;
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// let (layer, io) = SocketIo::builder() // as much as Node takes of a message
    ///     .max_payload(1_000_000).ws_max_message_size(1_000_000).ws_max_frame_size(1_000_000)
    ///     .build_layer();
    /// let app = axum::Router::<()>::new().layer(layer).layer(auth.layer());
    /// # let _ = (app, io);
    /// ```
    ///
    /// Without it the connect middlewares decide all by themselves, with the same result; it makes
    /// refusals cheaper, and takes the cookie out of the headers that handlers see.
    ///
    /// It can't close connections. [`layer_over`](Self::layer_over) can: the better choice wherever
    /// the host's layer is yours to give.
    ///
    /// # Security
    /// It guards the requests for [`.path(…)`](crate::AuthorizerBuilder::path), as it sees them: around
    /// a router that is nested in another one, that is the whole path. A socket that reaches a connect
    /// middleware past it is decided about as ever, and warned of in the log, once.
    pub fn layer(&self) -> AuthLayer<U> {
        AuthLayer::new(self.context.handshake.clone())
    }

    /// As [`layer`](Self::layer), and it holds the host's layer instead of standing around it: so it
    /// can close connections, which the host can't.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// # use socketioxide::SocketIo;
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// let (layer, io) = SocketIo::builder() // as much as Node takes of a message
    ///     .max_payload(1_000_000).ws_max_message_size(1_000_000).ws_max_frame_size(1_000_000)
    ///     .build_layer();
    /// let app = axum::Router::<()>::new().layer(auth.layer_over(layer));
    /// # let _ = (app, io);
    /// ```
    ///
    /// What it closes:
    /// - the connection of a login that has ended, half a second after `session_ended`: also of a
    ///   client that does not read, or does not care;
    /// - at an end with `reconnect: true` instead of the disconnect, so that official clients come
    ///   back by themselves, with the cookie that they have then;
    /// - who says nothing, or was refused and is connected nowhere: see
    ///   [`connect_within`](crate::AuthorizerBuilder::connect_within);
    /// - who was refused too often: see
    ///   [`max_refused_connects`](crate::AuthorizerBuilder::max_refused_connects);
    /// - a client that sends more than 64 KiB, over all transports together, before a namespace has let it
    ///   in, be it as a guest or without a gate. From then on socketioxide's own limits hold: set them, since its
    ///   64 MiB for a WebSocket's message are too many (Node's are 1 MB), which the log warns of.
    ///
    /// And of a namespace whose login has ended, it lets nothing out behind `session_ended` but the
    /// disconnect, whatever a handler does that still runs.
    ///
    /// A connection is closed for all its namespaces. Whoever is a guest in another one reads a
    /// `transport close`, and comes back.
    ///
    /// # Security
    /// socketioxide gets the requests for [`.path(…)`](crate::AuthorizerBuilder::path), and no others:
    /// none can reach it past this layer. So `.path(…)` and socketioxide's `req_path` have to be the
    /// same. Where they are not, all of socketioxide's requests are answered with `404`, and this logs an
    /// error.
    pub fn layer_over<A: Adapter>(&self, host: SocketIoLayer<A>) -> OverLayer<U, A> {
        OverLayer::new(self.context.handshake.clone(), host)
    }

    /// Members only: a connect middleware that refuses whoever is not logged in.
    ///
    /// ```
    /// # use passport_socketio::{Auth, Authorizer, store::MemoryStore};
    /// # use socketioxide::{SocketIo, extract::SocketRef, handler::ConnectHandler};
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// async fn on_connect(socket: SocketRef, user: Auth<i64>) {}
    ///
    /// let (_layer, io) = SocketIo::new_layer();
    /// io.ns("/", on_connect.with(auth.required()));
    /// ```
    pub fn required(&self) -> Gate<U> {
        Gate::required(self.context.clone())
    }

    /// Guests too: who is not logged in comes in as a guest. Foreign origins and errors are refused.
    ///
    /// ```
    /// # use passport_socketio::{MaybeAuth, Authorizer, store::MemoryStore};
    /// # use socketioxide::{SocketIo, extract::SocketRef, handler::ConnectHandler};
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// // Take `MaybeAuth`: a handler that takes `Auth` is not run for guests.
    /// async fn on_connect(socket: SocketRef, user: MaybeAuth<i64>) {}
    ///
    /// let (_layer, io) = SocketIo::new_layer();
    /// io.ns("/lobby", on_connect.with(auth.optional()));
    /// ```
    pub fn optional(&self) -> Gate<U> {
        Gate::optional(self.context.clone())
    }

    /// Runs `handler` only while the login stands behind the socket.
    ///
    /// Handlers that take [`Auth`](crate::Auth), [`MaybeAuth`](crate::MaybeAuth) or
    /// [`Session`](crate::Session) are guarded by that already. Guests have no login that could end:
    /// where they are let in, the handler is run for them.
    ///
    /// ```
    /// # use passport_socketio::Authorizer;
    /// # use socketioxide::extract::{Data, SocketRef};
    /// # fn on_connect(auth: &Authorizer<i64>, socket: SocketRef) {
    /// socket.on("typing", auth.guard(async |socket: SocketRef, Data::<String>(room)| {
    ///     socket.to(room).emit("typing", &()).await.ok();
    /// }));
    /// # }
    /// ```
    pub fn guard<H>(&self, handler: H) -> Guard<H, U> {
        Guard::new(handler)
    }

    /// The live sessions of this authorizer on `io`.
    ///
    /// Only operators need it: sockets end with their login with or without it.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// # use socketioxide::SocketIo;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), passport_socketio::ConfigError> {
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// let (_layer, io) = SocketIo::new_layer();
    /// io.ns("/", async || {});
    /// let live = auth.attach(&io)?;
    /// assert!(live.user(42).sockets().is_empty());
    /// assert_eq!(live.revoke_user(42).await.sockets, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] if the server's adapter reaches other nodes and this authorizer has no
    /// [`cluster_secret`](crate::AuthorizerBuilder::cluster_secret); or if another authorizer that
    /// serves there has the same [`name`](crate::AuthorizerBuilder::name), under the same secret.
    /// Its gates let nobody in then, and say so in the log.
    pub fn attach<A: Adapter>(&self, io: &SocketIo<A>) -> Result<Live<U, A>, ConfigError> {
        self.context.check_limits(io);
        Live::attach(self.lookup().clone(), self.context.scope.clone(), io)
    }

    /// The room of all sockets of a user, in each namespace that this authorizer lets them into.
    ///
    /// It is the same on all nodes with the same [`name`](crate::AuthorizerBuilder::name),
    /// [`cluster_name`](crate::AuthorizerBuilder::cluster_name) and
    /// [`cluster_secret`](crate::AuthorizerBuilder::cluster_secret); without a secret it is another
    /// one with each start, and with each authorizer.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, ConfigError, store::MemoryStore};
    /// # fn builder() -> passport_socketio::AuthorizerBuilder<i64> {
    /// #     Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #         .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))) }
    /// let auth = builder().cluster_secret("of the cluster").build()?;
    /// assert_eq!(auth.user_room(42), "passport:519f233bd123c382aee8b1c194ab1424");
    /// assert_ne!(builder().build()?.user_room(42), builder().build()?.user_room(42));
    /// # Ok::<(), ConfigError>(())
    /// ```
    ///
    /// # Security
    /// Who may let a socket join any room can let it join this one, if they learn its name: do not
    /// send it to clients.
    pub fn user_room(&self, key: impl Into<UserKey>) -> String {
        self.context.scope.user_room(&key.into())
    }

    /// The room of all sockets of one session (a browser, usually: its tabs), by the session's id or
    /// its [`SidHash`]. As secret, and the same as widely, as a [user's](Self::user_room).
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// # use passport_socketio::express_session::SessionId;
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build()?;
    /// let sid = SessionId::from("a");
    /// assert_eq!(auth.session_room(&sid), auth.session_room(sid.hash()));
    /// # Ok::<(), passport_socketio::ConfigError>(())
    /// ```
    pub fn session_room(&self, session: impl Into<SidHash>) -> String {
        self.context.scope.session_room(&session.into())
    }

    pub(crate) fn lookup(&self) -> &SessionLookup<U> {
        &self.context.handshake.lookup
    }
}

impl<U> Clone for Authorizer<U> {
    fn clone(&self) -> Self {
        Self { context: self.context.clone() }
    }
}

impl<U> fmt::Debug for Authorizer<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lookup = &self.context.handshake.lookup;
        f.debug_struct("Authorizer")
            .field("source", &lookup.decider().source)
            .field("store", &lookup.decider().store)
            .field("registry", lookup.live().registry())
            .finish_non_exhaustive()
    }
}

fn decision<U>(outcome: Result<Granted<U>, Failure>) -> Result<Decision<U>, AuthorizeError> {
    match outcome {
        Ok((identity, _)) => Ok(Decision::Granted(identity)),
        Err(Failure::Denied(denial)) => Ok(Decision::Denied(denial)),
        Err(Failure::Error(error)) => Err(error),
    }
}
