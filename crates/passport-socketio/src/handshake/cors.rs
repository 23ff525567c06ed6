//! CORS, for pages of allowed origins: without these headers a browser hides polling's answers from
//! them. (A WebSocket does not ask.) What the page's own origin is was checked before.
//!
//! Exact answers only (Fetch standard, 3.2): the origin that asked, never `*`, since cookies come along.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

/// The allowed origin of a cross-origin request, to be named in its answer.
pub(super) struct AllowedOrigin(HeaderValue);

impl AllowedOrigin {
    pub(super) fn of(request: &Parts) -> Option<Self> {
        request.headers.get(ORIGIN).cloned().map(Self)
    }

    pub(super) fn allow(self, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.0);
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}

/// Whether a browser only asks if it may ask. It sends no cookie with that.
pub(super) fn is_preflight(request: &Parts) -> bool {
    request.method == Method::OPTIONS && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// What an allowed page may send: what Engine.IO needs, and the headers it asks for (the client's
/// `extraHeaders`).
pub(super) fn preflight_headers(request: &Parts, headers: &mut HeaderMap) {
    let asked = request.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let allowed = asked.unwrap_or(HeaderValue::from_name(CONTENT_TYPE));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
}
