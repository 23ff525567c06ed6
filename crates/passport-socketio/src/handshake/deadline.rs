//! Until when the body of a POST has to have come.
//!
//! Engine.IO waits for it for ever, also on a connection that was closed long before.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::request::Parts;
use http::{Method, Version};
use tokio::time::{Sleep, sleep};

use super::answer::{Answer, took_too_long};

/// From the request's head to its answer, which Engine.IO gives as soon as it has the last byte of the
/// body. As long as a slow network needs for Node's 1 MB; a client that takes longer connects anew.
const POSTED_WITHIN: Duration = Duration::from_secs(30);

/// Of one POST.
pub(super) struct Deadline {
    over: Pin<Box<Sleep>>,
    version: Version,
}

impl Deadline {
    /// `None` for a request of another method, whose body nothing reads.
    pub(super) fn of(request: &Parts) -> Option<Self> {
        (request.method == Method::POST)
            .then(|| Self { over: Box::pin(sleep(POSTED_WITHIN)), version: request.version })
    }

    /// What the client gets once it is over.
    pub(super) fn poll<B>(&mut self, cx: &mut Context<'_>) -> Poll<Answer<B>> {
        ready!(self.over.as_mut().poll(cx));
        Poll::Ready(took_too_long(self.version))
    }
}
