#![no_main]
//! Whatever the query: where the real engine opens a connection, the layer has seen that coming.

use fuzz::handshake::{STRANGER, ask, authorizer, get, host, run};
use fuzz::unit;
use libfuzzer_sys::fuzz_target;
use passport_socketio::RateLimit;
use socketioxide::SocketIo;
use tower::Layer as _;

fuzz_target!(|query: &str| unit(|| {
    let uri = format!("/socket.io/?{query}");
    let Some(requests) = get(STRANGER, &uri, &[]).zip(get(STRANGER, &uri, &[])) else { return };
    run(async {
        let auth = authorizer(|builder| builder.limit_handshakes_per_ip(RateLimit::per_hour(1)));
        let (engine, io) = SocketIo::new_layer();
        let server = auth.layer().layer(engine.layer(host(Vec::new())));
        let (status, body) = ask(&server, requests.0).await;
        let opened = status == 200 && body.windows(7).any(|window| window == br#""sid":""#);
        // What opens one is counted, and one was allowed.
        assert!(!opened || ask(&server, requests.1).await.0 == 429);
        io.close().await;
    });
}));
