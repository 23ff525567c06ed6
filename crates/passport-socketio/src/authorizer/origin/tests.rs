use std::net::SocketAddr;
use std::sync::Arc;

use super::*;
use crate::model::{OriginHook, PeerAddr};

fn request(headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::get("/socket.io/?EIO=4");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn allowed(policy: &OriginPolicy, headers: &[(&str, &str)]) -> Option<bool> {
    policy.check(&request(headers)).ok().map(Provenance::is_cross_origin)
}

fn listing(origins: &[&str]) -> AllowedOrigins {
    let listed = origins.iter().map(|origin| Listed::parse(origin).unwrap()).collect();
    AllowedOrigins { listed, ..AllowedOrigins::default() }
}

fn policy(allowed: AllowedOrigins) -> OriginPolicy {
    OriginPolicy { allowed, ..OriginPolicy::default() }
}

#[test]
fn the_servers_own_origin_is_allowed_and_similar_origins_are_not() {
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
fn an_origin_may_omit_its_default_port() {
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
fn several_origin_headers_are_always_refused() {
    let own = ("origin", "http://a.example");
    assert_eq!(allowed(&OriginPolicy::default(), &[("host", "a.example"), own, own]), None);
}

#[test]
fn a_missing_origin_is_allowed_unless_sec_fetch_site_names_another_site() {
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
fn the_allow_list_matches_exactly_and_marks_requests_cross_origin() {
    let policy =
        OriginPolicy { allowed: listing(&["https://app.example.com"]), ..OriginPolicy::default() };
    let from = |origin| allowed(&policy, &[("host", "rt.example.com"), ("origin", origin)]);
    assert_eq!(from("https://app.example.com"), Some(true));
    assert_eq!(from("https://app.example.com:443"), Some(true));
    assert_eq!(from("http://app.example.com"), None);
    assert_eq!(from("https://sub.app.example.com"), None);
}

#[test]
fn a_site_allowed_as_https_is_not_its_own_origin_as_http() {
    let policy =
        OriginPolicy { allowed: listing(&["https://app.example.com"]), ..OriginPolicy::default() };
    let from = |host, origin| allowed(&policy, &[("host", host), ("origin", origin)]);
    assert_eq!(from("app.example.com", "http://app.example.com"), None);
    assert_eq!(from("app.example.com", "https://app.example.com"), Some(true));
}

#[test]
fn an_https_allow_list_disables_the_servers_own_http_origin() {
    let list = |origins: &[&str]| OriginPolicy {
        allowed: listing(origins),
        proxies: TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]),
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
        let from = secure.check(&request).ok().map(Provenance::is_cross_origin);
        assert_eq!(from, expected, "{scheme}");
    }
}

#[test]
fn a_port_is_parsed_only_as_browsers_write_it() {
    let parse = |authority: &str| Page::parse(&format!("https://{authority}"));
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
    let parse = |host: &str| Page::parse(&format!("http://{host}:3000"));
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
fn an_origin_without_exactly_one_host_is_not_parsed() {
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
        assert_eq!(Page::parse(text), None, "{text}");
    }
}

#[test]
fn a_proxy_may_forward_the_schemes_ws_and_wss() {
    let policy = OriginPolicy {
        proxies: TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]),
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
fn forwarded_headers_are_read_only_from_a_trusted_proxy() {
    let policy = OriginPolicy {
        proxies: TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]),
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
fn a_request_without_exactly_one_host_has_no_own_origin() {
    let twice = [("host", "a.example"), ("host", "a.example"), ("origin", "http://a.example")];
    assert_eq!(allowed(&OriginPolicy::default(), &twice), None);
    assert_eq!(allowed(&OriginPolicy::default(), &[("origin", "http://a.example")]), None);
}

#[test]
fn ws_and_wss_are_http_and_https_in_every_rule() {
    let own = |origin| {
        let headers = [("host", "app.example.com:3000"), ("origin", origin)];
        allowed(&OriginPolicy::default(), &headers)
    };
    assert_eq!(own("ws://app.example.com:3000"), Some(false));
    assert_eq!(own("wss://app.example.com:3000"), None);
    // The default port is that of the scheme it stands for.
    let headers = [("host", "a.example"), ("origin", "ws://a.example:80")];
    assert_eq!(allowed(&OriginPolicy::default(), &headers), Some(false));
    for listed in ["https://app.example.com", "wss://app.example.com", "wss://app.example.com:443"]
    {
        let policy = policy(listing(&[listed]));
        let from = |origin| allowed(&policy, &[("host", "rt.example.com"), ("origin", origin)]);
        for origin in ["https://app.example.com", "wss://app.example.com"] {
            assert_eq!(from(origin), Some(true), "{listed}, {origin}");
        }
        for cleartext in ["http://app.example.com", "ws://app.example.com"] {
            assert_eq!(from(cleartext), None, "{listed}, {cleartext}");
        }
        // The own origin over cleartext, beside a list with TLS.
        for own in ["http://rt.example.com", "ws://rt.example.com"] {
            assert_eq!(from(own), None, "{listed}, {own}");
        }
    }
    let mut proxied = request(&[
        ("host", "a.example"),
        ("x-forwarded-proto", "wss"),
        ("origin", "wss://a.example"),
    ]);
    proxied.extensions.insert(PeerAddr(([10, 0, 0, 1], 1).into()));
    let policy = OriginPolicy {
        proxies: TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]),
        ..OriginPolicy::default()
    };
    assert!(policy.check(&proxied).is_ok());
}

