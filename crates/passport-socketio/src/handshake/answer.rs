//! Answers of our own, at HTTP level: they cost no socket.
//!
//! | status | body | when |
//! |---|---|---|
//! | 401 | `{"code":"unauthorized"}` | denied, for what a client without a cookie could have reached, too |
//! | 403 | `{"code":"forbidden"}` | denied to whoever asks: a foreign origin, somebody else's connection |
//! | 408 | none, and the connection is closed | the body of a POST has not come in time |
//! | 429 | `{"code":"try_again"}` | denied for asking too often; with the `Retry-After` of its limit |
//! | 500 | `{"code":"server_error"}` | could not tell, and the next time will be no better |
//! | 200 | `ok` | a client whose login has ended still posts |
//! | 503 | `{"code":"try_again"}` | could not tell just now; with `Retry-After` |

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Version};

use super::ResponseBody;
use super::cors::preflight_headers;
use crate::model::{Denial, Failure, Reads};

/// Official clients have a jittered backoff of their own; whoever else honours `Retry-After` shall
/// not come back in one wave.
const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=5;

pub(super) type Answer<B> = Response<ResponseBody<B>>;

/// The client's code, and nothing else.
pub(super) fn refusal<B>(failure: &Failure) -> Answer<B> {
    let status = match failure.reason().reads() {
        Reads::TryAgain if failure.is_error() => StatusCode::SERVICE_UNAVAILABLE,
        Reads::TryAgain => StatusCode::TOO_MANY_REQUESTS,
        Reads::Unauthorized => StatusCode::UNAUTHORIZED,
        Reads::Forbidden | Reads::ItsCode | Reads::TheAppsText => StatusCode::FORBIDDEN,
        Reads::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let body = serde_json::json!({ "code": failure.client_message() }).to_string();
    let mut response = Response::new(ResponseBody::ours(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let retry_after = match failure {
        // Never too early: what is left of a second counts as one.
        Failure::Denied(Denial::RateLimited { retry_after, .. }) => Some(retry_after.as_secs() + 1),
        _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(fastrand::u64(RETRY_AFTER_SECONDS)),
        _ => None,
    };
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// `408`. What there is of the body is given up.
pub(super) fn took_too_long<B>(version: Version) -> Answer<B> {
    let mut response = Response::new(ResponseBody::ours(Bytes::new()));
    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    // The rest of the body would be in the way of the next request. HTTP/2 has no such header: there, a
    // stream is reset.
    if version <= Version::HTTP_11 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// `204`, what an allowed page may send.
pub(super) fn preflight<B>(request: &Parts) -> Answer<B> {
    let mut response = Response::new(ResponseBody::ours(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    preflight_headers(request, response.headers_mut());
    response
}

/// What socketioxide answers a post with.
pub(super) fn posted<B>() -> Answer<B> {
    let mut response = Response::new(ResponseBody::ours("ok"));
    let text = HeaderValue::from_static("text/plain; charset=UTF-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}
