#![no_main]
//! Any bytes as `Cookie` headers: the first cookie of a name counts for npm `cookie`'s reader and for
//! npm `cookies`', and neither gives more than there is.

use express_session::SessionRequest;
use express_session::cookie::{cookies_get, find};
use fuzz::unit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|headers: Vec<&[u8]>| unit(|| {
    let Some(request) = SessionRequest::from_cookie_headers(headers.iter().copied()) else {
        return;
    };
    let cookies = request.cookies().unwrap();
    for name in ["", "a", "connect.sid", "session.sig"] {
        assert!(find(cookies, name).is_none_or(|value| value.len() <= cookies.len()));
        assert!(cookies_get(cookies, name).is_none_or(|value| cookies.contains(value)));
    }
    let ours_first = format!("a=1;{cookies}");
    assert_eq!(find(&ours_first, "a").as_deref(), Some("1"));
    assert_eq!(cookies_get(&ours_first, "a"), Some("1"));
}));
