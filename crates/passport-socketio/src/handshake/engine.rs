//! Engine.IO's requests, told apart exactly as the engine tells them
//! (engineioxide 0.17, `service/mod.rs`, `service/parser.rs`).
//!
//! A layer that decoded the URL would disagree with an engine that does not: `&%73id=x` opens a
//! new connection there.

use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderValue, Method, Uri};

/// The id of an Engine.IO connection (`sid` in its URLs): whoever knows it can poll it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct EngineId([u8; 16]);

impl EngineId {
    /// As the engine reads it: 16 characters of URL-safe base64, and nothing else.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let id: [u8; 16] = text.try_into().ok()?;
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        id.iter().all(allowed).then_some(Self(id))
    }

    /// The connection that a request is about.
    pub(super) fn of(request: &Parts) -> Option<Self> {
        Self::parse(value(request, "sid=")?.as_bytes())
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Whether the engine at `path` would take a request for this URI.
pub(super) fn is_for_engine(uri: &Uri, path: &str) -> bool {
    uri.path()
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || path.ends_with('/'))
}

/// Whether the engine would open a connection for it: no `sid`, and nothing it answers with 400.
pub(super) fn opens_connection(request: &Parts) -> bool {
    request.method == Method::GET
        && value(request, "sid=").is_none()
        && matches!(first(request, "EIO="), Some("3" | "4"))
        && matches!(first(request, "transport="), Some("polling" | "websocket"))
}

/// Whether it asks for a WebSocket, for a new connection or for one that polls as yet.
pub(super) fn wants_websocket(request: &Parts) -> bool {
    request.method == Method::GET && first(request, "transport=") == Some("websocket")
}

/// Whether it posts more than the pong with which a client says that it is there.
pub(super) fn says_something(request: &Parts) -> bool {
    let length = request.headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    request.method == Method::POST && length != Some(b"1")
}

/// Whether it is Engine.IO 3, which Socket.IO 2 speaks.
pub(super) fn speaks_version_3(request: &Parts) -> bool {
    first(request, "EIO=") == Some("3")
}

/// The first parameter that begins so. `name` ends with `=`.
fn value<'r>(request: &'r Parts, name: &str) -> Option<&'r str> {
    request.uri.query()?.split('&').find_map(|pair| pair.strip_prefix(name))
}

/// The same up to the next `=`, where the engine stops reading all but ids.
fn first<'r>(request: &'r Parts, name: &str) -> Option<&'r str> {
    value(request, name)?.split('=').next()
}

#[cfg(test)]
mod tests;
