//! What the host keeps of a request, made small.
//!
//! The host holds a request's head as long as its connection lives. hyper cuts the head's values out
//! of the buffer that it read them into, 8 KiB at least, and any one of them keeps all of it. So all
//! values are copied into one buffer of just their size, and the URI with them.

use std::fmt::Write as _;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Uri};

use crate::authorizer::CookieContext;

/// Copies what the request has of other buffers into one: its URI and the values of its headers.
pub(super) fn compact(request: &mut Parts, keep_session_id: bool) {
    let mut text = String::new();
    write_uri(&request.uri, keep_session_id, &mut text);
    let end_of_uri = text.len();
    if let Some(original) = original_uri(request)
        && *original != request.uri
    {
        write_uri(original, keep_session_id, &mut text);
    }
    let end_of_original = text.len();

    let values = request.headers.values().map(HeaderValue::len).sum::<usize>();
    let mut all = text.into_bytes();
    all.reserve_exact(values);
    for value in request.headers.values() {
        all.extend_from_slice(value.as_bytes());
    }
    let mut all = Bytes::from(all.into_boxed_slice());

    let (uri, original) = (all.split_to(end_of_uri), all.split_to(end_of_original - end_of_uri));
    // All of it was parsed before, and parses again.
    if let Ok(uri) = Uri::from_maybe_shared(uri) {
        request.uri = uri;
    }
    let original = Uri::from_maybe_shared(original);
    keep_original_uri(request, original.unwrap_or_else(|_| request.uri.clone()));
    for value in request.headers.values_mut() {
        let sensitive = value.is_sensitive();
        if let Ok(copied) = HeaderValue::from_maybe_shared(all.split_to(value.len())) {
            *value = copied;
            value.set_sensitive(sensitive);
        }
    }
}

fn write_uri(uri: &Uri, keep_session_id: bool, text: &mut String) {
    let Some(query) = uri.query().filter(|_| !keep_session_id) else {
        let _ = write!(text, "{uri}");
        return;
    };
    let whole = uri.to_string();
    text.push_str(whole.strip_suffix(query).unwrap_or(&whole));
    let kept: Vec<_> =
        query.split('&').filter(|pair| !CookieContext::is_session_id(pair)).collect();
    text.push_str(&kept.join("&"));
}

/// axum keeps the URI once more: its layers and nested routers may change the other.
#[cfg(feature = "axum")]
fn original_uri(request: &Parts) -> Option<&Uri> {
    request.extensions.get::<axum::extract::OriginalUri>().map(|original| &original.0)
}

#[cfg(feature = "axum")]
fn keep_original_uri(request: &mut Parts, uri: Uri) {
    if let Some(original) = request.extensions.get_mut::<axum::extract::OriginalUri>() {
        original.0 = uri;
    }
}

#[cfg(not(feature = "axum"))]
fn original_uri(_: &Parts) -> Option<&Uri> {
    None
}

#[cfg(not(feature = "axum"))]
fn keep_original_uri(_: &mut Parts, _: Uri) {}
