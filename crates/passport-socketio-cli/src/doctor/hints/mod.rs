//! What usually causes what the pipeline found. What was found by looking comes first.

use passport_socketio::authorizer::Explanation;
use passport_socketio::{AuthorizeError, Decision, Denial, Session};
use serde::Serialize;
use serde_json::Value;

use super::case::Case;

mod cookie;
mod origin;
mod session;

/// A cause, and what to do about it.
#[derive(Debug, Serialize)]
pub(super) struct Hint {
    pub(super) cause: String,
    pub(super) fix: String,
}

fn hint(cause: impl Into<String>, fix: impl Into<String>) -> Hint {
    Hint { cause: cause.into(), fix: fix.into() }
}

pub(super) async fn of(case: &Case<'_>, explanation: &Explanation<Value>) -> Vec<Hint> {
    match &explanation.outcome {
        Ok(Decision::Granted(identity)) => granted(case, identity.session()),
        Ok(Decision::Denied(denial)) => {
            let mut hints: Vec<_> = cookie::one_of_several(case).into_iter().collect();
            hints.extend(denied(case, denial).await);
            hints
        }
        Err(error) => could_not_tell(case, error),
    }
}

async fn denied(case: &Case<'_>, denial: &Denial) -> Vec<Hint> {
    match denial {
        Denial::OriginNotAllowed { .. } => origin::origin_not_allowed(case),
        Denial::NoSessionCookie { cross_origin } => cookie::no_session_cookie(case, *cross_origin),
        Denial::MalformedCookie(_) => cookie::malformed_cookie(case),
        Denial::BadSignature => cookie::bad_signature(case),
        Denial::SessionNotFound => session::session_not_found(case).await,
        Denial::SessionExpired { .. } => session::session_expired(),
        Denial::NotLoggedIn { session } => session::not_logged_in(case, session),
        _ => Vec::new(),
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

fn could_not_tell(case: &Case<'_>, error: &AuthorizeError) -> Vec<Hint> {
    match error {
        AuthorizeError::StoreUnavailable(_) if case.args.store.is_none() => vec![hint(
            "the cookie is good so far; what comes next needs the store",
            "give --store what your app uses, such as redis://127.0.0.1/",
        )],
        AuthorizeError::StoreUnavailable(_) => vec![hint(
            "the store can't be reached, or refuses",
            "check its address, port, user, password and table; redis-cli, psql or whatever the database's own client is, from the same machine, tells more",
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
