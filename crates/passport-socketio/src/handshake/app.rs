//! The app behind the host: what is not for Socket.IO goes on to it, as it came.

use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::{Either as EitherFuture, Pending, pending};
use http::Request;
use http_body_util::{Either, Full};
use tower_service::Service;

/// A client's body, or one of ours.
pub(super) type RequestBody<B> = Either<B, Full<Bytes>>;

/// The app's service, which is given nothing of ours.
#[derive(Clone, Debug)]
pub struct App<S>(pub(super) S);

impl<S, B> Service<Request<RequestBody<B>>> for App<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = EitherFuture<S::Future, Pending<Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody<B>>) -> Self::Future {
        let (parts, body) = request.into_parts();
        match body {
            Either::Left(body) => EitherFuture::Left(self.0.call(Request::from_parts(parts, body))),
            // A goodbye of ours that is not for the host: its path is another than ours.
            Either::Right(_) => EitherFuture::Right(pending()),
        }
    }
}
