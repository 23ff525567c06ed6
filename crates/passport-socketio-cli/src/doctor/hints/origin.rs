//! Check 1: the page is of another origin, or a proxy lets it look so.
//!
//! Each piece of advice is tried out before it is given: with what it changes, the request passes the check.

use axum::http::header::ORIGIN;
use passport_socketio::PeerAddr;

use super::{Case, Hint, hint};
use crate::doctor::server::{Change, OriginSettings};

/// Some advice, and what would be different if it was followed.
pub(super) struct Advice {
    cause: String,
    fix: String,
    changes: Vec<Change>,
}

pub(super) async fn origin_not_allowed(case: &Case<'_>, own: Option<&str>) -> Vec<Hint> {
    let origins = case.request.headers.get_all(ORIGIN).iter().count();
    if origins > 1 {
        return vec![hint(
            format!("the request has {origins} Origin headers: a proxy adds one to the client's"),
            "leave the client's alone: no `proxy_set_header Origin` (nginx), no `http-request add-header Origin` (HAProxy)",
        )];
    }
    let Some(origin) = case.header("origin") else {
        return vec![hint(
            "the browser says that a page of another site asks, and there is no Origin: a proxy removes it, or it is no Socket.IO client that asks",
            "let the proxy pass Origin on: no `proxy_set_header Origin \"\";` (nginx), no `http-request del-header Origin` (HAProxy)",
        )];
    };
    let mut hints = Vec::new();
    for Advice { cause, fix, changes } in advice(case, origin, own) {
        if helps(case, &changes).await {
            hints.push(Hint { cause, fix });
        }
    }
    if hints.is_empty() {
        hints.push(hint(
            format!("{origin} is no origin that a browser sends: a client was given it by hand"),
            "let the client send scheme://host, with a port where it is not the default one, or no Origin at all",
        ));
    }
    hints
}

async fn helps(case: &Case<'_>, changes: &[Change]) -> bool {
    let (settings, request) = with(case, changes);
    // Where a part of the request is missing there is nothing to try.
    changes.is_empty() || settings.let_in(&request).await
}

/// The server and the request, had the advice been followed.
pub(super) fn with(
    case: &Case<'_>,
    changes: &[Change],
) -> (OriginSettings, axum::http::request::Parts) {
    let (mut settings, mut request) = (OriginSettings::of(case.args), case.request.clone());
    for change in changes {
        change.make(&mut settings, &mut request);
    }
    (settings, request)
}

/// All that could be said, the likeliest first.
pub(super) fn advice(case: &Case<'_>, origin: &str, own: Option<&str>) -> Vec<Advice> {
    let mut all = Vec::new();
    if matches!(origin, "null" | "file://") {
        all.push(Advice {
            cause: format!("the origin is `{origin}`: a file, a sandboxed frame, or a redirect from another site"),
            fix: "serve the page from an address of its own; or, where its users have nothing to lose, .insecure_null_origin() (--insecure-null-origin here)".into(),
            changes: vec![Change::AllowNullOrigin],
        });
        return all;
    }
    let page = Address::of(origin);
    if let (Some(page), Some(host)) = (&page, case.header("host")) {
        let own = own.and_then(Address::of);
        all.extend(proxies::advice(case, page, host, own.as_ref()));
        all.extend(two_local_names(page, host));
        if own.as_ref() == Some(page) {
            all.push(Advice {
                cause: "beside an allowed https:// origin, the server's own is not allowed as http://".into(),
                fix: format!("serve the page over https, or allow its origin by name while you develop: .origin(\"{origin}\") (--allow-origin {origin} here)"),
                changes: vec![Change::AllowOrigin(origin.into())],
            });
        }
    } else if case.header("host").is_none() {
        all.push(Advice {
            cause:
                "without --host the server's own origin is unknown, and only --allow-origin counts"
                    .into(),
            fix: format!(
                "give --host what the page calls the server, such as --host {}",
                page.map_or("app.example.com".into(), |page| page.authority)
            ),
            changes: Vec::new(),
        });
    }
    let allow = |cause: String| Advice {
        cause,
        fix: format!(
            "if {origin} is yours, allow it: .origin(\"{origin}\") (--allow-origin {origin} here)"
        ),
        changes: vec![Change::AllowOrigin(origin.into())],
    };
    all.extend(nearly_listed(case, origin).map(allow));
    all.push(allow("pages of other origins are refused until they are allowed, or any site could use its visitors' logins".into()));
    all
}

