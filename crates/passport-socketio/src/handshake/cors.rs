//! CORS, for pages of allowed origins: without these headers a browser hides polling's answers from
//! them. (A WebSocket does not ask.) What the page's own origin is was checked before.
//!
//! Exact answers only (Fetch standard, 3.2): the origin that asked, never `*`, since cookies come along.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN,
    RETRY_AFTER, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

/// What an answer has to say about the origin that asked.
pub(super) enum Cors {
    /// Nothing: no other origin is ever allowed.
    None,
    /// That another origin might have got another answer, for caches.
    Varies,
    /// That this origin may read it.
    Allows(HeaderValue),
}

impl Cors {
    pub(super) fn of(request: &Parts, cross_origin: bool, others_are_allowed: bool) -> Self {
        match request.headers.get(ORIGIN) {
            Some(origin) if cross_origin => Self::Allows(origin.clone()),
            _ if others_are_allowed => Self::Varies,
            _ => Self::None,
        }
    }

    pub(super) fn allows(&self) -> bool {
        matches!(self, Self::Allows(_))
    }

    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if let Self::Allows(origin) = self {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            if headers.contains_key(RETRY_AFTER) {
                // None of the few that a browser shows unasked (Fetch standard, 2.2.2).
                let shown = HeaderValue::from_static("Retry-After");
                headers.append(ACCESS_CONTROL_EXPOSE_HEADERS, shown);
            }
        }
        if !matches!(self, Self::None) {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
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
