//! A refusal at HTTP level: the code, and nothing else.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full};

use crate::authorizer::Denial;

/// `403 {"code":"forbidden"}`.
pub(super) fn forbidden<B>(denial: &Denial) -> Response<Either<B, Full<Bytes>>> {
    let body = serde_json::json!({ "code": denial.client_message() }).to_string();
    let mut response = Response::new(Either::Right(Full::from(body)));
    *response.status_mut() = StatusCode::FORBIDDEN;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
