#![no_main]
//! cookie-session: any cookies, any signed value, any session in one.

use std::sync::LazyLock;

use express_session::SessionRequest;
use express_session::cookie::KeygripHash::Sha1;
use express_session::source::CookieSessionSource;
use fuzz::{
    KEY, base64, cookie_value, keygrip_pair, locate_signed, locates_nothing, read_carried, unit,
};
use libfuzzer_sys::fuzz_target;

static KIND: LazyLock<CookieSessionSource> =
    LazyLock::new(|| CookieSessionSource::new("n", [KEY], Sha1).unwrap());

fuzz_target!(|input: (&str, &str, &[u8])| unit(|| {
    let (cookies, value, session) = input;
    locates_nothing(&*KIND, &SessionRequest::from_cookie_header(cookies));
    locate_signed(&*KIND, &keygrip_pair(cookie_value(value)), cookies);
    if let Some(located) = locate_signed(&*KIND, &keygrip_pair(&base64(session)), cookies) {
        read_carried(&*KIND, &located, session);
    }
}));
