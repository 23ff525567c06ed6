#![no_main]
//! express-session: any cookies, any query, any session id, any record.

use std::sync::LazyLock;

use express_session::SessionRequest;
use express_session::source::ExpressSource;
use fuzz::{KEY, assert_is, locate_signed, locates_nothing, read, unit};
use libfuzzer_sys::fuzz_target;

static KIND: LazyLock<ExpressSource> =
    LazyLock::new(|| ExpressSource::new("n", [KEY]).unwrap().with_insecure_query_param("q"));

fuzz_target!(|input: (&str, &str, &str, &[u8])| unit(|| {
    let (cookies, query, sid, record) = input;
    let request = SessionRequest::from_cookie_header(cookies).with_query(Some(query));
    locates_nothing(&*KIND, &request);
    let pair = KIND.signer().cookie_pair("n", sid);
    if let Some(located) = locate_signed(&*KIND, &pair, cookies) {
        assert_is(&located, sid);
    }
    read(&*KIND, record);
}));
