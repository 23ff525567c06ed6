#![no_main]
//! Whatever surrounds the id in the answer that opens a connection: it reaches the client as it was, and
//! from then on the connection is its owner's.

use fuzz::handshake::{OPEN, STRANGER, ask, authorizer, cookie, get, host, run};
use fuzz::unit;
use libfuzzer_sys::fuzz_target;
use tower::Layer as _;

const NAME: &[u8] = br#""sid":""#;

fuzz_target!(|input: (&[u8], [u8; 16], &[u8])| unit(|| {
    let (before, id, after) = input;
    let answer = [before, NAME, &id, after].concat();
    let first = answer.windows(NAME.len()).position(|window| window == NAME);
    let own = [("cookie", &*cookie())];
    run(async {
        let server = authorizer(|builder| builder).layer().layer(host(answer.clone()));
        let (status, body) = ask(&server, get(STRANGER, OPEN, &own).unwrap()).await;
        assert_eq!((status, &*body), (200, &*answer));
        let is_id = id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
        if is_id && first == Some(before.len()) {
            let uri = format!("{OPEN}&sid={}", str::from_utf8(&id).unwrap());
            assert_eq!(ask(&server, get(STRANGER, &uri, &own).unwrap()).await.0, 200);
            assert_eq!(ask(&server, get(STRANGER, &uri, &[]).unwrap()).await.0, 403);
        }
    });
}));
