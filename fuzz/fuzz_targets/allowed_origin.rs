#![no_main]
//! Whatever is listed, forwarded and asked for: an origin that is let through is listed, or the server's own
//! and not cleartext beside an https:// list.

use std::net::Ipv6Addr;

use fuzz::handshake::{OPEN, PROXY, STRANGER, ask, authorizer, get, host, run};
use fuzz::unit;
use libfuzzer_sys::fuzz_target;
use passport_socketio::{Authorizer, store::MemoryStore};
use tower::Layer as _;

type Parsed = (String, String, u16);

fuzz_target!(|input: (&str, &str, &str, &str, &str, bool)| unit(|| {
    let (listed, name, scheme, forwarded, origin, from_proxy) = input;
    for begin in ["", "http://", "https://"] {
        let listed = format!("https://{listed}");
        run(check(&listed, name, scheme, forwarded, &format!("{begin}{origin}"), from_proxy));
        // The neighbours of what is listed, and of the server itself.
        run(check(&listed, name, scheme, forwarded, &format!("{begin}{name}"), from_proxy));
        run(check(&listed, name, scheme, forwarded, &format!("{listed}{origin}"), from_proxy));
    }
}));

async fn check(
    listed: &str,
    name: &str,
    scheme: &str,
    forwarded: &str,
    origin: &str,
    from_proxy: bool,
) {
    let is_listed = Authorizer::<i64>::builder()
        .secret("s")
        .store(MemoryStore::for_tests())
        .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)))
        .origin(listed)
        .build()
        .is_ok();
    let auth = authorizer(|builder| if is_listed { builder.origin(listed) } else { builder });
    let headers = [
        ("host", name),
        ("x-forwarded-proto", scheme),
        ("x-forwarded-host", forwarded),
        ("origin", origin),
    ];
    let peer = if from_proxy { PROXY } else { STRANGER };
    let Some(request) = get(peer, OPEN, &headers) else { return };
    let allowed = ask(&auth.layer().layer(host(Vec::new())), request).await.0 == 200;
    if !allowed {
        return;
    }
    let origin = parse(origin).expect("what is let through is an origin");
    if is_listed && (parse(listed).as_ref() == Some(&origin) || is_below(&origin, listed)) {
        return;
    }
    assert!(origin.0 == "https" || !is_listed, "cleartext beside https://");
    let own = if from_proxy {
        // Of several entries the last is the proxy's.
        let last = |text: &str| text.split(',').next_back().unwrap_or_default().trim().to_owned();
        format!("{}://{}", last(scheme).to_ascii_lowercase(), last(forwarded))
    } else {
        format!("http://{name}")
    };
    assert_eq!(parse(&own), Some(origin));
}

/// Whether the listed origin is a pattern, and means this one.
fn is_below(origin: &Parsed, listed: &str) -> bool {
    let pattern = listed.strip_prefix("https://*.").and_then(|at| parse(&format!("https://{at}")));
    pattern.is_some_and(|(scheme, host, port)| {
        let labels = origin.1.strip_suffix(&host).and_then(|labels| labels.strip_suffix('.'));
        let is_whole = labels.is_some_and(|labels| labels.split('.').all(|label| !label.is_empty()));
        is_whole && (&origin.0, origin.2) == (&scheme, port)
    })
}

/// Written for this test: how it is compared, with the port.
fn parse(origin: &str) -> Option<Parsed> {
    let (scheme, rest) = origin.split_once("://")?;
    let (scheme, default) = match scheme {
        "http" | "ws" => ("http", 80),
        "https" | "wss" => ("https", 443),
        _ => return None,
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (rest, default),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match address {
        Some(address) => address.parse::<Ipv6Addr>().ok()?.to_string(),
        None => host.to_ascii_lowercase(),
    };
    Some((scheme.to_owned(), host, port))
}
