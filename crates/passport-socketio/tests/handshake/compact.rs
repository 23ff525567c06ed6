//! What the host keeps of a request for a connection's life.

#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use std::convert::Infallible;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use crate::common::world::{User, auth_over, cookie, store};
use axum::extract::OriginalUri;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use passport_socketio::AuthorizerBuilder;
use tower::{Layer as _, ServiceExt as _, service_fn};

const OPEN: &str = "/socket.io/?EIO=4&transport=websocket&session_id=s%3Aann.x&tenant=7";
const UPGRADE: &str =
    "/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAA&session_id=s%3Aann.x";

/// A buffer that a request's head was read into, and the request, cut out of it as hyper does.
fn read(uri: &str) -> (Bytes, Request<Full<Bytes>>) {
    let headers = [
        ("host", "app.example".to_owned()),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)".to_owned()),
        ("x-tenant", "one".to_owned()),
        ("x-tenant", "two".to_owned()),
        ("x-bytes", String::from_utf8_lossy(b"\xc3\xa9").into_owned()),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".to_owned()),
        ("cookie", cookie("ann")),
    ];
    let mut text = uri.to_owned();
    let mut places: Vec<Range<usize>> = std::iter::once(0..uri.len()).collect();
    for (_, value) in &headers {
        places.push(text.len()..text.len() + value.len());
        text.push_str(value);
    }
    let buffer = Bytes::from(text.into_bytes());
    let mut places = places.into_iter().map(|place| buffer.slice(place));
    let uri = Uri::from_maybe_shared(places.next().unwrap()).unwrap();
    let mut request = Request::get(uri.clone());
    for (name, _) in &headers {
        request =
            request.header(*name, HeaderValue::from_maybe_shared(places.next().unwrap()).unwrap());
    }
    let request = request.extension(OriginalUri(uri)).extension(Arc::<str>::from("the app's own"));
    let request = request.body(Full::default()).unwrap();
    drop(places);
    (buffer, request)
}

/// What comes through the layer to the host.
async fn kept(
    uri: &str,
    set: impl FnOnce(AuthorizerBuilder<User>) -> AuthorizerBuilder<User>,
) -> (Bytes, Parts) {
    let auth = set(auth_over(store())).build().unwrap();
    let seen = Arc::new(Mutex::new(None));
    let host = service_fn({
        let seen = seen.clone();
        move |request: Request<Full<Bytes>>| {
            *seen.lock().unwrap() = Some(request.into_parts().0);
            async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
        }
    });
    let (buffer, request) = read(uri);
    auth.layer().layer(host).oneshot(request).await.unwrap();
    let parts = seen.lock().unwrap().take().unwrap();
    (buffer, parts)
}

#[tokio::test(start_paused = true)]
async fn the_kept_request_does_not_hold_the_buffer_it_was_read_into() {
    let (buffer, request) = read(OPEN);
    assert!(!buffer.is_unique(), "it is pinned by what was read");
    drop(request);
    assert!(buffer.is_unique());
    for uri in [OPEN, UPGRADE] {
        for keep in [false, true] {
            let (buffer, _kept) =
                kept(uri, |builder| if keep { builder.keep_cookies() } else { builder }).await;
            assert!(buffer.is_unique(), "{uri}, cookies kept: {keep}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_kept_request_lacks_only_cookies_and_session_ids() {
    for (uri, expected) in [
        (OPEN, "/socket.io/?EIO=4&transport=websocket&tenant=7"),
        (UPGRADE, "/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAA"),
    ] {
        let (_, mut before) = read(uri);
        let (_, kept) = kept(uri, |builder| builder).await;
        before.headers_mut().remove("cookie").unwrap();
        assert_eq!(&kept.headers, before.headers());
        assert_eq!(kept.uri, expected);
        assert_eq!(kept.extensions.get::<OriginalUri>().unwrap().0, expected);
        assert_eq!(**kept.extensions.get::<Arc<str>>().unwrap(), *"the app's own");
    }
}

#[tokio::test(start_paused = true)]
async fn keep_cookies_keeps_cookies_and_the_query() {
    let (_, kept) = kept(OPEN, AuthorizerBuilder::keep_cookies).await;
    let (_, before) = read(OPEN);
    assert_eq!(&kept.headers, before.headers());
    assert_eq!(kept.uri, OPEN);
}

#[tokio::test(start_paused = true)]
async fn kept_values_are_adjacent_in_one_buffer() {
    let (_, kept) = kept(OPEN, |builder| builder).await;
    let mut places: Vec<_> =
        kept.headers.values().map(|value| value.as_bytes().as_ptr_range()).collect();
    places.push(
        kept.uri.path().as_bytes().as_ptr_range().start
            ..kept.uri.query().unwrap().as_bytes().as_ptr_range().end,
    );
    places.sort_by_key(|place| place.start);
    for pair in places.windows(2) {
        assert_eq!(pair.first().unwrap().end, pair.last().unwrap().start);
    }
}
