use std::net::SocketAddr;

use super::*;

fn request(headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::get("/socket.io/?EIO=4");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn allowed(policy: &OriginPolicy, headers: &[(&str, &str)]) -> Option<bool> {
    policy.check(&request(headers)).ok().map(|from| from.cross_origin)
}

#[test]
fn the_servers_own_origin_is_allowed_and_no_neighbour_of_it() {
    let policy = OriginPolicy::default();
    let from = |origin| allowed(&policy, &[("host", "app.example.com:3000"), ("origin", origin)]);
    assert_eq!(from("http://app.example.com:3000"), Some(false));
    assert_eq!(from("http://APP.example.com:3000"), Some(false));
    for origin in [
        "https://app.example.com:3000",
        "http://app.example.com",
        "http://app.example.com:3001",
        "http://app.example.com.evil.io:3000",
        "http://evilapp.example.com:3000",
        "http://other.example.com:3000",
        "http://user@app.example.com:3000",
        "http://app.example.com:3000/",
        "http://app.example.com:3000, http://app.example.com:3000",
        "ftp://app.example.com:3000",
        "app.example.com:3000",
        "null",
        "",
    ] {
        assert_eq!(from(origin), None, "{origin}");
    }
}

#[test]
fn default_ports_need_not_be_written() {
    let policy = OriginPolicy::default();
    let headers = |host, origin| [("host", host), ("origin", origin)];
    assert_eq!(allowed(&policy, &headers("a.example", "http://a.example:80")), Some(false));
    assert_eq!(allowed(&policy, &headers("a.example:80", "http://a.example")), Some(false));
    assert_eq!(allowed(&policy, &headers("[::1]:3000", "http://[::1]:3000")), Some(false));
    assert_eq!(allowed(&policy, &headers("a.example:443", "http://a.example")), None);
    for no_port in ["http://a.example:", "http://a.example:99999"] {
        assert_eq!(allowed(&policy, &headers("a.example", no_port)), None, "{no_port}");
    }
}

#[test]
fn several_origin_headers_are_refused_whatever_they_say() {
    let own = ("origin", "http://a.example");
    assert_eq!(allowed(&OriginPolicy::default(), &[("host", "a.example"), own, own]), None);
}

#[test]
fn a_missing_origin_is_allowed_unless_the_browser_says_another_site_asks() {
    let policy = OriginPolicy::default();
    let from = |site| allowed(&policy, &[("host", "a.example"), ("sec-fetch-site", site)]);
    assert_eq!(allowed(&policy, &[("host", "a.example")]), Some(false));
    assert_eq!(from("same-origin"), Some(false));
    assert_eq!(from("none"), Some(false));
    assert_eq!(from("same-site"), None);
    assert_eq!(from("cross-site"), None);
    assert_eq!(from("garbage"), None);
    let twice = [("sec-fetch-site", "none"), ("sec-fetch-site", "none")];
    assert_eq!(allowed(&policy, &twice), None);
}

#[test]
fn the_allow_list_is_exact_and_known_to_be_cross_origin() {
    let policy = OriginPolicy {
        allowed: vec![Origin::parse("https://app.example.com").unwrap()],
        ..OriginPolicy::default()
    };
    let from = |origin| allowed(&policy, &[("host", "rt.example.com"), ("origin", origin)]);
    assert_eq!(from("https://app.example.com"), Some(true));
    assert_eq!(from("https://app.example.com:443"), Some(true));
    assert_eq!(from("http://app.example.com"), None);
    assert_eq!(from("https://sub.app.example.com"), None);
}

#[test]
fn a_site_allowed_as_https_is_not_its_own_origin_as_http() {
    let policy = OriginPolicy {
        allowed: vec![Origin::parse("https://app.example.com").unwrap()],
        ..OriginPolicy::default()
    };
    let from = |host, origin| allowed(&policy, &[("host", host), ("origin", origin)]);
    assert_eq!(from("app.example.com", "http://app.example.com"), None);
    assert_eq!(from("app.example.com", "https://app.example.com"), Some(true));
}

#[test]
fn beside_an_https_list_no_own_http_origin_is_left() {
    let list = |origins: &[&str]| OriginPolicy {
        allowed: origins.iter().map(|origin| Origin::parse(origin).unwrap()).collect(),
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
    };
    let secure = list(&["https://app.example.com"]);
    for (host, origin) in [
        ("api.example.com", "http://api.example.com"),
        ("api.example.com:80", "http://api.example.com"),
        ("api.example.com:443", "http://api.example.com:443"),
        ("API.example.com", "http://api.EXAMPLE.com"),
        ("api.example.com.", "http://api.example.com."),
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("app.example.com", "http://app.example.com"),
    ] {
        assert_eq!(allowed(&secure, &[("host", host), ("origin", origin)]), None, "{origin}");
        let mixed = list(&["http://other.example", "https://app.example.com"]);
        assert_eq!(allowed(&mixed, &[("host", host), ("origin", origin)]), None, "{origin}");
        // Where only cleartext is listed there is nothing that it could get at.
        let cleartext = list(&["http://other.example"]);
        assert_eq!(allowed(&cleartext, &[("host", host), ("origin", origin)]), Some(false));
    }
    // What is listed by name is listed.
    let named = list(&["https://app.example.com", "http://127.0.0.1:3000"]);
    let headers = [("host", "127.0.0.1:3000"), ("origin", "http://127.0.0.1:3000")];
    assert_eq!(allowed(&named, &headers), Some(true));
    // A proxy that is trusted says that it is https, or that it is not.
    for (scheme, expected) in [("https", Some(false)), ("http", None), ("ws", None)] {
        let origin =
            format!("{}://api.example.com", if scheme == "https" { scheme } else { "http" });
        let mut request = request(&[
            ("host", "api.example.com"),
            ("x-forwarded-proto", scheme),
            ("origin", &origin),
        ]);
        request.extensions.insert(PeerAddr(([10, 0, 0, 1], 1).into()));
        let from = secure.check(&request).ok().map(|from| from.cross_origin);
        assert_eq!(from, expected, "{scheme}");
    }
}

#[test]
fn a_port_is_written_as_browsers_write_it_or_it_is_none() {
    let parse = |authority: &str| Origin::parse(&format!("https://{authority}"));
    for port in ["443", "80", "1", "65535", "8443"] {
        assert!(parse(&format!("a.example:{port}")).is_some(), "{port}");
        assert!(parse(&format!("[::1]:{port}")).is_some(), "{port}");
    }
    for port in ["", "0", "0443", "+443", "-1", "00", "65536", "4 43", "443 ", "443:443", "4_43"] {
        assert_eq!(parse(&format!("a.example:{port}")), None, "{port:?}");
        assert_eq!(parse(&format!("[::1]:{port}")), None, "{port:?}");
    }
}

#[test]
fn an_ipv6_host_is_an_address_in_brackets() {
    let parse = |host: &str| Origin::parse(&format!("http://{host}:3000"));
    assert_eq!(parse("[::1]"), parse("[0:0:0:0:0:0:0:1]"));
    assert_eq!(parse("[2001:DB8::a]"), parse("[2001:db8::A]"));
    assert_eq!(parse("[::ffff:1.2.3.4]"), parse("[::ffff:102:304]"));
    assert_ne!(parse("[::1]"), parse("[::2]"));
    for host in ["[]", "[::1", "::1", "[::1%25eth0]", "[::1%eth0]", "[1.2.3.4]", "[v1.x]", "[::1]x"]
    {
        assert_eq!(parse(host), None, "{host}");
    }
}

#[test]
fn an_origin_without_a_host_or_with_more_than_one_is_none() {
    for text in [
        "http://",
        "http://:80",
        "http://@a.example",
        "http://u@a.example",
        "http://u:p@a.example:80",
        "http://a.example@b.example",
        "http://a.example\\@b.example",
        "http://a.example/",
        "http://a.example?x",
        "http://a.example#x",
        "http://a.example,http://a.example",
        "http://a.example http://a.example",
        "HTTP://a.example",
        "http:a.example",
        "//a.example",
        "http://*.example",
    ] {
        assert_eq!(Origin::parse(text), None, "{text}");
    }
}

#[test]
fn a_proxy_may_call_the_scheme_of_a_websocket_by_its_name() {
    let policy = OriginPolicy {
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        ..OriginPolicy::default()
    };
    for (scheme, origin) in [("wss", "https://a.example"), ("ws", "http://a.example")] {
        let headers = [("host", "a.example"), ("x-forwarded-proto", scheme), ("origin", origin)];
        let mut request = request(&headers);
        request.extensions.insert(PeerAddr(([10, 0, 0, 1], 1).into()));
        assert!(policy.check(&request).is_ok(), "{scheme}");
    }
}

#[test]
fn forwarded_headers_count_only_from_a_trusted_proxy() {
    let policy = OriginPolicy {
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        ..OriginPolicy::default()
    };
    let from = |peer: &str| {
        let mut request = request(&[
            ("host", "internal:3000"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "app.example.com"),
            ("origin", "https://app.example.com"),
        ]);
        request.extensions.insert(PeerAddr(SocketAddr::new(peer.parse().unwrap(), 1)));
        policy.check(&request).is_ok()
    };
    assert!(from("10.1.2.3"));
    assert!(from("::ffff:10.1.2.3"));
    assert!(!from("11.1.2.3"));
    assert!(!from("::1"));
}

#[test]
fn a_server_whose_own_name_is_unknown_has_no_own_origin() {
    let twice = [("host", "a.example"), ("host", "a.example"), ("origin", "http://a.example")];
    assert_eq!(allowed(&OriginPolicy::default(), &twice), None);
    assert_eq!(allowed(&OriginPolicy::default(), &[("origin", "http://a.example")]), None);
}
