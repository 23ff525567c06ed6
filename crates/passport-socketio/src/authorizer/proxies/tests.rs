use http::Request;

use super::rfc7239::Element;
use super::*;
use crate::authorizer::origin::Page;

const HOST: (&str, &str) = ("host", "internal:3000");

fn request(peer: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::get("/socket.io/?EIO=4");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut request, ()) = request.body(()).unwrap().into_parts();
    request.extensions.insert(PeerAddr(SocketAddr::new(peer.parse().unwrap(), 1)));
    request
}

fn proxies() -> TrustedProxies {
    TrustedProxies::new(["10.0.0.0/8", "fd00::/8"].map(|proxy| proxy.parse().unwrap()).into())
}

/// The client, and the own origin or `-`.
fn sent(peer: &str, headers: &[(&str, &str)]) -> (String, String) {
    let sent = proxies().sent(&request(peer, headers)).unwrap();
    let own = sent.own_origin.map_or("-".into(), |own| own.to_string());
    (sent.client.to_string(), own)
}

fn own(headers: &[(&str, &str)]) -> String {
    sent("10.0.0.1", headers).1
}

/// Each header that a proxy may say something with, and its value in an attack.
const MADE_UP: &[(&str, &str)] = &[
    ("x-forwarded-for", "6.6.6.6"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-port", "8443"),
    ("forwarded", "for=6.6.6.6;proto=https;host=evil.example"),
];

#[test]
fn forwarded_headers_of_an_untrusted_peer_are_ignored() {
    for peer in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "11.0.0.1"] {
        let client = peer.trim_start_matches("::ffff:").to_owned();
        let expected = (client, "http://internal:3000".to_owned());
        assert_eq!(sent(peer, &[&[HOST], MADE_UP].concat()), expected);
        for made_up in MADE_UP {
            assert_eq!(sent(peer, &[HOST, *made_up]), expected, "{made_up:?}");
        }
    }
}