fn two_local_names(page: &Address, host: &str) -> Option<Advice> {
    let host = Address::of(&format!("http://{host}"))?;
    (page.is_local() && host.is_local() && page.name != host.name).then(|| Advice {
        cause: format!(
            "{} and {} are one machine and two origins, with two sets of cookies",
            page.name, host.name
        ),
        fix: format!(
            "use one name for both the page and the server (--origin {}://{} here)",
            page.scheme, host.authority
        ),
        changes: vec![Change::Send("origin", format!("{}://{}", page.scheme, host.authority))],
    })
}

/// One of the allowed origins that differs in a detail.
fn nearly_listed(case: &Case<'_>, origin: &str) -> Option<String> {
    let page = Address::of(origin)?;
    case.args.allowed_origins.iter().find_map(|listed| {
        let address = Address::of(listed)?;
        let bare = |name: &str| name.strip_prefix("www.").unwrap_or(name).to_owned();
        let difference = match () {
            () if address.name == page.name && address.scheme != page.scheme => "scheme",
            () if address.name == page.name => "port",
            () if bare(&address.name) == bare(&page.name) => "name",
            () => return None,
        };
        Some(format!("the list has {listed}, which is another origin: its {difference} differs"))
    })
}

/// Of a page, or of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `ws` is `http` here, and `wss` is `https`.
    pub(super) scheme: &'static str,
    /// With the port, unless it is the default one.
    pub(super) authority: String,
    pub(super) name: String,
}

impl Address {
    pub(super) fn of(origin: &str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        let (scheme, port) = match scheme {
            "http" | "ws" => ("http", ":80"),
            "https" | "wss" => ("https", ":443"),
            _ => return None,
        };
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(port).unwrap_or(&authority).to_owned();
        let name = match authority.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => name.to_owned(),
            _ => authority.clone(),
        };
        Some(Self { scheme, authority, name })
    }

    pub(super) fn is_local(&self) -> bool {
        matches!(self.name.as_str(), "localhost" | "[::1]") || self.name.starts_with("127.")
    }
}

/// What a proxy changes, or keeps to itself.
mod proxies {
    use super::{Address, Advice, Case, Change, OriginSettings, PeerAddr};

    /// For the advice, where no address is known.
    const SOME_NETWORK: &str = "10.0.0.0/8";
    const HEADERS: [&str; 5] = [
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-for",
        "forwarded",
    ];

    pub(super) fn advice(
        case: &Case<'_>,
        page: &Address,
        host: &str,
        own: Option<&Address>,
    ) -> Vec<Advice> {
        let headers = &case.request.headers;
        let said: Vec<_> = HEADERS.into_iter().filter(|name| headers.contains_key(*name)).collect();
        let trust = trust(case);
        let mut all = Vec::new();
        if let [first, ..] = said.as_slice() {
            all.push(Advice {
                cause: format!(
                    "a proxy says what the page asked for ({first}), and is not trusted: {}",
                    peer(case)
                ),
                fix: format!(
                    "trust it, by its address: .trust_proxy([\"{trust}\"]) (--trust-proxy {trust} here)"
                ),
                changes: vec![Change::TrustProxy(trust.clone())],
            });
        }
        if headers.contains_key("forwarded") && said.len() > 1 {
            all.push(contradiction());
        }
        if let Some(port) = case.header("x-forwarded-port") {
            all.push(wrong_port(port, page));
        }
        let (name, scheme) = (name(page, host), scheme(case, page, own, &trust));
        let both = match (&name, &scheme) {
            (Some(name), Some(scheme)) => Some(Advice {
                cause: format!("{}; and {}", name.cause, scheme.cause),
                fix: format!("{}; and {}", name.fix, scheme.fix),
                changes: [&name.changes[..], &scheme.changes].concat(),
            }),
            _ => None,
        };
        all.extend([name, scheme, both].into_iter().flatten());
        all
    }

    fn contradiction() -> Advice {
        Advice {
            cause: "X-Forwarded-* and Forwarded contradict each other: the proxy sets one, and passes the other on as the client sent it".into(),
            fix: "let it drop the other one: `proxy_set_header Forwarded \"\";` (nginx), `http-request del-header Forwarded` (HAProxy)".into(),
            changes: vec![Change::Drop("forwarded")],
        }
    }

