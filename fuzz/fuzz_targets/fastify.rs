#![no_main]
//! @fastify/session: any cookies, any session id, any record.

use std::sync::LazyLock;

use express_session::SessionRequest;
use express_session::cookie::Signer;
use express_session::source::FastifySource;
use fuzz::{KEY, assert_is, locate_signed, locates_nothing, read, unit};
use libfuzzer_sys::fuzz_target;

static KIND: LazyLock<FastifySource> =
    LazyLock::new(|| FastifySource::new("n", [KEY]).unwrap().with_cookie_prefix("s:"));
static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new([KEY]).unwrap());

fuzz_target!(|input: (&str, &str, &[u8])| unit(|| {
    let (cookies, id, record) = input;
    locates_nothing(&*KIND, &SessionRequest::from_cookie_header(cookies));
    if let Some(located) = locate_signed(&*KIND, &SIGNER.cookie_pair("n", id), cookies) {
        assert_is(&located, id);
    }
    read(&*KIND, record);
}));
