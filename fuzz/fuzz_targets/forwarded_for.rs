#![no_main]
//! Whatever `X-Forwarded-For` and `Forwarded` say: of a stranger nothing counts, of a proxy the last entry, so
//! no client gets another allowance by making something up, but that of its proxy.

use fuzz::handshake::{OPEN, PROXY, STRANGER, ask, authorizer, get, host, run};
use fuzz::unit;
use libfuzzer_sys::fuzz_target;
use passport_socketio::RateLimit;
use tower::Layer as _;

fuzz_target!(|made_up: (&str, &str)| unit(|| {
    let client = |made_up: &str| format!("{made_up}, 198.51.100.7");
    run(async {
        for peer in [STRANGER, PROXY] {
            let auth =
                authorizer(|builder| builder.limit_handshakes_per_ip(RateLimit::per_hour(1)));
            let server = auth.layer().layer(host(Vec::new()));
            for (said, status) in [(client(made_up.0), 200), (client(made_up.1), 429)] {
                let said = get(peer, OPEN, &[("x-forwarded-for", &*said)]);
                let Some(request) = said else { return };
                assert_eq!(ask(&server, request).await.0, status);
            }
        }
    });
}));
