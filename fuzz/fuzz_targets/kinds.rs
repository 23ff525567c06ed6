#![no_main]
//! Any cookies, any record, every kind of session: nothing that was not signed is located.

use std::sync::LazyLock;

use express_session::cookie::KeygripHash::Sha1;
use express_session::source::{
    CookieSessionSource, ExpressSource, FastifySource, KoaGenericSource, KoaSource,
    SecureSessionSource, SessionSource,
};
use express_session::{RecordLimits, SessionRequest};
use libfuzzer_sys::fuzz_target;

static KINDS: LazyLock<Vec<Box<dyn SessionSource>>> = LazyLock::new(|| {
    vec![
        Box::new(ExpressSource::new("a", ["k"]).unwrap().with_insecure_query_param("q")),
        Box::new(CookieSessionSource::new("a", ["k"], Sha1).unwrap()),
        Box::new(KoaSource::in_cookie("a", ["k"], Sha1).unwrap()),
        Box::new(KoaSource::in_store("a", ["k"], Sha1).unwrap()),
        Box::new(KoaGenericSource::new("a", ["k"], Sha1).unwrap()),
        Box::new(FastifySource::new("a", ["k"]).unwrap()),
        Box::new(SecureSessionSource::with_keys("a", [[7; 32]]).unwrap()),
    ]
});

fuzz_target!(|input: (String, String, Vec<u8>)| {
    let (cookies, query, payload) = input;
    let request = SessionRequest::from_cookie_header(&cookies).with_query(Some(&query));
    let limits = RecordLimits { max_bytes: 64 * 1024, max_depth: 64 };
    for kind in KINDS.iter() {
        if let Ok(located) = kind.locate(&request) {
            assert!(!located.id().as_str().is_empty());
        }
        if let Ok(Some(record)) = kind.read(&payload, &limits) {
            let _ = kind.expiry(&record);
        }
    }
});
