#![no_main]
//! Any bytes as `Cookie` headers: npm `cookie`'s reader and npm `cookies`' agree on what is no
//! cookie at all, and neither gives more than there is.

use express_session::SessionRequest;
use express_session::cookie::{cookies_get, find};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|headers: Vec<Vec<u8>>| {
    let headers: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
    let Some(request) = SessionRequest::from_cookie_headers(headers) else { return };
    let cookies = request.cookies().unwrap();
    for name in ["", "a", "connect.sid", "session.sig"] {
        assert!(find(cookies, name).is_none_or(|value| value.len() <= cookies.len()));
        assert!(cookies_get(cookies, name).is_none_or(|value| cookies.contains(value)));
    }
});
