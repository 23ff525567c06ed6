//! The host's service, with a hand on its connections' transports.
//!
//! The host is given the requests that our layer guards, and no others: whatever path it listens at, no
//! request reaches it past the layer. All else goes straight to the app.
//!
//! A WebSocket is asked for as ever: the host says yes, or why not. But the stream goes through our
//! hands: hyper's upgrade is taken out of the request first, and the host is handed the stream
//! afterwards, through the door that it has for streams.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryFutureExt as _;
use futures_util::future::{BoxFuture, Either as EitherFuture, MapOk, poll_fn};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tower_service::Service;

use super::HandshakeSettings;
use super::bounded::BoundedStream;
use super::bounded_body::BoundedBody;
use super::connection::Connection;
use super::cuttable::{CutSwitch, CuttableStream};
use super::engine::{EngineId, is_for_engine, speaks_version_3, wants_websocket};
use super::first_frame::FirstFrame;
use super::packet::payload_admits;
use super::silence;
use super::transport::ClosePolling;

/// For a goodbye of ours, which the host takes at once.
const CLOSING: Duration = Duration::from_secs(5);

/// A WebSocket's stream, as the host is given it.
type Stream = CuttableStream<BoundedStream<TokioIo<Upgraded>>>;

/// A client's body, or one of ours.
type RequestBody<B> = Either<BoundedBody<B>, Full<Bytes>>;

/// The host's answer, or the app's.
type AnyResponse<HostBody, AppBody> = Response<Either<FirstFrame<HostBody>, AppBody>>;

/// The service between ours and the host's, and the app's beside it. Made by
/// [`OverLayer`](super::OverLayer).
pub struct UpgradeService<H, S> {
    host: H,
    app: S,
    path: Arc<str>,
    /// Whether the host answers at that path. If not, it is given nothing.
    is_served: bool,
    connect_within: Duration,
    close_polling: Arc<OnceLock<ClosePolling>>,
}

impl<H, S> UpgradeService<H, S> {
    pub(super) fn new(host: H, app: S, settings: &HandshakeSettings, is_served: bool) -> Self {
        let (path, connect_within) = (settings.path.clone(), settings.connect_within);
        Self { host, app, path, is_served, connect_within, close_polling: Arc::default() }
    }
}

impl<H, S, B, HostBody, AppBody> Service<Request<B>> for UpgradeService<H, S>
where
    H: Service<Request<RequestBody<B>>, Response = Response<HostBody>, Error = Infallible>,
    H: Service<(Stream, Request<()>), Response = ()>,
    H: Clone + Send + Sync + 'static,
    <H as Service<Request<RequestBody<B>>>>::Future: Send + 'static,
    <H as Service<(Stream, Request<()>)>>::Future: Send,
    <H as Service<(Stream, Request<()>)>>::Error: Send,
    S: Service<Request<B>, Response = Response<AppBody>>,
    B: Send + 'static,
    HostBody: Send + 'static,
    AppBody: Send + 'static,
{
    type Response = AnyResponse<HostBody, AppBody>;
    type Error = S::Error;
    type Future = EitherFuture<
        MapOk<S::Future, fn(Response<AppBody>) -> AnyResponse<HostBody, AppBody>>,
        BoxFuture<'static, Result<AnyResponse<HostBody, AppBody>, S::Error>>,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        match ready!(Service::<Request<RequestBody<B>>>::poll_ready(&mut self.host, cx)) {
            Ok(()) => self.app.poll_ready(cx),
            Err(never) => match never {},
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.is_served || !is_for_engine(request.uri(), &self.path) {
            let answer = self.app.call(request);
            return EitherFuture::Left(answer.map_ok(|answer| answer.map(Either::Right)));
        }
        let (mut parts, body) = request.into_parts();
        let connection = Connection::of(&parts).cloned();
        let websocket = wants_websocket(&parts);
        if let Some(connection) = &connection
            && connection.is_new()
        {
            // One of version 3 is put into the main namespace unasked.
            if !speaks_version_3(&parts) {
                silence::watch(connection, self.connect_within);
            }
            if !websocket {
                let close = self.close_polling.get_or_init(|| self.closer());
                connection.transport().polls(speaks_version_3(&parts), close);
            }
        }
        // One that is not known to us is not to socketioxide either, or is about to be.
        let allowance = connection.as_ref().map(|it| it.allowance().clone()).unwrap_or_default();
        let allowance = Some(allowance).filter(|allowance| !allowance.is_admitted());
        let version_3 = speaks_version_3(&parts);
        let polled = allowance.clone().filter(|_| !websocket);
        let upgrade = connection
            .filter(|_| websocket)
            .and_then(|connection| Some((connection, parts.extensions.remove::<OnUpgrade>()?)));
        let kept = upgrade.is_some().then(|| parts.clone());
        let body = Either::Left(BoundedBody::new(body, allowance));
        let answer = self.host.call(Request::from_parts(parts, body));
        let host = self.host.clone();
        EitherFuture::Right(Box::pin(async move {
            let answer = match answer.await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS
                && let (Some((connection, upgrade)), Some(kept)) = (upgrade, kept)
            {
                tokio::spawn(hand_over(host, upgrade, kept, connection));
            }
            let look = polled.map(|allowance| {
                move |payload: &[u8]| {
                    if payload_admits(payload, version_3) {
                        allowance.admitted();
                    }
                }
            });
            Ok(answer.map(|body| Either::Left(FirstFrame::new(body, look))))
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
    let switch = Arc::new(CutSwitch::default());
    connection.transport().has_websocket(&switch);
    let stream =
        BoundedStream::new(TokioIo::new(stream), connection.allowance().clone(), switch.clone());
    let filter = connection.filter().clone();
    let ends = Box::new(UpgradeEnds::of(&connection));
    let stream = CuttableStream::new(stream, switch, filter, Some(ends));
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

impl<H: Clone + Send + Sync + 'static, S> UpgradeService<H, S> {
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

impl<H: Clone, S: Clone> Clone for UpgradeService<H, S> {
    fn clone(&self) -> Self {
        Self {
            host: self.host.clone(),
            app: self.app.clone(),
            path: self.path.clone(),
            is_served: self.is_served,
            connect_within: self.connect_within,
            close_polling: self.close_polling.clone(),
        }
    }
}

impl<H, S> fmt::Debug for UpgradeService<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeService").finish_non_exhaustive()
    }
}
