//! What usually causes what the pipeline found. What was found by looking comes first.

use express_session::cookie::Signer;
use express_session::source::{ExpressSource, SessionSource as _};
use express_session::{SessionId, SessionRequest};
use passport_socketio::authorizer::Explanation;
use passport_socketio::{AuthorizeError, Decision, Denial, Session};
use serde::Serialize;
use serde_json::Value;

use super::case::Case;
use super::look_around;

/// A cause, and what to do about it.
#[derive(Debug, Serialize)]
pub(super) struct Hint {
    pub(super) cause: String,
    pub(super) fix: String,
}

fn hint(cause: impl Into<String>, fix: impl Into<String>) -> Hint {
    Hint { cause: cause.into(), fix: fix.into() }
}

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

pub(super) async fn of(case: &Case<'_>, explanation: &Explanation<Value>) -> Vec<Hint> {
    match &explanation.outcome {
        Ok(Decision::Granted(identity)) => granted(case, identity.session()),
        Ok(Decision::Denied(denial)) => match denial {
            Denial::OriginNotAllowed { .. } => origin_not_allowed(case),
            Denial::NoSessionCookie { cross_origin } => no_session_cookie(case, *cross_origin),
            Denial::MalformedCookie(_) => malformed_cookie(case),
            Denial::BadSignature => bad_signature(case),
            Denial::SessionNotFound => session_not_found(case).await,
            Denial::SessionExpired { .. } => session_expired(),
            Denial::NotLoggedIn { session } => not_logged_in(case, session),
            _ => Vec::new(),
        },
        Err(error) => could_not_tell(case, error),
    }
}

fn granted(case: &Case<'_>, session: &Session) -> Vec<Hint> {
    let over_http = case.args.origin.as_deref().is_some_and(|origin| origin.starts_with("http://"));
    match session.cookie() {
        Ok(cookie) if cookie.secure && over_http => vec![hint(
            "the session's cookie is `Secure`, and the page comes over http: a browser does not send it",
            "serve the page over https, or set cookie.secure to 'auto' where you develop",
        )],
        _ => Vec::new(),
    }
}

fn origin_not_allowed(case: &Case<'_>) -> Vec<Hint> {
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

fn no_session_cookie(case: &Case<'_>, cross_origin: bool) -> Vec<Hint> {
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
        format!("the app calls its cookie something else than {}", case.args.sessions.cookie_name),
        "give --cookie-name (and .key) the `name` or `key` of its express-session",
    ));
    hints
}

