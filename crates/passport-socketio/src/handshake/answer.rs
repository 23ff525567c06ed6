//! Answers of our own, at HTTP level: they cost no socket.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};

use super::cors::preflight_headers;
use crate::authorizer::Denial;

pub(super) type Answer<B> = Response<Either<B, Full<Bytes>>>;

/// `403 {"code":"forbidden"}`: the code, and nothing else.
pub(super) fn forbidden<B>(denial: &Denial) -> Answer<B> {
    let body = serde_json::json!({ "code": denial.client_message() }).to_string();
    let mut response = Response::new(Either::Right(Full::from(body)));
    *response.status_mut() = StatusCode::FORBIDDEN;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `204`, what an allowed page may send.
pub(super) fn preflight<B>(request: &Parts) -> Answer<B> {
    let mut response = Response::new(Either::Right(Full::default()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    preflight_headers(request, response.headers_mut());
    response
}
