//! The body of an answer, whose first data is looked at on its way to the client: socketioxide writes
//! all of an answer at once.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// Looks at the first data of a body.
type Look = Box<dyn FnOnce(&[u8]) + Send + Sync>;

pin_project! {
    /// A body that is passed on as it is.
    pub struct FirstFrame<B> {
        #[pin]
        body: B,
        look: Option<Look>,
    }
}

impl<B> FirstFrame<B> {
    /// Without a `look`, nothing is looked at.
    pub(super) fn new(body: B, look: Option<impl FnOnce(&[u8]) + Send + Sync + 'static>) -> Self {
        Self { body, look: look.map(|look| Box::new(look) as Look) }
    }
}

impl<B: Body<Data = Bytes>> Body for FirstFrame<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Some(look) = this.look.take()
        {
            look(data);
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

impl<B> fmt::Debug for FirstFrame<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstFrame").finish_non_exhaustive()
    }
}
