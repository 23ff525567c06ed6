//! Check 1: the page is of another origin.

use super::{Case, Hint, hint};

pub(super) fn origin_not_allowed(case: &Case<'_>) -> Vec<Hint> {
    let origin = case.args.origin.as_deref().unwrap_or_default();
    let Some(host) = case.args.host.as_deref() else {
        return vec![hint(
            "without --host the server's own origin is unknown, and only --allow-origin counts",
            "give --host what the page calls the server, such as --host app.example.com",
        )];
    };
    let (scheme, page) = origin.split_once("://").unwrap_or(("", origin));
    let name = |host: &str| host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
    let is_local = |name: &str| matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    let mut hints = Vec::new();
    if page == host && scheme == "https" {
        hints.push(hint(
            "the page comes over https, and the server is asked over http: TLS ends at a proxy in front of it",
            "trust the proxy: .trust_proxy([\"10.0.0.0/8\"]), and have it send X-Forwarded-Proto",
        ));
    } else if page == host
        && scheme == "http"
        && case.args.allowed_origins.iter().any(|allowed| allowed.starts_with("https://"))
    {
        hints.push(hint(
            "beside an allowed https:// origin, the server's own is not allowed as http://",
            "serve the page over https, or allow its origin by name while you develop",
        ));
    } else if page != host
        && is_local(&name(page))
        && is_local(&name(host))
        && name(page) != name(host)
    {
        hints.push(hint(
            format!(
                "{} and {} are one machine and two origins, with two sets of cookies",
                name(page),
                name(host)
            ),
            "use one name for both the page and the server",
        ));
    } else if origin == "null" {
        hints.push(hint(
            "the origin is `null`: a sandboxed frame, a file, or a redirect from another site",
            "serve the page from an address of its own",
        ));
    }
    hints.push(hint(
        "pages of other origins are refused until they are allowed, or any site could use its visitors' logins",
        format!("if {origin} is yours, allow it: .origin(\"{origin}\"), and try --allow-origin {origin} here"),
    ));
    hints
}