#[test]
fn pages_of_apps_and_extensions_are_allowed_by_exact_origin() {
    let id = "abcdefghijklmnopabcdefghijklmnop";
    for origin in [
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "app://-",
        "app://bundle:8080",
        "com.example.app://localhost",
        &format!("chrome-extension://{id}"),
        "moz-extension://5b2b2f9c-9f0b-4b1e-8a54-1b7d0d6a0a51",
        "safari-web-extension://5B2B2F9C-9F0B-4B1E-8A54-1B7D0D6A0A51",
    ] {
        let from = |policy: &OriginPolicy, origin: &str| {
            allowed(policy, &[("host", "localhost"), ("origin", origin)])
        };
        assert_eq!(from(&OriginPolicy::default(), origin), None, "{origin}");
        let policy = policy(listing(&[origin]));
        assert_eq!(from(&policy, origin), Some(true), "{origin}");
        for other in [
            "http://localhost:1",
            "https://localhost",
            "capacitor://evil",
            "other://localhost",
            "null",
            "file://",
            &format!("{origin}.evil.io"),
            &format!("{origin}/"),
            &format!("{origin}:1"),
            &format!("x{origin}"),
            &origin[..origin.len() - 1],
        ] {
            assert_eq!(from(&policy, other), None, "{origin}, {other}");
        }
    }
}

#[test]
fn text_that_is_no_origin_is_refused_with_its_reason() {
    use NotListed::{NoOrigin, Opaque, Pattern, PublicSuffix};
    for (text, why) in [
        ("", NoOrigin),
        ("app.example.com", NoOrigin),
        ("https://app.example.com/", NoOrigin),
        ("https://app.example.com/path", NoOrigin),
        ("https://u@app.example.com", NoOrigin),
        ("https://", NoOrigin),
        ("HTTPS://app.example.com", NoOrigin),
        ("htps://app.example.com", NoOrigin),
        ("httpss://app.example.com", NoOrigin),
        ("ftp://app.example.com", NoOrigin),
        ("data://x", NoOrigin),
        ("javascript://x", NoOrigin),
        ("capacitor://", NoOrigin),
        ("capacitor://localhost/", NoOrigin),
        ("capacitor:localhost", NoOrigin),
        ("chrome-extension://a b", NoOrigin),
        ("null", Opaque),
        ("file://", Opaque),
        ("file:///app/index.html", Opaque),
        ("*", Pattern),
        ("*.example.com", Pattern),
        ("http://*.example.com", Pattern),
        ("ws://*.example.com", Pattern),
        ("chrome-extension://*", Pattern),
        ("app://*.localhost", Pattern),
        ("https://*example.com", Pattern),
        ("https://a*.example.com", Pattern),
        ("https://*.*.example.com", Pattern),
        ("https://a.*.example.com", Pattern),
        ("https://example.*", Pattern),
        ("https://*.", Pattern),
        ("https://*..example.com", Pattern),
        ("https://*.example.com.", Pattern),
        ("https://*.example.com/", Pattern),
        ("https://*.example.com:*", Pattern),
        ("https://*.example.com:0443", Pattern),
        ("https://*@evil.example", Pattern),
        ("https://*.1.2.3.4", Pattern),
        ("https://*.[::1]", Pattern),
        ("https://*", PublicSuffix),
        ("https://*.com", PublicSuffix),
        ("https://*.COM", PublicSuffix),
        ("https://*.co.uk", PublicSuffix),
        ("https://*.localhost", PublicSuffix),
        ("https://*.internal", PublicSuffix),
        ("https://*.vercel.app", PublicSuffix),
        ("wss://*.vercel.app:443", PublicSuffix),
        ("https://*.github.io", PublicSuffix),
        ("https://*.netlify.app", PublicSuffix),
        ("https://*.pages.dev", PublicSuffix),
        ("https://*.herokuapp.com", PublicSuffix),
        ("https://*.s3.amazonaws.com", PublicSuffix),
        ("https://*.kobe.jp", PublicSuffix),
        ("https://*.x.kobe.jp", PublicSuffix),
    ] {
        assert_eq!(Listed::parse(text), Err(why), "{text}");
    }
}