    fn wrong_port(port: &str, page: &Address) -> Advice {
        Advice {
            cause: format!("X-Forwarded-Port says {port}, which is not the port of the page at {}", page.authority),
            fix: "let it be the port that clients use, or leave it out: no `proxy_set_header X-Forwarded-Port $server_port;` (nginx) where the port is mapped outside".into(),
            changes: vec![Change::Drop("x-forwarded-port")],
        }
    }

    fn peer(case: &Case<'_>) -> String {
        match case.request.extensions.get::<PeerAddr>() {
            Some(peer) => format!("its address is {}", peer.0.ip()),
            None => "there is no .trust_proxy".into(),
        }
    }

    fn trust(case: &Case<'_>) -> String {
        match case.request.extensions.get::<PeerAddr>() {
            Some(peer) => peer.0.ip().to_string(),
            None => SOME_NETWORK.into(),
        }
    }

    /// The page comes over TLS, and the server does not know it.
    fn scheme(
        case: &Case<'_>,
        page: &Address,
        own: Option<&Address>,
        trust: &str,
    ) -> Option<Advice> {
        if page.scheme != "https" || own.is_some_and(|own| own.scheme == "https") {
            return None;
        }
        let mut changes = vec![Change::Send("x-forwarded-proto", "https".into())];
        if case.header("x-forwarded-proto").is_some()
            && !OriginSettings::of(case.args).trust_nobody()
        {
            return Some(Advice {
                cause: "the last proxy says http: it overwrites what the one in front of it, where TLS ends, has said".into(),
                fix: "let it pass that on: `proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;` (nginx; --header 'X-Forwarded-Proto: https' here)".into(),
                changes,
            });
        }
        let mut fix = "have it say so: `proxy_set_header X-Forwarded-Proto $scheme;` (nginx), `http-request set-header X-Forwarded-Proto https` (HAProxy; --header 'X-Forwarded-Proto: https' here)".to_owned();
        if OriginSettings::of(case.args).trust_nobody() {
            fix = format!(
                "trust the proxy: .trust_proxy([\"{trust}\"]) (--trust-proxy {trust} here), and {fix}"
            );
            changes.push(Change::TrustProxy(trust.into()));
        }
        let what = "the page comes over https, and the server is asked over http: TLS ends at a proxy in front of it";
        Some(Advice { cause: what.into(), fix, changes })
    }

    /// The server is asked for by another name than the page's, or without the port.
    fn name(page: &Address, host: &str) -> Option<Advice> {
        let asked = Address::of(&format!("{}://{host}", page.scheme))?;
        let authority = &page.authority;
        let changes =
            vec![Change::Send("host", authority.clone()), Change::Drop("x-forwarded-host")];
        if asked.authority == *authority {
            return None;
        }
        if asked.name == page.name && asked.authority == asked.name {
            return Some(Advice {
                cause: format!(
                    "Host has lost its port on the way: the page is at {authority}, and the server is asked for {host}"
                ),
                fix: format!(
                    "let the proxy pass Host on as it is: `proxy_set_header Host $http_host;` in place of `$host` (nginx; --host {authority} here)"
                ),
                changes,
            });
        }
        if page.is_local() && asked.is_local() && has_other_port(page, &asked) {
            return Some(Advice {
                cause: format!(
                    "a development server at {authority} passes requests on, and replaces Host by its target's ({host}): `changeOrigin: true`"
                ),
                fix: format!(
                    "leave `changeOrigin` out in vite.config's proxy for /socket.io (--host {authority} here), or allow the page while you develop: .origin(\"{}://{authority}\")",
                    page.scheme
                ),
                changes,
            });
        }
        let is_internal = asked.is_local()
            || !asked.name.contains('.')
            || asked.name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_private());
        (is_internal && !page.is_local()).then(|| Advice {
            cause: format!("a proxy replaces Host by its own name for the server: {host}, where the page says {authority}"),
            fix: format!("let it pass Host on as it is: `proxy_set_header Host $http_host;` (nginx), `ProxyPreserveHost On` (Apache), no `changeOrigin` (Vite; --host {authority} here)"),
            changes,
        })
    }

    fn has_other_port(page: &Address, asked: &Address) -> bool {
        page.authority.strip_prefix(&page.name) != asked.authority.strip_prefix(&asked.name)
    }
}

#[cfg(test)]
mod tests;
