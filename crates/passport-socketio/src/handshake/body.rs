//! The body of an answer. On its way to the client, the one that opens a connection is looked at.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use pin_project_lite::pin_project;

use super::connection::{Connection, Connections};
use super::engine::EngineId;
use super::first_frame::FirstFrame;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pin_project! {
    /// The body of the answers of [`AuthService`](super::AuthService): the host's, or its own.
    pub struct ResponseBody<B> {
        #[pin]
        inner: FirstFrame<Either<B, Full<Bytes>>>,
    }
}

/// Whose id the body is about to tell.
pub(super) struct Opening {
    pub(super) connections: Arc<Connections>,
    /// The host's connection may be gone before its answer was sent.
    pub(super) connection: Weak<Connection>,
}

impl<B> ResponseBody<B> {
    pub(super) fn of_host(body: B, opening: Option<Opening>) -> Self {
        let look = opening.map(|opening| move |data: &[u8]| opening.read(data));
        Self { inner: FirstFrame::new(Either::Left(body), look) }
    }

    pub(super) fn ours(body: impl Into<Bytes>) -> Self {
        Self { inner: FirstFrame::new(Either::Right(Full::new(body.into())), None::<fn(&[u8])>) }
    }
}

impl Opening {
    fn read(self, data: &[u8]) {
        if let (Some(connection), Some(id)) = (self.connection.upgrade(), id_in(data)) {
            self.connections.name(&connection, id);
        }
    }
}

/// The id in `0{"sid":"…",…}`, which version 3 puts `96:` in front of.
fn id_in(data: &[u8]) -> Option<EngineId> {
    const NAME: &[u8] = b"\"sid\":\"";
    let start = data.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    EngineId::parse(data.get(start..start + 16)?)
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_id_is_found_where_socketioxide_writes_it() {
        let open = br#"0{"sid":"aA0_-aA0_-aA0_-z","upgrades":["websocket"],"pingInterval":25000}"#;
        assert_eq!(id_in(open).unwrap().as_str(), "aA0_-aA0_-aA0_-z");
        let old = br#"96:0{"sid":"aA0_-aA0_-aA0_-z"}"#;
        assert_eq!(id_in(old).unwrap().as_str(), "aA0_-aA0_-aA0_-z");
        for other in [&br#"0{"sid":"short"}"#[..], b"", br#"{"code":"1","message":"x"}"#] {
            assert!(id_in(other).is_none());
        }
    }
}
