//! Checks 2 to 4: something is wrong with the cookie.

use express_session::SessionRequest;
use express_session::cookie::Signer;

use super::{Case, Hint, hint};
use crate::sessions::Kind;

/// Secrets of tutorials and READMEs: whoever uses one has published it.
const WELL_KNOWN: &[&str] = &[
    "keyboard cat",
    "secret",
    "session_secret",
    "session secret",
    "sessionsecret",
    "mysecret",
    "my secret",
    "my-secret",
    "supersecret",
    "super secret",
    "s3cr3t",
    "changeme",
    "change me",
    "your secret",
    "your-secret",
    "your_secret",
    "your-secret-key",
    "your_secret_key",
    "some secret",
    "somesecret",
    "shhhh",
    "shhhhh",
    "ssshhhhh",
    "pinkie ate my cupcakes!",
    "cat",
    "cats",
    "test",
    "dev",
    "development",
    "password",
    "abc",
    "123456",
];

pub(super) fn no_session_cookie(case: &Case<'_>, cross_origin: bool) -> Vec<Hint> {
    let mut hints: Vec<_> =
        case.pairs().filter_map(|(name, value)| other_cookie(case, name, value)).collect();
    if cross_origin {
        hints.push(hint(
            "the page is of another origin, and browsers keep cookies to themselves there",
            "connect with withCredentials: true, and set the cookie SameSite=None; Secure",
        ));
    }
    if case.cookies.is_empty() {
        hints.push(hint(
            "the request has no cookie at all: a native client, or a page that was never logged in",
            "log in first; give native clients the cookie in extraHeaders",
        ));
    }
    hints.push(hint(
        "the cookie belongs to another host name (localhost is not 127.0.0.1), path or scheme (a Secure cookie is not sent over http)",
        "look at the cookie's Domain, Path and Secure in the browser's developer tools",
    ));
    hints.push(hint(
        format!(
            "the app calls its cookie something else than {}",
            case.args.sessions.cookie_name()
        ),
        "give --cookie-name (and .key) the `name` or `key` of its express-session",
    ));
    hints
}

/// Whether another cookie of the request is the one that is meant.
fn other_cookie(case: &Case<'_>, name: &str, value: &str) -> Option<Hint> {
    if let Some(kind) = other_kind(case, name) {
        return Some(hint(
            format!("{name} is a cookie of {}, which keeps its sessions otherwise", kind.package),
            format!("use --kind {}", kind.option),
        ));
    }
    let value = express_session::cookie::decode_uri_component(value)?;
    let signed = value.strip_prefix("s:")?;
    let verified =
        signer(&case.args.sessions.secrets).is_some_and(|signer| signer.unsign(signed).is_some());
    let how =
        if verified { "is signed with your secret" } else { "looks like a signed session id" };
    Some(hint(
        format!("the cookie {name} {how}: the session cookie has another name"),
        format!("use --cookie-name {name}, and .key(\"{name}\") in your server"),
    ))
}

/// Another middleware than the one that `--kind` says.
struct OtherKind {
    package: &'static str,
    option: &'static str,
}

fn other_kind(case: &Case<'_>, name: &str) -> Option<OtherKind> {
    let signed_beside = case.pairs().any(|(other, _)| other.strip_suffix(".sig") == Some(name));
    let (package, option, kind) = match name {
        "koa.sess" | "koa:sess" => ("koa-session", "koa", Kind::Koa),
        "koa.sid" => ("koa-generic-session", "koa-generic", Kind::KoaGeneric),
        "sessionId" => ("@fastify/session", "fastify", Kind::Fastify),
        "connect.sid" => ("express-session", "express", Kind::Express),
        _ if signed_beside => {
            ("cookie-session (there is a .sig beside it)", "cookie-session", Kind::CookieSession)
        }
        _ => return None,
    };
    (case.args.sessions.kind != kind).then_some(OtherKind { package, option })
}

