#![no_main]
//! koa-generic-session: any cookies, any session id, any record.

use std::sync::LazyLock;

use express_session::SessionRequest;
use express_session::cookie::KeygripHash::Sha1;
use express_session::source::KoaGenericSource;
use fuzz::{
    KEY, assert_is, cookie_value, keygrip_pair, locate_signed, locates_nothing, read, unit,
};
use libfuzzer_sys::fuzz_target;

static KIND: LazyLock<KoaGenericSource> =
    LazyLock::new(|| KoaGenericSource::new("n", [KEY], Sha1).unwrap());

fuzz_target!(|input: (&str, &str, &[u8])| unit(|| {
    let (cookies, id, record) = input;
    let id = cookie_value(id);
    locates_nothing(&*KIND, &SessionRequest::from_cookie_header(cookies));
    if let Some(located) = locate_signed(&*KIND, &keygrip_pair(id), cookies) {
        assert_is(&located, id);
    }
    read(&*KIND, record);
}));
