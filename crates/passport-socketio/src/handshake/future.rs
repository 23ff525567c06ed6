//! The future of the layer's service.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::ResponseBody;
use super::answer::{Answer, posted};
use super::cors::Cors;
use super::deadline::Deadline;
use super::exchange::Exchange;

pin_project! {
    /// The future of [`AuthService`](super::AuthService).
    pub struct ResponseFuture<F, B, E> {
        #[pin]
        state: State<F, B, E>,
        cors: Cors,
        deadline: Option<Deadline>,
    }
}

pin_project! {
    #[project = Projection]
    pub(super) enum State<F, B, E> {
        /// The host's business alone.
        Passed { #[pin] inner: F },
        /// A post to a connection that is open, or a poll of it.
        Exchange { #[pin] inner: F, exchange: Exchange },
        /// A connection is being opened: the session is looked up first.
        Opening { opening: BoxFuture<'static, Result<Answer<B>, E>> },
        /// Answered here.
        Answered { answer: Option<Answer<B>> },
    }
}

impl<F, B, E> ResponseFuture<F, B, E> {
    pub(super) fn new(state: State<F, B, E>, cors: Cors) -> Self {
        Self { state, cors, deadline: None }
    }

    /// Answers in time, whatever the client does.
    pub(super) fn within(self, deadline: Option<Deadline>) -> Self {
        Self { deadline, ..self }
    }
}

impl<F, B, E> State<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes> + Send + 'static,
{
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Answer<B>, E>> {
        let answer = match self.as_mut().project() {
            Projection::Passed { inner } => {
                ready!(inner.poll(cx))?.map(|body| ResponseBody::of_host(body, None))
            }
            Projection::Exchange { inner, exchange } => {
                match ready!(exchange.poll(cx, |cx| inner.poll(cx))) {
                    Some(response) => {
                        let response = response?;
                        if exchange.is_to_be_filtered(&response) {
                            let mut opening = exchange.filter(response);
                            let answer = opening.as_mut().poll(cx);
                            self.set(State::Opening { opening });
                            ready!(answer)?
                        } else {
                            response.map(|body| ResponseBody::of_host(body, None))
                        }
                    }
                    None => posted(),
                }
            }
            Projection::Opening { opening } => ready!(opening.as_mut().poll(cx))?,
            Projection::Answered { answer } => match answer.take() {
                Some(answer) => answer,
                // Polled again after it was done, which no executor does.
                None => return Poll::Pending,
            },
        };
        Poll::Ready(Ok(answer))
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes> + Send + 'static,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answer = match (this.state.poll(cx), this.deadline) {
            (Poll::Ready(answer), _) => answer?,
            (Poll::Pending, Some(deadline)) => ready!(deadline.poll(cx)),
            (Poll::Pending, None) => return Poll::Pending,
        };
        this.cors.write(answer.headers_mut());
        Poll::Ready(Ok(answer))
    }
}

impl<F, B, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
