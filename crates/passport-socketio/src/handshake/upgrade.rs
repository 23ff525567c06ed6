//! The host's service, with a hand on its connections' transports.
//!
//! A WebSocket is asked for as ever: the host says yes, or why not. But the stream goes through our
//! hands: hyper's upgrade is taken out of the request first, and the host is handed the stream
//! afterwards, through the door that it has for streams.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either as EitherFuture, poll_fn};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tower_service::Service;

use super::app::RequestBody;
use super::connection::Connection;
use super::engine::{EngineId, speaks_version_3, wants_websocket};
use super::idle;
use super::killable::{Killable, Switch};
use super::transport::ClosePolling;

/// For a goodbye of ours, which the host takes at once.
const CLOSING: Duration = Duration::from_secs(5);

/// A WebSocket's stream, as the host is given it.
type Stream = Killable<TokioIo<Upgraded>>;

/// The service between ours and the host's. Made by [`OverLayer`](super::OverLayer).
pub struct UpgradeService<H> {
    host: H,
    path: Arc<str>,
    connect_within: Duration,
    close_polling: Arc<OnceLock<ClosePolling>>,
}

impl<H> UpgradeService<H> {
    pub(super) fn new(host: H, path: &str, connect_within: Duration) -> Self {
        Self { host, path: path.into(), connect_within, close_polling: Arc::default() }
    }
}

impl<H, B, HostBody> Service<Request<B>> for UpgradeService<H>
where
    H: Service<Request<RequestBody<B>>, Response = Response<HostBody>>,
    H: Service<(Stream, Request<()>), Response = ()>,
    H: Clone + Send + Sync + 'static,
    <H as Service<Request<RequestBody<B>>>>::Future: Send + 'static,
    <H as Service<Request<RequestBody<B>>>>::Error: Send,
    <H as Service<(Stream, Request<()>)>>::Future: Send,
    <H as Service<(Stream, Request<()>)>>::Error: Send,
    B: Send + 'static,
    HostBody: Send + 'static,
{
    type Response = Response<HostBody>;
    type Error = <H as Service<Request<RequestBody<B>>>>::Error;
    type Future = EitherFuture<
        <H as Service<Request<RequestBody<B>>>>::Future,
        BoxFuture<'static, Result<Response<HostBody>, Self::Error>>,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<RequestBody<B>>>::poll_ready(&mut self.host, cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let connection = Connection::of(&parts).cloned();
        let websocket = wants_websocket(&parts);
        if let Some(connection) = &connection
            && connection.is_new()
        {
            // One of version 3 is put into the main namespace unasked.
            if !speaks_version_3(&parts) {
                idle::watch(connection, self.connect_within);
            }
            if !websocket {
                let close = self.close_polling.get_or_init(|| self.closer());
                connection.transport().polls(speaks_version_3(&parts), close);
            }
        }
        let upgrade = connection
            .filter(|_| websocket)
            .and_then(|connection| Some((connection, parts.extensions.remove::<OnUpgrade>()?)));
        let kept = upgrade.is_some().then(|| parts.clone());
        let answer = self.host.call(Request::from_parts(parts, Either::Left(body)));
        let (Some((connection, upgrade)), Some(kept)) = (upgrade, kept) else {
            return EitherFuture::Left(answer);
        };
        let host = self.host.clone();
        EitherFuture::Right(Box::pin(async move {
            let answer = answer.await?;
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                tokio::spawn(hand_over(host, upgrade, kept, connection));
            }
            Ok(answer)
        }))
    }
}

/// Gives the host the stream, once it is one.
async fn hand_over<H>(mut host: H, upgrade: OnUpgrade, kept: Parts, connection: Arc<Connection>)
where
    H: Service<(Stream, Request<()>), Response = ()>,
{
    let Ok(stream) = upgrade.await else {
        return;
    };
    let switch = Arc::new(Switch::default());
    connection.transport().has_websocket(&switch);
    let stream = Killable::new(TokioIo::new(stream), switch).with(UpgradeEnds::of(&connection));
    drop(connection);
    // It has said yes to this request before.
    let _ = host.call((stream, Request::from_parts(kept, ()))).await;
}

/// A client that polled, and whose WebSocket is gone: if it had not been upgraded yet, the host would
/// wait for that for ever, and send no more heartbeats.
struct UpgradeEnds(Weak<Connection>);

impl UpgradeEnds {
    fn of(connection: &Arc<Connection>) -> Self {
        Self(Arc::downgrade(connection))
    }
}

impl Drop for UpgradeEnds {
    fn drop(&mut self) {
        if let Some(connection) = self.0.upgrade()
            && tokio::runtime::Handle::try_current().is_ok()
        {
            // One that was upgraded is closed by now, or no longer listens to this.
            connection.close_polling();
        }
    }
}

impl<H: Clone + Send + Sync + 'static> UpgradeService<H> {
    /// Says goodbye as a client that polls would.
    fn closer<B, HostBody>(&self) -> ClosePolling
    where
        H: Service<Request<RequestBody<B>>, Response = Response<HostBody>>,
        H::Future: Send + 'static,
        H::Error: Send,
        B: Send + 'static,
        HostBody: Send + 'static,
    {
        let (host, path) = (self.host.clone(), self.path.clone());
        Arc::new(move |id: EngineId, version_3| {
            let (version, goodbye) = if version_3 { (3, "1:1") } else { (4, "1") };
            let id = id.as_str();
            let uri = format!("{path}/?EIO={version}&transport=polling&sid={id}");
            let request = Request::post(uri).header(CONTENT_TYPE, "text/plain; charset=UTF-8");
            let body = Either::Right(Full::<Bytes>::from(goodbye));
            let Ok(request) = request.body(body) else {
                return;
            };
            let mut host = host.clone();
            tokio::spawn(timeout(CLOSING, async move {
                if poll_fn(|cx| host.poll_ready(cx)).await.is_ok() {
                    let _ = host.call(request).await;
                }
            }));
        })
    }
}

impl<H: Clone> Clone for UpgradeService<H> {
    fn clone(&self) -> Self {
        Self {
            host: self.host.clone(),
            path: self.path.clone(),
            connect_within: self.connect_within,
            close_polling: self.close_polling.clone(),
        }
    }
}

impl<H> fmt::Debug for UpgradeService<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeService").finish_non_exhaustive()
    }
}
