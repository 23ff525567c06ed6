//! Checks 5 to 9: something is wrong with the store, or with the session.

use express_session::{SessionId, SessionRequest};
use passport_socketio::Session;
use passport_socketio::store::StoreError;
use serde_json::Value;

use super::{Case, Hint, hint};
use crate::doctor::look_around;

pub(super) async fn session_not_found(case: &Case<'_>) -> Vec<Hint> {
    let mut hints = Vec::new();
    if let (Some(store), Some(sid)) = (&case.args.store, sid(case)) {
        hints.extend(
            look_around::for_session(store, case.args.sessions.kind.prefix(), &sid)
                .await
                .into_iter()
                .map(|elsewhere| {
                    hint(
                        format!("this session is {}", elsewhere.place),
                        format!("use --store '{}'", elsewhere.store),
                    )
                }),
        );
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
        "the app keeps its sessions elsewhere: another server, database, table, prefix, or in its own memory",
        "compare with the `store` of the app's express-session; MemoryStore can't be read from outside",
    ));
    hints
}

/// A store that a server would wait for.
pub(super) fn not_there_yet(error: &StoreError) -> Vec<Hint> {
    let Some(appears) = error.appears() else {
        return Vec::new();
    };
    vec![hint(
        format!("{error}: it can't be reached, or is not there yet; {appears}"),
        "check the URL; if it is right, start the server: it refuses with `try_again` until the store is there, and needs no restart then",
    )]
}

pub(super) fn not_logged_in(case: &Case<'_>, session: &Session) -> Vec<Hint> {
    let pointer = case.args.sessions.user_pointer();
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

fn sid(case: &Case<'_>) -> Option<SessionId> {
    let source = case.source(&case.args.sessions.secrets)?;
    let located = source.locate(&SessionRequest::from_cookie_header(&case.cookies)).ok()?;
    Some(located.id().clone())
}
