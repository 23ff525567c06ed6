#![no_main]
//! Whatever bytes stand in the headers, also those above 0x7f: nobody is let in by a cookie that was not
//! signed, nothing but ASCII is an origin, and the session is found beside garbage or is refused.

use fuzz::handshake::{OPEN, PROXY, ask, authorizer, cookie, get, host, run};
use fuzz::unit;
use http::{HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use tower::Layer as _;

const OTHERS: [&str; 7] = [
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-for",
    "sec-fetch-site",
    "access-control-request-headers",
    "content-length",
    "content-type",
];

fuzz_target!(|input: (&[u8], &[u8], &[u8], &[u8], u8)| unit(|| {
    let (cookies, origin, name, other, which) = input;
    let other_name = OTHERS[usize::from(which) % OTHERS.len()];
    run(async {
        let server = authorizer(|builder| builder.refuse_at_http()).layer().layer(host(Vec::new()));
        let with = |headers: &[(&'static str, &[u8])]| {
            let mut request = get(PROXY, OPEN, &[]).unwrap();
            for (name, value) in headers {
                let value = HeaderValue::from_bytes(value).ok()?;
                request.headers_mut().append(HeaderName::from_static(name), value);
            }
            Some(request)
        };
        let all = [("cookie", cookies), ("origin", origin), ("host", name), (other_name, other)];
        if let Some(request) = with(&all) {
            assert_ne!(ask(&server, request).await.0, 200, "a cookie that was not signed");
        }
        let own = cookie();
        let signed =
            [("cookie", own.as_bytes()), ("origin", origin), ("host", name), (other_name, other)];
        if let Some(request) = with(&signed) {
            let let_in = ask(&server, request).await.0 == 200;
            assert!(!let_in || origin.is_ascii(), "an origin that is none");
        }
        let beside = [own.as_bytes(), b"; ", cookies].concat();
        if let Some(request) = with(&[("cookie", &*beside), (other_name, other)]) {
            let status = ask(&server, request).await.0;
            assert!(matches!(status, 200 | 401 | 403), "{status}");
        }
    });
}));