/// Whether another cookie of the request is the one that is meant.
fn other_cookie(case: &Case<'_>, name: &str, value: &str) -> Option<Hint> {
    if let Some(kind) = other_kind(case, name) {
        return Some(hint(
            format!("{name} is a cookie of {kind}, which keeps its sessions otherwise"),
            WRONG_KIND,
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

const WRONG_KIND: &str = "this version reads express-session only";

fn other_kind(case: &Case<'_>, name: &str) -> Option<&'static str> {
    let signed_beside = case.pairs().any(|(other, _)| other.strip_suffix(".sig") == Some(name));
    match name {
        "koa.sess" | "koa:sess" => Some("koa-session"),
        "koa.sid" => Some("koa-generic-session"),
        "sessionId" => Some("@fastify/session"),
        _ if signed_beside => Some("cookie-session (there is a .sig beside it)"),
        _ => None,
    }
}

fn malformed_cookie(case: &Case<'_>) -> Vec<Hint> {
    let value = case.session_cookie().unwrap_or_default();
    let mut hints = Vec::new();
    let same_name =
        case.pairs().filter(|(name, _)| *name == case.args.sessions.cookie_name).count();
    if let Some(kind) = other_kind(case, &case.args.sessions.cookie_name) {
        hints.push(hint(format!("it is a cookie of {kind}"), WRONG_KIND));
    }
    if same_name > 1 {
        hints.push(hint(
            format!("the request has {same_name} cookies with this name, and the first counts, as in Node"),
            "delete the stale one: an older Path or Domain of the same app, usually",
        ));
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
        hints.push(hint("it is a cookie of iron-session", WRONG_KIND));
    } else if !value.starts_with("s:") && value.contains('.') {
        hints.push(hint(
            "it is signed without `s:` in front, as @fastify/session does",
            "if it is express-session's, pass the whole value on; if it is Fastify's: this version reads express-session only",
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

fn bad_signature(case: &Case<'_>) -> Vec<Hint> {
    let value = case.session_cookie().unwrap_or_default();
    let signed = value.strip_prefix("s:").unwrap_or_default();
    let fits = |secret: &str| {
        signer(&[secret.to_owned()]).is_some_and(|signer| signer.unsign(signed).is_some())
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
            "compare with the `secret` of the app's express-session, in the environment that it really runs in",
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

async fn session_not_found(case: &Case<'_>) -> Vec<Hint> {
    let mut hints = Vec::new();
    if let (Some(store), Some(sid)) = (&case.args.store, sid(case)) {
        hints.extend(look_around::for_session(store, &sid).await.into_iter().map(|elsewhere| {
            hint(
                format!("this session is {}", elsewhere.place),
                format!("use --store '{}'", elsewhere.store),
            )
        }));
    }
    hints.push(hint(
        "the user has logged out, or in again since: Passport 0.6 and newer give the session a new id then",
        "take the cookie that the browser has now",
    ));
    hints.push(hint(
        "the session has expired and its store has removed it",
        "log in again; compare the store's ttl with the cookie's maxAge",
    ));
    hints.push(hint(
        "the app keeps its sessions elsewhere: another server, database number, prefix, or in its own memory",
        "compare with the `store` of the app's express-session; MemoryStore can't be read from outside",
    ));
    hints
}

fn session_expired() -> Vec<Hint> {
    vec![hint(
        "the session's time is over, by the store's own rule",
        "log in again; sockets do not prolong a session by themselves (see touch)",
    )]
}

fn not_logged_in(case: &Case<'_>, session: &Session) -> Vec<Hint> {
    let pointer = &case.args.sessions.user_pointer;
    let mut hints = Vec::new();
    let there = |pointer: &str| session.get::<Value>(pointer);
    match there("/passport") {
        Some(Value::Object(passport)) if passport.is_empty() => hints.push(hint(
            "session.passport is {}: the user has logged out (Passport up to 0.5 leaves that behind)",
            "log in again",
        )),
        Some(Value::Object(_)) | None => {}
        Some(_) => hints.push(hint(
            "session.passport is the user key itself, as @fastify/passport writes it",
            "use --user-pointer /passport",
        )),
    }
    for candidate in
        ["/passport/user", "/user", "/userId", "/user_id", "/uid", "/auth/user", "/user/id"]
    {
        if candidate != pointer && there(candidate).is_some_and(|value| !value.is_null()) {
            hints.push(hint(
                format!("there is something at {candidate}"),
                format!("if that is the user, use --user-pointer {candidate}"),
            ));
        }
    }
    hints.push(hint(
        "nobody has logged in to this session: a visitor's, or the cookie of before the login (Passport 0.6 and newer give a new one)",
        "log in, and take the cookie from after that",
    ));
    hints
}

fn could_not_tell(case: &Case<'_>, error: &AuthorizeError) -> Vec<Hint> {
    match error {
        AuthorizeError::StoreUnavailable(_) if case.args.store.is_none() => vec![hint(
            "the cookie is good so far; what comes next needs the store",
            "give --store what your app uses, such as redis://127.0.0.1/",
        )],
        AuthorizeError::StoreUnavailable(_) => vec![hint(
            "the store can't be reached, or refuses",
            "check its address, port, user and password; redis-cli, or sqlite3, from the same machine tells more",
        )],
        AuthorizeError::StoreTimeout { .. } => vec![hint(
            "the store accepts connections and does not answer",
            "it is overloaded, stopped, or something else listens there",
        )],
        AuthorizeError::CorruptSession(_) => vec![hint(
            "something else than express-session writes under this key, or the store has a `serializer` of its own or encrypts",
            "look at the record itself; the app's own middleware fails on it, too",
        )],
        _ => Vec::new(),
    }
}

fn signer(secrets: &[String]) -> Option<Signer> {
    Signer::new(secrets).ok()
}

fn sid(case: &Case<'_>) -> Option<SessionId> {
    let source =
        ExpressSource::new(&case.args.sessions.cookie_name, &case.args.sessions.secrets).ok()?;
    source.locate(&SessionRequest::from_cookie_header(&case.cookies)).ok()
}
