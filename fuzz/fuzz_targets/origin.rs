#![no_main]
//! Whatever stands around the server's name in an origin: only the server's own is let through, and what a
//! stranger forwards changes nothing.

use std::net::Ipv6Addr;

use fuzz::handshake::{OPEN, PROXY, STRANGER, ask, authorizer, get, host, run};
use fuzz::unit;
use libfuzzer_sys::fuzz_target;
use tower::Layer as _;

fuzz_target!(|input: (&str, &str, &str, &str, &str)| unit(|| {
    let (name, before, after, scheme, forwarded) = input;
    // Nearly nothing that does not begin so is an origin at all.
    for begin in ["", "http://", "ws://"] {
        check(name, &format!("{begin}{before}{name}{after}"), scheme, forwarded);
    }
}));

fn check(name: &str, origin: &str, scheme: &str, forwarded: &str) {
    let direct = [("host", name), ("origin", origin)];
    let proxied = [&direct[..], &[("x-forwarded-proto", scheme), ("x-forwarded-host", forwarded)]];
    let proxied = proxied.concat();
    run(async {
        let server = authorizer(|builder| builder).layer().layer(host(Vec::new()));
        let Some(request) = get(STRANGER, OPEN, &direct) else { return };
        let allowed = ask(&server, request).await.0 == 200;
        let theirs = origin.strip_prefix("http://").or(origin.strip_prefix("ws://"));
        let theirs = theirs.map(host_and_port);
        assert!(!allowed || theirs == Some(host_and_port(name)));
        if let Some(request) = get(STRANGER, OPEN, &proxied) {
            assert_eq!(ask(&server, request).await.0 == 200, allowed);
        }
        if let Some(request) = get(PROXY, OPEN, &proxied) {
            ask(&server, request).await;
        }
    });
}

fn host_and_port(text: &str) -> (String, u16) {
    let port = text.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse().ok()?)));
    let (name, port) = port.unwrap_or((text, 80));
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let address = address.and_then(|address| address.parse::<Ipv6Addr>().ok());
    (address.map_or(name.to_ascii_lowercase(), |address| format!("[{address}]")), port)
}
