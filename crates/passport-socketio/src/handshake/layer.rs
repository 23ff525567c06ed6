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
use super::{HandshakeContext, HandshakeSettings, ResponseBody, ResponseFuture};
use crate::authorizer::{CookieContext, NotOwner, Provenance};
use crate::model::Failure;
use crate::observe::{Subject, events};

/// The layer of [`Authorizer::layer`](crate::Authorizer::layer).
pub struct AuthLayer<U> {
    context: Arc<HandshakeContext<U>>,
    connections: Arc<Connections>,
}

/// The service that [`AuthLayer`] makes.
pub struct AuthService<S, U> {
    inner: S,
    context: Arc<HandshakeContext<U>>,
    connections: Arc<Connections>,
}

impl<U: Send + Sync + 'static> AuthLayer<U> {
    pub(crate) fn new(context: Arc<HandshakeContext<U>>) -> Self {
        context.layer_was_made();
        Self { context, connections: Arc::default() }
    }

    pub(super) fn settings(&self) -> &HandshakeSettings {
        &self.context.settings
    }
}

impl<S, U: Send + Sync + 'static> Layer<S> for AuthLayer<U> {
    type Service = AuthService<S, U>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { context, connections } = self.clone();
        AuthService { inner, context, connections }
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
        if !is_for_engine(request.uri(), &self.context.settings.path) {
            let inner = self.inner.call(request);
            return ResponseFuture::new(State::Passed { inner }, Cors::None);
        }
        let (mut parts, body) = request.into_parts();
        let deadline = Deadline::of(&parts);
        let origins = &self.context.lookup.decider().origins;
        let others_are_allowed = !origins.allowed.are_none();
        let (provenance, cors) = match origins.check(&parts) {
            Ok(from) => (from, Cors::of(&parts, from.is_cross_origin(), others_are_allowed)),
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
            && let Err(limited) = self.context.lookup.count_handshake(&parts)
        {
            let answer = Some(self.refuse(&parts, &limited.into()));
            State::Answered { answer }
        } else if opens_connection(&parts) {
            let opening = self.open(parts, provenance, body);
            State::Opening { opening }
        } else {
            match self.go_on(&mut parts, provenance) {
                Err(stranger) => {
                    let subject = Subject::at_layer(&parts).with_session(stranger.session);
                    self.context.lookup.observer().refused(&subject, &stranger.failure);
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
        provenance: Provenance,
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
        let Self { context, connections, .. } = self.clone();
        Box::pin(async move {
            let lookup = &context.lookup;
            let handshake = lookup.live().registry().begin_handshake();
            let found =
                lookup.first(&parts, Some(provenance)).instrument(events::handshake_span()).await;
            if let Err(failure) = &found.outcome
                && context.settings.answers_at_http(failure)
                && !lookup.decider().verdict(failure).makes_guest(failure)
            {
                let subject = Subject::at_layer(&parts).with_session(found.session);
                lookup.observer().refused(&subject, failure);
                return Ok(refusal(failure));
            }
            let opening = Opening { connections, connection: Arc::downgrade(&connection) };
            Handover::leave(&mut parts, &context, connection, handshake, found);
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(response.map(|body| ResponseBody::of_host(body, Some(opening))))
        })
    }

    /// A later request of a connection is let through if it is the owner's.
    fn go_on(
        &self,
        request: &mut Parts,
        provenance: Provenance,
    ) -> Result<Option<Exchange>, Box<NotOwner>> {
        let mut exchange = None;
        if let Some(connection) = self.connections.find(request) {
            if let Some(owner) = connection.owner() {
                self.context.lookup.decider().check_owner(owner, request, provenance)?;
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
        self.context.lookup.decider().verdict(failure);
        self.context.lookup.observer().refused(&Subject::at_layer(request), failure);
        refusal(failure)
    }

    /// Leaves of a request what the host is to keep.
    fn make_small(&self, request: &mut Parts) {
        let (limit, keep) = (
            self.context.lookup.decider().limits.cookie_header,
            self.context.settings.keep_cookies,
        );
        CookieContext::take(request, limit, keep);
        compact(request, keep);
    }
}

impl<U> Clone for AuthLayer<U> {
    fn clone(&self) -> Self {
        Self { context: self.context.clone(), connections: self.connections.clone() }
    }
}

impl<S: Clone, U> Clone for AuthService<S, U> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            context: self.context.clone(),
            connections: self.connections.clone(),
        }
    }
}

impl<U> fmt::Debug for AuthLayer<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AuthLayer");
        debug.field("connections", &self.connections).finish_non_exhaustive()
    }
}

impl<S, U> fmt::Debug for AuthService<S, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthService").finish_non_exhaustive()
    }
}
