//! Requests as a server gives them to the layer, and what stands behind it.

use std::convert::Infallible;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use express_session::cookie::Signer;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use passport_socketio::store::{Life, MemoryStore};
use passport_socketio::{Authorizer, AuthorizerBuilder, PeerAddr};
use tokio::time::sleep;
use tower::{Service, ServiceExt as _, service_fn};

use crate::KEY;

/// The URI that opens a connection.
pub const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

/// A proxy that is trusted, and somebody who is not.
pub const PROXY: [u8; 4] = [10, 0, 0, 1];
pub const STRANGER: [u8; 4] = [192, 0, 2, 1];

/// Longer than any timeout of the host (`connect_timeout`, 45 s) or of ours.
const ALL_IS_OVER: Duration = Duration::from_secs(60);

type Get = Request<Full<Bytes>>;

/// With a runtime of its own, in which nobody waits: its clock jumps to the next timer. So what the requests
/// have opened has timed out before the runtime ends, and whatever is left then is a leak.
///
/// The host needs that: its engine and a connection hold each other until the connection is closed, which a
/// runtime that ends does not do (engineioxide 0.17.9, `engine.rs`, `create_session`).
pub fn run(requests: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
        requests.await;
        sleep(ALL_IS_OVER).await;
    });
}

/// Trusts [`PROXY`], and knows the session of [`cookie`].
pub fn authorizer(
    set: impl FnOnce(AuthorizerBuilder<i64>) -> AuthorizerBuilder<i64>,
) -> Authorizer<i64> {
    let store = MemoryStore::for_tests();
    store.set("ann", r#"{"cookie":{},"passport":{"user":42}}"#, Life::Forever);
    let builder = Authorizer::builder()
        .secret(KEY)
        .store(store)
        .deserialize_user(async |id: i64| Ok::<_, Infallible>(Some(id)));
    set(builder.trust_proxy(["10.0.0.0/8"])).build().unwrap()
}

pub fn cookie() -> String {
    Signer::new([KEY]).unwrap().cookie_pair("connect.sid", "ann")
}

/// `None` if no HTTP server would take it for a request.
pub fn get(peer: [u8; 4], uri: &str, headers: &[(&'static str, &str)]) -> Option<Get> {
    let mut request = Request::get(uri).body(Full::default()).ok()?;
    request.extensions_mut().insert(PeerAddr(SocketAddr::from((peer, 1))));
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).ok()?;
        request.headers_mut().append(HeaderName::from_static(name), value);
    }
    Some(request)
}

/// Answers everything with these bytes, and keeps the requests as the real host does.
pub fn host(
    answer: Vec<u8>,
) -> impl Service<Get, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let (answer, kept) = (Bytes::from(answer), Arc::new(Mutex::new(Vec::new())));
    service_fn(move |request: Get| {
        kept.lock().unwrap().push(request);
        let answer = Response::new(Full::new(answer.clone()));
        async move { Ok::<_, Infallible>(answer) }
    })
}

/// The answer's status and body.
pub async fn ask<S, B>(service: &S, request: Get) -> (u16, Bytes)
where
    S: Service<Get, Response = Response<B>, Error = Infallible> + Clone,
    B: BodyExt<Data = Bytes, Error: Debug>,
{
    let Ok(answer) = service.clone().oneshot(request).await;
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes())
}
