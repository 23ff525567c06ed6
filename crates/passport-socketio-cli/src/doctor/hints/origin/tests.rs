use std::convert::Infallible;

use clap::Parser as _;
use passport_socketio::store::MemoryStore;
use passport_socketio::{Authorizer, AuthorizerBuilder, Decision, Denial};

use super::*;
use crate::args::{Cli, Command, DoctorArgs};

fn args(more: &[&str]) -> DoctorArgs {
    let command = ["passport-socketio", "doctor", "--secret", "s"];
    let Command::Doctor(args) = Cli::parse_from(command.iter().chain(more)).command else {
        unreachable!("doctor is asked for")
    };
    args
}

fn builder() -> AuthorizerBuilder<i64> {
    Authorizer::<i64>::builder()
        .secret("s")
        .store(MemoryStore::for_tests())
        .deserialize_user(async |id: i64| Ok::<_, Infallible>(Some(id)))
}

/// What a hint says to write in Rust, and what to type here.
fn the_builder_accepts(hint: &Hint) {
    let after = |what: &str| hint.fix.split(what).skip(1).map(str::to_owned).collect::<Vec<_>>();
    let until = |rest: &str, end: char| rest.split(end).next().unwrap().to_owned();
    for rest in after(".origin(\"") {
        let origin = until(&rest, '"');
        assert!(builder().origin(&origin).build().is_ok(), "{origin}");
    }
    for rest in after("--allow-origin ") {
        let origin = until(&until(&rest, ' '), ')');
        assert!(builder().origin(&origin).build().is_ok(), "{origin}");
    }
    for rest in after(".trust_proxy([\"") {
        let network = until(&rest, '"');
        assert!(builder().trust_proxy([&network]).build().is_ok(), "{network}");
    }
}

/// What is advised, and whether the first of it lets the request in.
async fn examine(more: &[&str]) -> Vec<Hint> {
    let args = args(more);
    let case = Case::from_args(&args).unwrap();
    let auth = OriginSettings::of(&args).apply(builder()).build().unwrap();
    match auth.authorize(&case.request).await.unwrap() {
        Decision::Denied(Denial::OriginNotAllowed { own, .. }) => {
            let hints = origin_not_allowed(&case, own.as_deref()).await;
            hints.iter().for_each(the_builder_accepts);
            let Some(origin) = case.header("origin") else { return hints };
            // The advice that is given lets the request in, if it changes anything.
            for given in advice(&case, origin, own.as_deref()) {
                let is_given = hints.iter().any(|hint| hint.cause == given.cause);
                if is_given && !given.changes.is_empty() {
                    let (settings, request) = with(&case, &given.changes);
                    assert!(settings.let_in(&request).await, "{more:?}: {}", given.cause);
                }
            }
            hints
        }
        other => panic!("{more:?}: {other:?}"),
    }
}

const HTTPS: &str = "Origin: https://app.example.com";

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn the_first_hint_names_what_a_proxy_does_and_the_line_to_change() {
    let trusted = ["--trust-proxy", "10.0.0.0/8"];
    for (more, headers, cause, fix) in [
        // TLS ends at the proxy.
        (
            &[][..],
            &["Host: app.example.com", HTTPS][..],
            "TLS ends at a proxy",
            "X-Forwarded-Proto $scheme;",
        ),
        (
            &trusted,
            &["Host: app.example.com", HTTPS],
            "TLS ends at a proxy",
            "X-Forwarded-Proto $scheme;",
        ),
        (
            &[],
            &["Host: app.example.com", HTTPS, "X-Forwarded-Proto: https"],
            "is not trusted: there is no .trust_proxy",
            ".trust_proxy([\"10.0.0.0/8\"])",
        ),
        (
            &["--trust-proxy", "10.0.0.0/8", "--peer", "172.18.0.5"],
            &["Host: app.example.com", HTTPS, "X-Forwarded-Proto: https"],
            "its address is 172.18.0.5",
            "--trust-proxy 172.18.0.5",
        ),
        (
            &trusted,
            &["Host: app.example.com", HTTPS, "X-Forwarded-Proto: http"],
            "the last proxy says http",
            "$http_x_forwarded_proto;",
        ),
        // The port is lost.
        (
            &[],
            &["Host: app.example.com", "Origin: http://app.example.com:8080"],
            "Host has lost its port",
            "proxy_set_header Host $http_host;",
        ),
        (
            &trusted,
            &[
                "Host: app.example.com",
                "Origin: https://app.example.com:8443",
                "X-Forwarded-Proto: https",
            ],
            "Host has lost its port",
            "proxy_set_header Host $http_host;",
        ),
        (
            &trusted,
            &["Host: app.example.com", HTTPS, "X-Forwarded-Proto: https", "X-Forwarded-Port: 8443"],
            "X-Forwarded-Port says 8443",
            "X-Forwarded-Port $server_port;",
        ),
        // Host is replaced.
        (
            &[],
            &["Host: backend", "Origin: http://app.example.com"],
            "replaces Host",
            "Host $http_host;",
        ),
        (&[], &["Host: 10.0.0.7:3000", HTTPS], "replaces Host", "X-Forwarded-Proto $scheme;"),
        (
            &[],
            &["Host: 127.0.0.1:3000", "Origin: http://localhost:5173"],
            "`changeOrigin: true`",
            "vite.config",
        ),
        (
            &[],
            &[
                "Host: localhost:3000",
                "Origin: http://localhost:5173",
                "X-Forwarded-Host: localhost:5173",
            ],
            "is not trusted",
            "--trust-proxy",
        ),
        // Two kinds of headers.
        (
            &trusted,
            &["Host: app.example.com", HTTPS, "X-Forwarded-Proto: https", "Forwarded: proto=http"],
            "contradict each other",
            "proxy_set_header Forwarded \"\";",
        ),
        (
            &[],
            &["Host: a.example", "Origin: http://a.example", "Origin: http://a.example"],
            "2 Origin headers",
            "proxy_set_header Origin",
        ),
        (
            &[],
            &["Host: a.example", "Sec-Fetch-Site: cross-site"],
            "there is no Origin",
            "pass Origin on",
        ),
    ] {
        let headers = headers.iter().flat_map(|header| ["--header", header]);
        let all: Vec<_> = more.iter().copied().chain(headers).collect();
        let hints = examine(&all).await;
        let first = &hints[0];
        assert!(first.cause.contains(cause), "{all:?}: {hints:#?}");
        assert!(first.fix.contains(fix), "{all:?}: {hints:#?}");
    }
}