/// Whichever check it was: another cookie of the same name may have passed it.
pub(super) fn one_of_several(case: &Case<'_>) -> Option<Hint> {
    let name = case.args.sessions.cookie_name();
    let several = case.pairs().filter(|(other, _)| *other == name).count();
    (several > 1).then(|| {
        hint(
            format!(
                "the request has {several} cookies with this name, and the first counts, as in Node"
            ),
            "delete the stale one: an older Path or Domain of the same app, usually",
        )
    })
}

pub(super) fn malformed_cookie(case: &Case<'_>) -> Vec<Hint> {
    let value = case.session_cookie().unwrap_or_default();
    let mut hints = Vec::new();
    if let Some(kind) = other_kind(case, case.args.sessions.cookie_name()) {
        hints.push(hint(
            format!("it is a cookie of {}", kind.package),
            format!("use --kind {}", kind.option),
        ));
    }
    if case.args.sessions.kind != Kind::Express {
        return hints;
    }
    if value.starts_with("s%3A") || value.starts_with("s%253A") {
        hints
            .push(hint("the value was encoded twice", "pass the cookie on as the browser sent it"));
    } else if value.starts_with("j:") {
        hints.push(hint(
            "it is a JSON cookie of cookie-parser, and no session's",
            "look for the session's own cookie",
        ));
    } else if value.starts_with("Fe26.2*") {
        hints.push(hint("it is a cookie of iron-session", "sessions of this kind can't be read"));
    } else if !value.starts_with("s:") && value.contains('.') {
        hints.push(hint(
            "it is signed without `s:` in front, as @fastify/session does",
            "if it is Fastify's, use --kind fastify; if it is express-session's, pass the whole value on",
        ));
    } else if !value.starts_with("s:") {
        hints.push(hint(
            "it is the bare session id: somebody took it out of the signed cookie",
            "pass the cookie on as the browser sent it, from s%3A to the end",
        ));
    } else if !value.contains('.') {
        hints.push(hint("the signature is missing: the value was cut", "copy the whole value"));
    }
    hints
}

pub(super) fn bad_signature(case: &Case<'_>) -> Vec<Hint> {
    let request = SessionRequest::from_cookie_header(&case.cookies);
    let fits = |secret: &str| {
        let source = case.source(&[secret.to_owned()]);
        source.is_some_and(|source| source.locate(&request).is_ok())
    };
    let mut hints = Vec::new();
    for secret in &case.args.sessions.secrets {
        let bare = secret.trim().trim_matches(['"', '\'']);
        if bare != secret && fits(bare) {
            hints.push(hint(
                "the cookie is signed with your secret without the quotes or white space around it",
                "give the secret exactly as the app gets it: look at the quotes in your .env file",
            ));
        }
        if fits(&format!("{secret}\n")) {
            hints.push(hint(
                "the app's secret ends with a newline, and yours does not",
                "the app reads it from a file, most likely: trim it there",
            ));
        }
    }
    if let Some(secret) = WELL_KNOWN.iter().find(|secret| fits(secret)) {
        hints.push(hint(
            format!("the cookie is signed with \"{secret}\", a secret out of a tutorial that everybody knows"),
            format!("try --secret '{secret}' here, and give the app a secret of its own"),
        ));
    }
    if hints.is_empty() {
        hints.push(hint(
            "the app signs with another secret, or this value was changed",
            "compare with the `secret` or `keys` of the app's session middleware, in the environment that it really runs in",
        ));
        hints.push(hint(
            "another app on the same host set a cookie with the same name (cookies do not know ports)",
            "give each app a cookie name of its own",
        ));
        hints.push(hint(
            "the secret was changed, and this cookie is older",
            "give both, newest first: --secret NEW --secret OLD, and .secrets([new, old])",
        ));
    }
    hints
}

fn signer(secrets: &[String]) -> Option<Signer> {
    Signer::new(secrets).ok()
}
