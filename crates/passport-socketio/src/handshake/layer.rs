//! The tower layer.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Instrument as _;

use super::answer::{Answer, preflight, refusal};
use super::body::Opening;
use super::compact::compact;
use super::connection::Connections;
use super::cors::{Cors, is_preflight};
use super::deadline::Deadline;
use super::engine::{is_for_engine, opens_connection, says_something, wants_websocket};
use super::exchange::Exchange;
use super::future::State;
use super::handover::Handover;
use super::{ResponseBody, ResponseFuture};
use crate::Authorizer;
use crate::authorizer::{CookieContext, NotOwner};
use crate::model::Failure;
use crate::observe::{Subject, events};

/// The layer of [`Authorizer::layer`].
pub struct AuthLayer<U> {
    auth: Authorizer<U>,
    connections: Arc<Connections>,
}

/// The service that [`AuthLayer`] makes.
pub struct AuthService<S, U> {
    inner: S,
    auth: Authorizer<U>,
    connections: Arc<Connections>,
}

impl<U: Send + Sync + 'static> Authorizer<U> {
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
        self.setup().has_layer();
        AuthLayer { auth: self.clone(), connections: Arc::default() }
    }
}

impl<U> AuthLayer<U> {
    pub(super) fn auth(&self) -> &Authorizer<U> {
        &self.auth
    }
}

impl<S, U: Send + Sync + 'static> Layer<S> for AuthLayer<U> {
    type Service = AuthService<S, U>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { auth, connections } = self.clone();
        AuthService { inner, auth, connections }
    }
}

impl<S, U, ReqBody, ResBody> Service<Request<ReqBody>> for AuthService<S, U>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    U: Send + Sync + 'static,
    ReqBody: Send + 'static,
    ResBody: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if !is_for_engine(request.uri(), self.auth.path()) {
            let inner = self.inner.call(request);
            return ResponseFuture::new(State::Passed { inner }, Cors::None);
        }
        let (mut parts, body) = request.into_parts();
        let deadline = Deadline::of(&parts);
        let origins = &self.auth.decider().origins;
        let others_are_allowed = !origins.allowed.are_none();
        let cors = match origins.check(&parts) {
            Ok(from) => Cors::of(&parts, from.is_cross_origin(), others_are_allowed),
            Err(failure) => {
                let answer = Some(self.refuse(&parts, &failure));
                let cors = Cors::of(&parts, false, others_are_allowed);
                return ResponseFuture::new(State::Answered { answer }, cors);
            }
        };
        let state = if cors.allows() && is_preflight(&parts) {
            let answer = Some(preflight(&parts));
            State::Answered { answer }
        } else if opens_connection(&parts)
            && let Err(limited) = self.auth.count_handshake(&parts)
        {
            let answer = Some(self.refuse(&parts, &limited.into()));
            State::Answered { answer }
        } else if opens_connection(&parts) {
            let opening = self.open(parts, body);
            State::Opening { opening }
        } else {
            match self.go_on(&mut parts) {
                Err(stranger) => {
                    let subject = Subject::at_layer(&parts).with_session(stranger.session);
                    self.auth.observer().refused(&subject, &stranger.failure);
                    let answer = Some(refusal(&stranger.failure));
                    State::Answered { answer }
                }
                Ok(exchange) => {
                    let inner = self.inner.call(Request::from_parts(parts, body));
                    match exchange {
                        Some(exchange) => State::Exchange { inner, exchange },
                        None => State::Passed { inner },
                    }
                }
            }
        };
        ResponseFuture::new(state, cors).within(deadline)
    }
}

impl<S: Clone, U: Send + Sync + 'static> AuthService<S, U> {
    /// Looks the session up, and leaves the answer and the cookie where the host does not keep them.
    fn open<ReqBody, ResBody>(
        &mut self,
        mut parts: Parts,
        body: ReqBody,
    ) -> BoxFuture<'static, Result<Answer<ResBody>, S::Error>>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send,
        ReqBody: Send + 'static,
    {
        let connection = self.connections.open(&mut parts);
        self.make_small(&mut parts);
        // The service that was polled ready is the one to call: tower's `Service`, "Be careful when
        // cloning inner services".
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let Self { auth, connections, .. } = self.clone();
        Box::pin(async move {
            let handshake = auth.registry().begin_handshake();
            let attempt = auth.attempt(&parts).instrument(events::handshake_span()).await;
            if let Err(failure) = &attempt.outcome
                && auth.handshake_settings().answers_at_http(failure)
                && !auth.decider().verdict(failure).makes_guest(failure)
            {
                let subject = Subject::at_layer(&parts).with_session(attempt.session);
                auth.observer().refused(&subject, failure);
                return Ok(refusal(failure));
            }
            if let Ok((identity, _)) = &attempt.outcome {
                connection.bind(auth.decider().owner(identity.session()));
            }
            let opening = Opening { connections, connection: Arc::downgrade(&connection) };
            Handover::leave(&mut parts, &auth, connection, handshake, attempt);
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(response.map(|body| ResponseBody::of_host(body, Some(opening))))
        })
    }

    /// A later request of a connection is let through if it is the owner's.
    fn go_on(&self, request: &mut Parts) -> Result<Option<Exchange>, Box<NotOwner>> {
        let mut exchange = None;
        if let Some(connection) = self.connections.find(request) {
            if let Some(owner) = connection.owner() {
                self.auth.decider().check_owner(owner, request)?;
            }
            if says_something(request) {
                connection.has_posted();
            }
            exchange = connection.exchange(request);
            request.extensions.insert(connection);
        }
        // The host keeps it as long as the WebSocket lasts.
        if wants_websocket(request) {
            self.make_small(request);
        }
        Ok(exchange)
    }

    /// Whoever is refused whatever `fail` says, which is told all the same.
    fn refuse<B>(&self, request: &Parts, failure: &Failure) -> Answer<B> {
        self.auth.decider().verdict(failure);
        self.auth.observer().refused(&Subject::at_layer(request), failure);
        refusal(failure)
    }

    /// Leaves of a request what the host is to keep.
    fn make_small(&self, request: &mut Parts) {
        let (limit, keep) = (self.auth.decider().limits.cookie_header, self.auth.keep_cookies());
        CookieContext::take(request, limit, keep);
        compact(request, keep);
    }
}

impl<U> Clone for AuthLayer<U> {
    fn clone(&self) -> Self {
        Self { auth: self.auth.clone(), connections: self.connections.clone() }
    }
}

impl<S: Clone, U> Clone for AuthService<S, U> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            auth: self.auth.clone(),
            connections: self.connections.clone(),
        }
    }
}

impl<U> fmt::Debug for AuthLayer<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AuthLayer");
        debug.field("auth", &self.auth).field("connections", &self.connections).finish()
    }
}

impl<S, U> fmt::Debug for AuthService<S, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthService").field("auth", &self.auth).finish_non_exhaustive()
    }
}