#[tokio::test]
async fn the_first_hint_names_what_is_special_about_the_origin() {
    for (more, cause, fix) in [
        (
            &["--origin", "https://evil.example", "--host", "app.example.com"][..],
            "pages of other origins",
            "--allow-origin https://evil.example",
        ),
        (
            &["--origin", "capacitor://localhost", "--host", "app.example.com"],
            "pages of other origins",
            ".origin(\"capacitor://localhost\")",
        ),
        (
            &["--origin", "chrome-extension://abc", "--host", "app.example.com"],
            "pages of other origins",
            ".origin(\"chrome-extension://abc\")",
        ),
        (
            &["--origin", "null", "--host", "app.example.com"],
            "the origin is `null`",
            ".insecure_null_origin()",
        ),
        (
            &["--origin", "file://", "--host", "app.example.com"],
            "the origin is `file://`",
            "--insecure-null-origin",
        ),
        (
            &["--origin", "http://localhost:3000", "--host", "127.0.0.1:3000"],
            "one machine and two origins",
            "use one name",
        ),
        (&["--origin", "https://a.example"], "without --host", "--host a.example"),
        (
            &[
                "--origin",
                "http://api.example",
                "--host",
                "api.example",
                "--allow-origin",
                "https://app.example",
            ],
            "beside an allowed https:// origin",
            "--allow-origin http://api.example",
        ),
        (
            &[
                "--origin",
                "https://www.example.com",
                "--host",
                "api.example.com",
                "--allow-origin",
                "https://example.com",
            ],
            "the list has https://example.com, which is another origin: its name differs",
            "--allow-origin https://www.example.com",
        ),
        (
            &[
                "--origin",
                "https://app.example:8443",
                "--host",
                "api.example.com",
                "--allow-origin",
                "https://app.example",
            ],
            "its port differs",
            "--allow-origin https://app.example:8443",
        ),
        (
            &["--origin", "https://app.example/", "--host", "api.example.com"],
            "is no origin that a browser sends",
            "scheme://host",
        ),
        (
            &["--origin", "wss://app.example", "--host", "app.example"],
            "TLS ends at a proxy",
            "X-Forwarded-Proto",
        ),
    ] {
        let all = [&["--header", "Cookie: a=b"], more].concat();
        let hints = examine(&all).await;
        assert!(hints[0].cause.contains(cause), "{more:?}: {hints:#?}");
        assert!(hints[0].fix.contains(fix), "{more:?}: {hints:#?}");
    }
}

#[tokio::test]
async fn no_advice_about_any_origin_is_refused_by_the_builder() {
    let origins = [
        "https://evil.example",
        "http://a.example:8080",
        "ws://a.example",
        "wss://a.example:8443",
        "https://A.example",
        "http://localhost:5173",
        "http://127.0.0.1:80",
        "http://[::1]:3000",
        "null",
        "file://",
        "file:///x",
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "app://-",
        "chrome-extension://abc",
        "moz-extension://5b2b2f9c-9f0b-4b1e-8a54-1b7d0d6a0a51",
        "https://x.vercel.app",
        "https://*.example.com",
        "*",
        "",
        "htps://a.example",
        "ftp://a.example",
        "https://a.example/",
        "https://u@a.example",
        "https://a.example:0443",
        "data:",
        "a.example",
    ];
    let servers: [&[&str]; 5] = [
        &["--host", "rt.example.com"],
        &["--host", "localhost:3000"],
        &["--host", "127.0.0.1:3000", "--allow-origin", "https://app.example"],
        &[
            "--host",
            "backend",
            "--trust-proxy",
            "10.0.0.0/8",
            "--header",
            "X-Forwarded-Proto: http",
        ],
        &["--header", "Forwarded: proto=https", "--peer", "192.0.2.1"],
    ];
    for origin in origins {
        for server in servers {
            let all = [&["--header", "Cookie: a=b", "--origin", origin], server].concat();
            let hints = examine(&all).await;
            assert!(!hints.is_empty(), "{all:?}");
        }
    }
}
