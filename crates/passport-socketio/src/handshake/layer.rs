//! The tower layer.

use std::fmt;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;
use tracing::Instrument as _;

use super::ResponseFuture;
use super::answer::{forbidden, preflight};
use super::cors::{Cors, is_preflight};
use super::engine::{is_for_engine, opens_connection};
use super::future::State;
use super::handover::Handover;
use crate::authorizer::CookieContext;
use crate::observe::{Subject, events};
use crate::{Authorizer, Failure};

/// The layer of [`Authorizer::layer`].
pub struct AuthLayer<U>(Authorizer<U>);

/// The service that [`AuthLayer`] makes.
pub struct AuthService<S, U> {
    inner: S,
    auth: Authorizer<U>,
}

impl<U: Send + Sync + 'static> Authorizer<U> {
    /// A tower layer that goes **around** the host's: give it to the router after the host's layer.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// # use socketioxide::SocketIo;
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// let (layer, io) = SocketIo::new_layer();
    /// let app = axum::Router::<()>::new().layer(layer).layer(auth.layer());
    /// # let _ = (app, io);
    /// ```
    ///
    /// Without it the connect middlewares decide all by themselves, with the same result; it makes
    /// refusals cheaper, and takes the cookie out of the headers that handlers see.
    pub fn layer(&self) -> AuthLayer<U> {
        AuthLayer(self.clone())
    }
}

impl<S, U: Send + Sync + 'static> Layer<S> for AuthLayer<U> {
    type Service = AuthService<S, U>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService { inner, auth: self.0.clone() }
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
    type Response = Response<Either<ResBody, Full<Bytes>>>;
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
        let (parts, body) = request.into_parts();
        let origins = &self.auth.decider().origins;
        let others_are_allowed = !origins.allowed.is_empty();
        let cors = match origins.check(&parts) {
            Ok(from) => Cors::of(&parts, from.cross_origin, others_are_allowed),
            Err(denial) => {
                let answer = Some(forbidden(&denial));
                self.report(&parts, &denial.into());
                let cors = Cors::of(&parts, false, others_are_allowed);
                return ResponseFuture::new(State::Answered { answer }, cors);
            }
        };
        let state = if cors.allows() && is_preflight(&parts) {
            let answer = Some(preflight(&parts));
            State::Answered { answer }
        } else if opens_connection(&parts) {
            let opening = self.open(parts, body);
            State::Opening { opening }
        } else {
            let inner = self.inner.call(Request::from_parts(parts, body));
            State::Passed { inner }
        };
        ResponseFuture::new(state, cors)
    }
}

impl<S, U: Send + Sync + 'static> AuthService<S, U> {
    /// Looks the session up, and leaves the answer and the cookie where the host does not keep them.
    fn open<ReqBody, ResBody>(
        &mut self,
        mut parts: Parts,
        body: ReqBody,
    ) -> BoxFuture<'static, Result<Response<ResBody>, S::Error>>
    where
        S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
        S::Future: Send,
        ReqBody: Send + 'static,
    {
        let limit = self.auth.decider().limits.cookie_header;
        CookieContext::take(&mut parts, limit, self.auth.keep_cookies());
        // The service that was polled ready is the one to call: tower's `Service`, "Be careful when
        // cloning inner services".
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let auth = self.auth.clone();
        Box::pin(async move {
            let attempt = auth.attempt(&parts).instrument(events::handshake_span()).await;
            Handover::leave(&mut parts, &auth, attempt);
            inner.call(Request::from_parts(parts, body)).await
        })
    }

    /// The app's `fail` hook sees every refusal; what it says of this one changes nothing.
    fn report(&self, request: &Parts, failure: &Failure) {
        self.auth.observer().refused(&Subject::at_layer(request), failure);
        self.auth.decider().verdict(failure);
    }
}

impl<U> Clone for AuthLayer<U> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Clone, U> Clone for AuthService<S, U> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), auth: self.auth.clone() }
    }
}

impl<U> fmt::Debug for AuthLayer<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuthLayer").field(&self.0).finish()
    }
}

impl<S, U> fmt::Debug for AuthService<S, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthService").field("auth", &self.auth).finish_non_exhaustive()
    }
}
