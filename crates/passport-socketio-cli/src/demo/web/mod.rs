//! What the demo's pages are made of: small files in the binary, and the headers they come with.
//!
//! Nothing is asked of anybody else: no script, font or image from another host, and a policy that
//! would not allow one. The scripts are ES modules, served as they are written.

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use serde_json::Value;

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// No inline script, no other origin. In `connect-src`, `'self'` includes this host's WebSocket.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// `no-cache`: who updates the binary gets a page and scripts that fit each other.
const HEADERS: [(HeaderName, &str); 4] = [
    (CACHE_CONTROL, "no-cache"),
    (CONTENT_SECURITY_POLICY, POLICY),
    (REFERRER_POLICY, "same-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// `pages`, the files that every page needs, and the headers on all of them.
pub(super) fn with_files(path: &str, pages: Router) -> Router {
    let icon = || file(SVG, include_str!("icon.svg"));
    pages
        .route("/style.css", file(CSS, include_str!("style.css")))
        .route("/client.js", file(JAVASCRIPT, client(path)))
        .route("/view.js", script(include_str!("view.js")))
        .route("/emblem.svg", file(SVG, include_str!("emblem.svg")))
        .route("/icon.svg", icon())
        // Asked for by whoever does not read the page's <link>.
        .route("/favicon.ico", icon())
        .layer(map_response(with_headers))
}

pub(super) fn script(text: &'static str) -> MethodRouter {
    file(JAVASCRIPT, text)
}

fn file(content_type: &'static str, text: impl Into<Bytes>) -> MethodRouter {
    let text = text.into();
    get(async move || ([(CONTENT_TYPE, content_type)], text))
}

/// Asks where Socket.IO is served.
fn client(path: &str) -> String {
    let path = Value::from(format!("{}/", path.trim_end_matches('/')));
    include_str!("client.js").replace("\"/socket.io/\"", &path.to_string())
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
