#![no_main]
//! koa-session, in the cookie and in a store: any cookies, any signed value, any session.

use std::sync::LazyLock;

use express_session::SessionRequest;
use express_session::cookie::KeygripHash::Sha1;
use express_session::source::KoaSource;
use fuzz::{
    KEY, assert_is, base64, cookie_value, keygrip_pair, locate_signed, locates_nothing,
    read_carried, unit,
};
use libfuzzer_sys::fuzz_target;

static IN_COOKIE: LazyLock<KoaSource> =
    LazyLock::new(|| KoaSource::in_cookie("n", [KEY], Sha1).unwrap());
static IN_STORE: LazyLock<KoaSource> =
    LazyLock::new(|| KoaSource::in_store("n", [KEY], Sha1).unwrap());

fuzz_target!(|input: (&str, &str, &[u8])| unit(|| {
    let (cookies, id, session) = input;
    let id = cookie_value(id);
    locates_nothing(&*IN_STORE, &SessionRequest::from_cookie_header(cookies));
    if let Some(located) = locate_signed(&*IN_STORE, &keygrip_pair(id), cookies) {
        assert_is(&located, id);
    }
    if let Some(located) = locate_signed(&*IN_COOKIE, &keygrip_pair(&base64(session)), cookies) {
        read_carried(&*IN_COOKIE, &located, session);
    }
}));
