//! The path that Socket.IO is served at.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use socketioxide::adapter::Adapter;
use socketioxide::layer::SocketIoLayer;
use tower_layer::Layer as _;
use tower_service::Service;

/// The path as it is compared: without the slash that Node's apps may write at its end, and which
/// Node takes away, too. `None` for what can't be the path of a request.
///
/// With it gone, [`is_for_engine`](super::engine::is_for_engine) accepts what socketioxide accepts at
/// either of the two, and no less.
pub(crate) fn normal_path(path: &str) -> Option<&str> {
    let is_path = path.starts_with('/')
        && path.parse::<PathAndQuery>().is_ok_and(|parsed| parsed.as_str() == path)
        && !path.contains('?');
    let path = path.strip_suffix('/').filter(|_| is_path).unwrap_or(path);
    (is_path && !path.ends_with('/')).then_some(path)
}

/// Whether socketioxide answers at this path. Its settings can't be read from its layer, so it is
/// asked: a request without a query is an error to it, and opens nothing.
pub(super) fn serves<A: Adapter>(engine: &SocketIoLayer<A>, path: &str) -> bool {
    let mut service = engine.layer(NotServed);
    let Ok(request) = Request::get(format!("{path}/")).body(Full::<Bytes>::default()) else {
        return false;
    };
    let answer = service.call(request).now_or_never();
    matches!(answer, Some(Ok(answer)) if answer.status() != StatusCode::NOT_FOUND)
}

/// What is behind socketioxide where [our layer holds it](crate::Authorizer::layer_over): `404`.
/// Requests for the app do not pass through socketioxide at all.
#[derive(Clone, Copy, Debug)]
pub struct NotServed;

impl<B> Service<Request<B>> for NotServed {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let mut response = Response::new(Empty::new());
        *response.status_mut() = StatusCode::NOT_FOUND;
        ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trailing_slash_of_a_path_is_removed() {
        for (path, normal) in [
            ("/", Some("")),
            ("/socket.io", Some("/socket.io")),
            ("/socket.io/", Some("/socket.io")),
            ("/a/b/", Some("/a/b")),
            ("/%2F/", Some("/%2F")),
            ("//", None),
            ("/a//", None),
            ("", None),
            ("socket.io", None),
            ("/a?b", None),
            ("/a?", None),
            ("/a#b", None),
            ("*", None),
        ] {
            assert_eq!(normal_path(path), normal, "{path:?}");
        }
    }
}
