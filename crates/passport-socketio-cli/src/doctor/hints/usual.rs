//! What usually causes each reason, when looking at the case has shown nothing better.

use passport_socketio::authorizer::Reason;

use super::{Hint, hint};

/// One for every reason there is: a new one does not compile without.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn usual(reason: Reason) -> Hint {
    let (cause, fix) = match reason {
        Reason::OriginNotAllowed => (
            "the page is of another origin than the server, and that origin is not allowed",
            "allow it, if it is yours: .origin(\"https://app.example.com\")",
        ),
        Reason::OriginPanicked => {
            ("your `origin_if` function panicked", "look for the panic in the server's stderr")
        }
        Reason::NoSessionCookie => (
            "the client sends no session cookie, or one of another name",
            "compare with the cookies of the site in the browser's developer tools",
        ),
        Reason::MalformedCookie => (
            "the cookie's value is none that this kind of session has, or the Cookie header is too long",
            "pass the cookie on as the browser sent it; compare --kind with the app's session middleware",
        ),
        Reason::BadSignature => (
            "the app signs with another secret, or this value was changed",
            "compare with the `secret` or `keys` of the app's session middleware",
        ),
        Reason::OtherSession => (
            "a later request of the connection showed another session than the one that opened it",
            "connect anew after each login and logout: socket.disconnect().connect()",
        ),
        Reason::SourcePanicked => {
            ("a session source of your own panicked", "look for the panic in the server's stderr")
        }
        Reason::RateLimited => (
            "the client asked too often for one of the limits that you set",
            "let it wait before it connects again, or raise the limit",
        ),
        Reason::StoreUnavailable => (
            "the store can't be reached, or refuses",
            "check its address, port, user, password and table; redis-cli, psql or whatever the database's own client is, from the same machine, tells more",
        ),
        Reason::StoreTimeout => (
            "the store accepts connections and does not answer",
            "it is overloaded, stopped, or something else listens there",
        ),
        Reason::StorePanicked => (
            "the store panicked: one of your own, most likely",
            "look for the panic in the server's stderr",
        ),
        Reason::Overloaded => (
            "more sessions are asked for at once than the store answers in time",
            "look at the store's latency; .max_store_loads and .max_queued_loads are the limits",
        ),
        Reason::LoadAbandoned => {
            ("the server's runtime was shutting down while the store was asked", "ask again")
        }
        Reason::NoStore => (
            "a session source of your own finds sessions that are in a store, and says that it needs none",
            "let its `needs_store` return true, and give .store(…)",
        ),
        Reason::Revoked => (
            "an operator revoked the session, or all that the user was connected with",
            "log in again: that gives another session",
        ),
        Reason::SessionNotFound => (
            "the user has logged out, or the session has expired and its store has removed it",
            "take the cookie that the browser has now",
        ),
        Reason::SessionKeepsChanging => (
            "the session is written, or its user loaded anew, again and again while a client connects",
            "find out which request of the app saves the session without a pause",
        ),
        Reason::AnswerTooOld => (
            "the store takes longer than half of `max_stale`, or the session changes each time while the deserializer and `success` take long",
            "make them quicker, or .max_stale longer",
        ),
        Reason::CutOff => (
            "this node has not reached the Redis of the cluster for as long as its outage grace and `max_stale`",
            "bring that Redis back; with .serve_when_cut_off() the node goes on without it",
        ),
        Reason::CorruptSession => (
            "something else than express-session writes under this key, or the store has a `serializer` of its own or encrypts",
            "look at the record itself; the app's own middleware fails on it, too",
        ),
        Reason::SessionExpired => (
            "the session's time is over, by the store's own rule",
            "log in again; sockets do not prolong a session by themselves (see touch)",
        ),
        Reason::NotLoggedIn => (
            "there is no user in the session, or elsewhere than --user-pointer says",
            "log in, and take the cookie from after that",
        ),
        Reason::DeserializerFailed => (
            "your deserializer gave an error, or takes another type than the session's user key has",
            "the field `why` in the server's log has the error",
        ),
        Reason::DeserializerTimeout => (
            "your deserializer gave no answer in time",
            "look at what it waits for, the users' database usually; .deserializer_timeout is the limit",
        ),
        Reason::DeserializerPanicked => {
            ("your deserializer panicked", "look for the panic in the server's stderr")
        }
        Reason::UserNotFound => (
            "the session's user is in your database no more",
            "log in again, with an account that exists",
        ),
        Reason::UserIdPanicked => {
            ("your `user_id` closure panicked", "look for the panic in the server's stderr")
        }
        Reason::Rejected => (
            "your `success` hook said no",
            "the client reads the text of its `Reject`; ask the hook's own rule",
        ),
        Reason::SuccessTimeout => {
            ("your `success` hook gave no answer in time", "look at what it waits for")
        }
        Reason::SuccessPanicked => {
            ("your `success` hook panicked", "look for the panic in the server's stderr")
        }
        Reason::TooManyConnections => (
            "the user has as many connections as .max_connections_per_user allows",
            "close another one, or use OverLimit::EvictOldest",
        ),
        Reason::LoginEnded => (
            "the login ended in the moment in which its socket was connected",
            "log in again, if it has not just been done",
        ),
    };
    hint(cause, fix)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_hint_of_its_own() {
        let hints = || Reason::ALL.iter().map(|reason| usual(*reason));
        assert!(hints().all(|hint| !hint.cause.is_empty() && !hint.fix.is_empty()));
        let causes: HashSet<_> = hints().map(|hint| hint.cause).collect();
        assert_eq!(causes.len(), Reason::ALL.len());
    }
}
