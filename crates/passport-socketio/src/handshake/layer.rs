//! The tower layer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{Either, Full};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::engine::{is_for_engine, opens_connection};
use super::handover::Handover;
use super::refusal::forbidden;
use crate::authorizer::CookieContext;
use crate::{Authorizer, Failure, log};

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
    /// refusals cheaper and keeps the cookie from being kept.
    pub fn layer(&self) -> AuthLayer<U> {
        AuthLayer(self.clone())
    }
}

impl<S, U: Send + Sync + 'static> Layer<S> for AuthLayer<U> {
    type Service = AuthService<S, U>;

    fn layer(&self, inner: S) -> Self::Service {
        AuthService {
            inner,
            auth: self.0.clone(),
        }
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
            return ResponseFuture::Passed {
                inner: self.inner.call(request),
            };
        }
        let (mut parts, body) = request.into_parts();
        if let Err(denial) = self.auth.decider().origins.check(&parts) {
            let response = forbidden(&denial);
            let failure = Failure::from(denial);
            log::refused(&failure, "");
            // The app's hook sees every refusal; here it can change nothing.
            self.auth.decider().verdict(&failure);
            return ResponseFuture::Refused {
                response: Some(response),
            };
        }
        if !opens_connection(&parts) {
            return ResponseFuture::Passed {
                inner: self.inner.call(Request::from_parts(parts, body)),
            };
        }
        CookieContext::take(&mut parts, self.auth.keep_cookies());
        // The service that was polled ready is the one to call (tower's `Service`, "Be careful when cloning").
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let auth = self.auth.clone();
        let opening = Box::pin(async move {
            let attempt = auth.attempt(&parts).await;
            Handover::leave(&mut parts, &auth, attempt);
            inner.call(Request::from_parts(parts, body)).await
        });
        ResponseFuture::Opening { opening }
    }
}

pin_project! {
    /// The future of [`AuthService`].
    #[project = Projection]
    pub enum ResponseFuture<F, B, E> {
        #[doc(hidden)]
        Passed { #[pin] inner: F },
        #[doc(hidden)]
        Opening { opening: BoxFuture<'static, Result<Response<B>, E>> },
        #[doc(hidden)]
        Refused { response: Option<Response<Either<B, Full<Bytes>>>> },
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<Either<B, Full<Bytes>>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match self.project() {
            Projection::Passed { inner } => ready!(inner.poll(cx)),
            Projection::Opening { opening } => ready!(opening.as_mut().poll(cx)),
            Projection::Refused { response } => {
                return response
                    .take()
                    .map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
            }
        };
        Poll::Ready(answer.map(|response| response.map(Either::Left)))
    }
}

impl<U> Clone for AuthLayer<U> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Clone, U> Clone for AuthService<S, U> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            auth: self.auth.clone(),
        }
    }
}

impl<U> fmt::Debug for AuthLayer<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuthLayer").field(&self.0).finish()
    }
}

impl<S, U> fmt::Debug for AuthService<S, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthService")
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed { .. } => "ResponseFuture::Passed",
            Self::Opening { .. } => "ResponseFuture::Opening",
            Self::Refused { .. } => "ResponseFuture::Refused",
        })
    }
}
