//! A post or a poll of a connection on which a login may have ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Collected};
use tokio::time::{Sleep, sleep};

use super::ResponseBody;
use super::answer::Answer;
use super::end_filter::{EndFilter, Posts, filtered};
use super::engine::{speaks_version_3, wants_websocket};

/// How often a post that waits looks whether it may go on.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A request of a connection that is open.
pub(super) struct Exchange {
    kind: Kind,
    filter: Arc<EndFilter>,
    waiting: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Post,
    Poll { version_3: bool },
}

impl Exchange {
    /// `None` if it is neither.
    pub(super) fn of(request: &Parts, filter: &Arc<EndFilter>) -> Option<Self> {
        let kind = match request.method {
            Method::POST => Kind::Post,
            Method::GET if !wants_websocket(request) => {
                Kind::Poll { version_3: speaks_version_3(request) }
            }
            _ => return None,
        };
        Some(Self { kind, filter: filter.clone(), waiting: None })
    }

    /// Lets socketioxide go on, if it may. `None` when it never may again: what is posted is lost.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        inner: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<Option<T>> {
        if self.kind != Kind::Post {
            return inner(cx).map(Some);
        }
        loop {
            match self.filter.handle() {
                Ok(_handling) => return inner(cx).map(Some),
                Err(Posts::Wait) => {
                    let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(LOOK_AGAIN)));
                    ready!(waiting.as_mut().poll(cx));
                    self.waiting = None;
                }
                Err(_) => return Poll::Ready(None),
            }
        }
    }

    /// Whether it has packets, of which some may not pass. If nothing had ended by now, then nothing
    /// had when they were encoded.
    pub(super) fn is_to_be_filtered<B>(&self, response: &Response<B>) -> bool {
        self.kind != Kind::Post && self.filter.is_begun() && response.status() == StatusCode::OK
    }

    /// The answer with the packets that pass.
    pub(super) fn filter<B, E>(
        &self,
        response: Response<B>,
    ) -> BoxFuture<'static, Result<Answer<B>, E>>
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let filter = self.filter.clone();
        let version_3 = self.kind == Kind::Poll { version_3: true };
        Box::pin(async move {
            let (mut parts, body) = response.into_parts();
            // A client that gets no body polls again.
            let packets = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
            let packets = filtered(&packets, &filter, version_3);
            parts.headers.insert(CONTENT_LENGTH, packets.len().into());
            Ok(Response::from_parts(parts, ResponseBody::ours(packets)))
        })
    }
}