#[test]
fn a_wildcard_matches_whole_labels_below_a_registrable_domain() {
    let policy = policy(listing(&["https://*.example.com", "https://*.acme.vercel.app:8443"]));
    let from = |origin| allowed(&policy, &[("host", "rt.example.com"), ("origin", origin)]);
    for origin in [
        "https://a.example.com",
        "https://A.Example.com",
        "https://a.b.example.com",
        "https://a_b.example.com:443",
        "wss://a.example.com",
        "https://preview.acme.vercel.app:8443",
    ] {
        assert_eq!(from(origin), Some(true), "{origin}");
    }
    for origin in [
        "https://example.com",
        "https://.example.com",
        "https://a..example.com",
        "https://evilexample.com",
        "https://example.com.evil.io",
        "https://a.example.com.evil.io",
        "https://a.example.com.",
        "https://a.example.com:8443",
        "http://a.example.com",
        "ws://a.example.com",
        "app://a.example.com",
        "https://u@a.example.com",
        "https://a!b.example.com",
        "https://a%2fb.example.com",
        "https://*.example.com",
        "https://acme.vercel.app:8443",
        "https://preview.acme.vercel.app",
        "https://evil.vercel.app:8443",
        "null",
    ] {
        assert_eq!(from(origin), None, "{origin}");
    }
    // It is an https:// origin, so the own one is not allowed over cleartext.
    assert_eq!(from("http://rt.example.com"), None);
}

#[test]
fn a_wildcard_does_not_match_below_a_public_suffix() {
    // `amazonaws.com` is somebody's, `s3.amazonaws.com` anybody's.
    let policy = policy(listing(&["https://*.amazonaws.com"]));
    let from = |origin| allowed(&policy, &[("host", "rt.example.com"), ("origin", origin)]);
    assert_eq!(from("https://console.amazonaws.com"), Some(true));
    assert_eq!(from("https://s3.amazonaws.com"), None);
    assert_eq!(from("https://evil.s3.amazonaws.com"), None);
}

#[test]
fn origin_if_is_called_last_with_the_normalized_origin() {
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = asked.clone();
    let hook: OriginHook = Arc::new(move |origin| {
        seen.lock().unwrap().push(origin.to_owned());
        origin.ends_with("-acme.vercel.app")
    });
    let allowed_too = AllowedOrigins { hook: Some(hook), ..listing(&["https://a.example"]) };
    let policy = policy(allowed_too);
    let from = |origin| allowed(&policy, &[("host", "rt.example"), ("origin", origin)]);
    assert_eq!(from("https://a.example"), Some(true));
    for origin in
        ["null", "file://", "", "https://u@x-acme.vercel.app", "https://x acme.vercel.app"]
    {
        assert_eq!(from(origin), None, "{origin}");
    }
    assert_eq!(*asked.lock().unwrap(), [""; 0]);
    assert_eq!(from("wss://Shop-1-acme.vercel.app:443"), Some(true));
    assert_eq!(from("https://shop.vercel.app:8443"), None);
    assert_eq!(from("app://Bundle"), None);
    let asked = asked.lock().unwrap();
    let expected =
        ["https://shop-1-acme.vercel.app", "https://shop.vercel.app:8443", "app://Bundle"];
    assert_eq!(*asked, expected);
}

#[test]
fn a_panic_in_origin_if_is_an_error_and_refuses_the_request() {
    let hook: OriginHook = Arc::new(|_| panic!("origin_if panics"));
    let policy = policy(AllowedOrigins { hook: Some(hook), ..AllowedOrigins::default() });
    let foreign = request(&[("host", "rt.example"), ("origin", "https://a.example")]);
    let failure = policy.check(&foreign).unwrap_err();
    assert_eq!((failure.code(), failure.is_error()), ("origin_panicked", true));
    assert!(!failure.allows_guest());
    // The own origin needs no function.
    assert_eq!(
        allowed(&policy, &[("host", "a.example"), ("origin", "http://a.example")]),
        Some(false)
    );
}

#[test]
fn null_and_file_pages_are_allowed_only_by_their_own_setting() {
    let insecure = policy(AllowedOrigins { opaque: true, ..AllowedOrigins::default() });
    for origin in ["null", "file://"] {
        let headers = [("host", "rt.example"), ("origin", origin)];
        assert_eq!(allowed(&OriginPolicy::default(), &headers), None, "{origin}");
        assert_eq!(allowed(&insecure, &headers), Some(true), "{origin}");
    }
    for other in
        ["NULL", "file:///", "file://x", "null, null", "https://a.example", "data:", "about:blank"]
    {
        assert_eq!(
            allowed(&insecure, &[("host", "rt.example"), ("origin", other)]),
            None,
            "{other}"
        );
    }
    let twice = [("host", "rt.example"), ("origin", "null"), ("origin", "null")];
    assert_eq!(allowed(&insecure, &twice), None);
}
