//! What usually causes what the pipeline found. What was found by looking comes first.

use passport_socketio::authorizer::Explanation;
use passport_socketio::{AuthorizeError, Decision, Denial, Failure, Session};
use serde::Serialize;
use serde_json::Value;

use super::case::Case;

mod cookie;
mod origin;
mod session;
mod usual;

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
    let failure = match &explanation.outcome {
        Ok(Decision::Granted(identity)) => {
            let mut hints = granted(case, identity.session());
            hints.splice(0..0, another_path(case));
            return hints;
        }
        Ok(Decision::Denied(denial)) => Failure::from(denial.clone()),
        Err(error) => Failure::from(error.clone()),
    };
    let mut hints = looked_for(case, &failure).await;
    if hints.is_empty() {
        hints.push(usual::usual(failure.reason()));
    }
    if !failure.is_error() {
        hints.splice(0..0, cookie::one_of_several(case));
    }
    hints.splice(0..0, another_path(case));
    hints
}

/// A request for another path does not reach Socket.IO at all, whoever sends it.
fn another_path(case: &Case<'_>) -> Option<Hint> {
    let (asked, served) = (case.path.as_deref()?, case.args.path.trim_end_matches('/'));
    let is_served = asked.strip_prefix(served).is_some_and(|rest| matches!(rest, "" | "/"));
    let wanted = asked.trim_end_matches('/');
    (!is_served).then(|| {
        hint(
            format!("the request is for {asked}, and Socket.IO is served at {served}/: the answer is 404"),
            format!("let the proxy strip the prefix, or serve it there: .path(\"{wanted}\") and req_path(\"{wanted}\") (--path {wanted} here)"),
        )
    })
}

/// What the case itself shows, for the reasons of which it shows anything.
async fn looked_for(case: &Case<'_>, failure: &Failure) -> Vec<Hint> {
    match failure {
        Failure::Denied(Denial::OriginNotAllowed { own, .. }) => {
            origin::origin_not_allowed(case, own.as_deref()).await
        }
        Failure::Denied(Denial::NoSessionCookie { cross_origin }) => {
            cookie::no_session_cookie(case, *cross_origin)
        }
        Failure::Denied(Denial::MalformedCookie(_)) => cookie::malformed_cookie(case),
        Failure::Denied(Denial::BadSignature) => cookie::bad_signature(case),
        Failure::Denied(Denial::SessionNotFound) => session::session_not_found(case).await,
        Failure::Denied(Denial::NotLoggedIn { session }) => session::not_logged_in(case, session),
        Failure::Error(AuthorizeError::StoreUnavailable(_)) if case.args.store.is_none() => {
            vec![hint(
                "the cookie is good so far; what comes next needs the store",
                "give --store what your app uses, such as redis://127.0.0.1/",
            )]
        }
        Failure::Error(AuthorizeError::StoreUnavailable(error)) => session::not_there_yet(error),
        Failure::Denied(_) | Failure::Error(_) => Vec::new(),
    }
}

fn granted(case: &Case<'_>, session: &Session) -> Vec<Hint> {
    let over_http = case.header("origin").is_some_and(|origin| origin.starts_with("http://"));
    match session.cookie() {
        Ok(cookie) if cookie.secure && over_http => vec![hint(
            "the session's cookie is `Secure`, and the page comes over http: a browser does not send it",
            "serve the page over https, or set cookie.secure to 'auto' where you develop",
        )],
        _ => Vec::new(),
    }
}