#[test]
fn scheme_host_and_port_are_read_from_all_headers_of_a_trusted_proxy() {
    let app = "https://app.example:8443";
    for headers in [
        &[("host", "app.example:8443"), ("x-forwarded-proto", "https")][..],
        // nginx' `Host $host` loses the port.
        &[("host", "app.example"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "8443")],
        &[HOST, ("x-forwarded-proto", "https"), ("x-forwarded-host", "app.example:8443")],
        &[
            HOST,
            ("x-forwarded-proto", "HTTPS"),
            ("x-forwarded-host", "App.Example"),
            ("x-forwarded-port", "8443"),
        ],
        &[HOST, ("x-forwarded-proto", "WSS"), ("x-forwarded-host", "app.example:8443")],
        &[HOST, ("forwarded", r#"for=1.2.3.4;proto=https;host="app.example:8443""#)],
        &[HOST, ("forwarded", "host=app.example:8443;proto=HTTPS")],
        &[HOST, ("forwarded", r#"Proto=https; Host="app.example:8443"; by=_me;x=y"#)],
        &[("host", "app.example:8443"), ("forwarded", "for=unknown;proto=https")],
    ] {
        assert_eq!(own(headers), app, "{headers:?}");
    }
    let plain = [("host", "app.example"), ("x-forwarded-proto", "https")];
    assert_eq!(own(&plain), "https://app.example");
    assert_eq!(own(&[&plain[..], &[("x-forwarded-port", "443")]].concat()), "https://app.example");
}

#[test]
fn x_forwarded_port_is_used_only_if_the_host_has_no_port() {
    for (host, scheme, port, expected) in [
        // What the client wrote into `Host` is what it asked for.
        ("app.example:8443", "https", "443", "https://app.example:8443"),
        ("[::1]:8443", "https", "9", "https://[::1]:8443"),
        ("[::1]", "https", "8443", "https://[::1]:8443"),
        // The port on which a proxy further inside was asked.
        ("app.example", "https", "80", "https://app.example"),
        ("app.example", "http", "443", "http://app.example"),
        ("app.example", "http", "8080", "http://app.example:8080"),
        // No port, and so no origin.
        ("app.example", "https", "", "-"),
        ("app.example", "https", "0443", "-"),
        ("app.example", "https", "443@evil.example", "-"),
        ("app.example", "https", "443, 8443x", "-"),
    ] {
        let headers = [("host", host), ("x-forwarded-proto", scheme), ("x-forwarded-port", port)];
        assert_eq!(own(&headers), expected, "{headers:?}");
    }
}

#[test]
fn unreadable_forwarded_headers_yield_no_origin() {
    for headers in [
        &[HOST, ("x-forwarded-proto", "gopher")][..],
        &[HOST, ("x-forwarded-proto", "")],
        &[HOST, ("x-forwarded-proto", "https"), ("x-forwarded-host", "")],
        &[HOST, ("x-forwarded-host", "u@evil.example")],
        &[HOST, ("x-forwarded-host", "*.example")],
        &[HOST, ("forwarded", "proto=gopher")],
        &[HOST, ("forwarded", "proto=https;host=")],
        &[HOST, ("forwarded", "for")],
        &[HOST, ("forwarded", "")],
        &[HOST, ("forwarded", "host=a.example;host=b.example")],
        &[HOST, ("forwarded", r#"host="a.example"#)],
        &[HOST, ("forwarded", r#"host="a\.example""#)],
        &[HOST, ("forwarded", "proto=https,")],
        &[HOST, ("forwarded", "proto=https"), ("forwarded", "gibberish")],
        &[("host", "a.example"), ("host", "a.example")],
        &[],
    ] {
        let (client, own) = sent("10.0.0.1", headers);
        assert_eq!((&*client, &*own), ("10.0.0.1", "-"), "{headers:?}");
    }
}

#[test]
fn the_entry_of_the_outermost_trusted_proxy_is_used() {
    for (addresses, schemes, hosts, expected) in [
        // The client, a proxy that ends TLS, one further inside: each adds an entry.
        ("198.51.100.7, 10.0.0.2", "https, http", "app.example, inside", "https://app.example"),
        // What the client has made up stands further to the left.
        ("6.6.6.6, 198.51.100.7", "https, http", "evil.example, app.example", "http://app.example"),
        (
            "10.0.0.9, 198.51.100.7, 10.0.0.2",
            "http, https, http",
            "evil.example, app.example, inside",
            "https://app.example",
        ),
        // The proxies set one value in place of what they got.
        ("198.51.100.7, 10.0.0.3, 10.0.0.2", "https", "app.example", "https://app.example"),
    ] {
        let x_forwarded = [
            HOST,
            ("x-forwarded-for", addresses),
            ("x-forwarded-proto", schemes),
            ("x-forwarded-host", hosts),
        ];
        let expected = ("198.51.100.7".to_owned(), expected.to_owned());
        assert_eq!(sent("10.0.0.1", &x_forwarded), expected, "{x_forwarded:?}");
    }
    let forwarded = "for=6.6.6.6;proto=http;host=evil.example, \
         for=\"198.51.100.7:4711\";proto=https;host=app.example, for=10.0.0.2;proto=http;host=inside";
    let expected = ("198.51.100.7".to_owned(), "https://app.example".to_owned());
    assert_eq!(sent("10.0.0.1", &[HOST, ("forwarded", forwarded)]), expected);
    let lines: Vec<_> = forwarded.split(", ").map(|line| ("forwarded", line)).collect();
    assert_eq!(sent("fd00::1", &[&[HOST], &lines[..]].concat()), expected);
}

#[test]
fn a_comma_in_quotes_does_not_make_another_entry() {
    // As a proxy would write the Host of a client that wants to be believed itself.
    let host = r#"for=198.51.100.7;host="a, for=10.0.0.2;host=evil.example""#;
    assert_eq!(sent("10.0.0.1", &[HOST, ("forwarded", host)]), ("198.51.100.7".into(), "-".into()));
    let nodes = |header| {
        rfc7239::parse(header).map(|all| all.iter().map(|one| one.node).collect::<Vec<_>>())
    };
    assert_eq!(nodes(r#"for="a,b",for=c"#), Some(vec![Some("a,b"), Some("c")]));
    let whole = Element { node: Some("[2001:db8::1]:1"), scheme: Some("https"), host: Some("a") };
    let header = r#"FOR="[2001:db8::1]:1" ; proto=https;host=a"#;
    assert_eq!(rfc7239::parse(header), Some(vec![whole]));
}

#[test]
fn forwarded_and_x_forwarded_headers_are_used_only_if_they_agree() {
    let nginx = [
        ("host", "app.example"),
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "https"),
    ];
    let with = |forwarded| sent("10.0.0.1", &[&nginx[..], &[("forwarded", forwarded)]].concat());
    let same = "for=198.51.100.7;proto=https;host=app.example";
    assert_eq!(with(same), ("198.51.100.7".into(), "https://app.example".into()));
    // The proxy passes on what the client has written into the other one.
    for (made_up, client, own) in [
        ("for=6.6.6.6;proto=https", "10.0.0.1", "https://app.example"),
        ("for=198.51.100.7;proto=http", "198.51.100.7", "-"),
        ("for=198.51.100.7;proto=https;host=evil.example", "198.51.100.7", "-"),
        ("gibberish", "10.0.0.1", "-"),
    ] {
        assert_eq!(with(made_up), (client.to_owned(), own.to_owned()), "{made_up}");
    }
    let forwarded = [HOST, ("forwarded", "for=198.51.100.7;proto=https;host=app.example")];
    for made_up in MADE_UP.iter().filter(|(name, _)| *name != "forwarded") {
        let (client, own) = sent("10.0.0.1", &[&forwarded[..], &[*made_up]].concat());
        assert!(["198.51.100.7", "10.0.0.1"].contains(&&*client), "{made_up:?}: {client}");
        assert!(["https://app.example", "-"].contains(&&*own), "{made_up:?}: {own}");
    }
}

#[test]
fn a_client_can_not_forge_its_address_with_forwarded_headers() {
    let values =
        ["", "6.6.6.6", "10.0.0.9", "for=6.6.6.6", "for=10.0.0.9, for=6.6.6.6", "\"", ",", "x"];
    for first in values {
        for second in values {
            // The proxy adds its own entry to one family, and leaves the other one as it was.
            let addresses = format!("{first}, 198.51.100.7");
            let headers = [HOST, ("x-forwarded-for", &addresses), ("forwarded", second)];
            let (client, _) = sent("10.0.0.1", &headers);
            assert!(["198.51.100.7", "10.0.0.1"].contains(&&*client), "{headers:?}: {client}");
            let elements = format!("{first}, for=198.51.100.7");
            let headers = [HOST, ("forwarded", &elements), ("x-forwarded-for", second)];
            let (client, _) = sent("10.0.0.1", &headers);
            assert!(["198.51.100.7", "10.0.0.1"].contains(&&*client), "{headers:?}: {client}");
        }
    }
}

#[test]
fn an_origin_is_displayed_as_browsers_write_it() {
    for text in ["https://app.example", "http://app.example:8080", "https://[::1]:8443"] {
        assert_eq!(Page::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(Page::parse("wss://A.example:443").unwrap().to_string(), "https://a.example");
}
