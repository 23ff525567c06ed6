//! What a client posts, as far as it may before a namespace has let it in: see [`Allowance`].

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::allowance::{Allowance, TOO_MUCH};
use crate::observe::events;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pin_project! {
    /// What a client posts, which is an error where it is too much: socketioxide closes the connection.
    pub struct BoundedBody<B> {
        #[pin]
        body: B,
        allowance: Option<Arc<Allowance>>,
    }
}

impl<B> BoundedBody<B> {
    /// Without an allowance it is passed on as it is.
    pub(super) fn new(body: B, allowance: Option<Arc<Allowance>>) -> Self {
        Self { body, allowance }
    }
}

/// The body of a POST is larger than what its client may send.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the client {TOO_MUCH}")]
struct TooMuch;

impl<B> Body for BoundedBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx)).map(|frame| frame.map_err(Into::into));
        if let (Some(allowance), Some(Ok(frame))) = (this.allowance, &frame)
            && !allowance.receive(frame.data_ref().map_or(0, Bytes::len))
        {
            events::cut(TOO_MUCH);
            return Poll::Ready(Some(Err(TooMuch.into())));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for BoundedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedBody").finish_non_exhaustive()
    }
}
