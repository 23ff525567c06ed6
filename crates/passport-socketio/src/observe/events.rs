//! The names of events, their fields and spans.
//!
//! Targets: `passport_socketio::decision`, `::live`, `::operator`, `::config` (and `::cluster`). Fields:
//! `code`, `place`, `namespace`, `session` (a short hash), `user` (if asked for), `reason` (in words),
//! `why` (an error and what caused it), and counts.

use std::error::Error;
use std::time::Duration;

use express_session::{SessionId, SidHash};
use tracing::{Span, debug, debug_span, error, info, warn};

use super::Subject;
use super::repeats::{EVERY, Repeats, Warning};
use super::text::{chain, safe};
use crate::model::{AuthorizeError, Ended, Failure};

const DECISION: &str = "passport_socketio::decision";
const LIVE: &str = "passport_socketio::live";
const OPERATOR: &str = "passport_socketio::operator";
const CONFIG: &str = "passport_socketio::config";
#[cfg(feature = "redis")]
pub(super) const CLUSTER: &str = "passport_socketio::cluster";

/// An event that is told at its level the first time, and at `debug` when it is repeated.
macro_rules! told {
    ($first:expr, $level:ident, $($event:tt)+) => {
        if $first {
            tracing::$level!($($event)+);
        } else {
            tracing::debug!($($event)+);
        }
    };
}
#[cfg(feature = "redis")]
pub(super) use told;

/// An event at the target of this warning.
macro_rules! at {
    ($warning:expr, $level:ident, $($event:tt)+) => {
        match $warning {
            Warning::Refused => tracing::$level!(target: DECISION, $($event)+),
            Warning::Unreadable
            | Warning::NotTouched
            | Warning::StoreIsAway
            | Warning::FeedWasLost
            | Warning::Reaped
            | Warning::Panicked
            | Warning::KeeperPanicked => tracing::$level!(target: LIVE, $($event)+),
            #[cfg(feature = "redis")]
            Warning::NodesAway
            | Warning::NotReached
            | Warning::NotTold
            | Warning::NotAllAnswered
            | Warning::MessageIgnored
            | Warning::AnswerLost => tracing::$level!(target: CLUSTER, $($event)+),
        }
    };
}

fn short(session: Option<&SidHash>) -> Option<String> {
    session.map(SidHash::short)
}

// Spans.

/// Around the look-up that the layer makes when a connection is opened.
pub(crate) fn handshake_span() -> Span {
    debug_span!(target: DECISION, "handshake", session = tracing::field::Empty)
}

/// Around all that the connect middleware does.
pub(crate) fn connect_span(namespace: &str) -> Span {
    let namespace = &*safe(namespace);
    debug_span!(target: DECISION, "connect", namespace, session = tracing::field::Empty)
}

/// Around a question of the app's own.
pub(crate) fn authorize_span() -> Span {
    debug_span!(target: DECISION, "authorize", session = tracing::field::Empty)
}

/// The signature is valid: from here on the span has a session.
pub(crate) fn located(session: &SidHash) {
    let span = Span::current();
    if !span.is_disabled() {
        span.record("session", session.short());
    }
}

// Decisions.

/// Cookies of one name and other paths or domains, or somebody who tries out what counts.
pub(crate) fn several_cookies(cookies: usize) {
    info!(target: DECISION, cookies, "several session cookies: the first one counts");
}

pub(super) fn granted(subject: &Subject<'_>, user: Option<&str>) {
    let Subject { place, namespace, session, .. } = subject;
    let namespace = namespace.map(safe);
    let (namespace, session) = (namespace.as_deref(), short(session.as_ref()));
    info!(target: DECISION, code = "granted", place, namespace, session, user, "connected");
}

pub(super) fn guest(subject: &Subject<'_>, failure: &Failure) {
    let Subject { place, namespace, session, .. } = subject;
    let (code, namespace) = (failure.code(), namespace.map(safe));
    let (namespace, session) = (namespace.as_deref(), short(session.as_ref()));
    info!(target: DECISION, code, place, namespace, session, "connected as a guest");
}

/// An error is told in full the `first` time.
pub(super) fn refused(
    subject: &Subject<'_>,
    user: Option<&str>,
    failure: &Failure,
    repeats: &Repeats,
) {
    let Subject { place, namespace, session, .. } = subject;
    let namespace = namespace.map(safe);
    let (namespace, session) = (namespace.as_deref(), short(session.as_ref()));
    let (code, reason) = (failure.code(), failure.to_string());
    let reason = &*safe(&reason);
    if failure.is_error() {
        let why = failure.source().map(chain);
        told!(
            repeats.is_first(Warning::Refused, code),
            warn,
            target: DECISION,
            code, place, namespace, session, user, reason, why, "could not tell: refused"
        );
    } else {
        info!(target: DECISION, code, place, namespace, session, user, reason, "refused");
    }
}

// Live sessions.

pub(super) fn ended(ended: &Ended<'_>, user: Option<&str>) {
    let (code, reconnect) = (ended.reason.code(), ended.reason.reconnect());
    let (namespace, session) = (&*safe(ended.namespace), ended.session.hash().short());
    info!(target: LIVE, code, reconnect, namespace, session, user, "the login ended");
}

pub(super) fn unreadable(sid: &SessionId, error: &AuthorizeError, repeats: &Repeats) {
    let (code, session, why) = (error.code(), sid.hash().short(), chain(error));
    let first = repeats.is_first(Warning::Unreadable, code);
    told!(first, warn, target: LIVE, code, session, why, "a live session can't be read");
}

pub(super) fn not_touched(sid: &SessionId, error: &AuthorizeError, repeats: &Repeats) {
    let (code, session, why) = (error.code(), sid.hash().short(), chain(error));
    let first = repeats.is_first(Warning::NotTouched, code);
    told!(first, warn, target: LIVE, code, session, why, "a session could not be touched");
}

/// Whether it was told, and not counted only.
pub(super) fn store_is_away(error: &AuthorizeError, grace: Duration, repeats: &Repeats) -> bool {
    let (code, why) = (error.code(), chain(error));
    let first = repeats.is_first(Warning::StoreIsAway, code);
    told!(
        first,
        warn,
        target: LIVE,
        code, why, ?grace, "the store is away: live sessions stay for a grace"
    );
    first
}

pub(crate) fn store_stayed_away(sockets: usize) {
    let code = "store_unavailable";
    error!(target: LIVE, code, sockets, "the store stayed away: live sessions are closed");
}

pub(super) fn store_is_back(after: Duration, was_told: bool) {
    told!(was_told, info, target: LIVE, ?after, "the store is back");
}

pub(super) fn lookups_are_late(max_stale: Duration) {
    warn!(
        target: LIVE,
        ?max_stale,
        "the store is too slow for so many live sessions: they are looked up later than max_stale promises"
    );
}

pub(super) fn lookups_are_in_time(after: Duration, late: u64) {
    info!(target: LIVE, ?after, late, "live sessions are looked up in time again");
}

pub(super) fn feed_listens() {
    info!(target: LIVE, "listening to a feed of changes");
}

pub(super) fn feed_was_lost(error: &dyn Error, repeats: &Repeats) {
    let (why, first) = (chain(error), repeats.is_first(Warning::FeedWasLost, "feed_lost"));
    told!(first, warn, target: LIVE, why, "listening again soon; the sweep goes on");
}

pub(super) fn feed_was_refused(error: &dyn Error, max_stale: Duration) {
    let why = chain(error);
    warn!(
        target: LIVE,
        why,
        ?max_stale,
        "logins that end are found by the sweep alone, within max_stale"
    );
}

pub(super) fn reaped(sockets: usize, repeats: &Repeats) {
    let first = repeats.is_first(Warning::Reaped, "disconnect_handler_panicked");
    told!(first, warn, target: LIVE, sockets, "disconnect handlers panicked: cleaned up after them");
}

/// In code of the app.
pub(super) fn panicked(hook: &'static str, repeats: &Repeats) {
    let first = repeats.is_first(Warning::Panicked, hook);
    told!(first, error, target: LIVE, hook, "the app's {hook} panicked");
}

pub(super) fn keeper_panicked(repeats: &Repeats) {
    let first = repeats.is_first(Warning::KeeperPanicked, "keeper_panicked");
    told!(first, error, target: LIVE, "looking after the live sessions panicked: it begins anew");
}

/// Of a transport, by us.
pub(crate) fn cut(why: &'static str) {
    debug!(target: LIVE, why, "the connection is closed");
}

// What is repeated.

/// So many more since it was told last.
pub(super) fn goes_on(warning: Warning, code: &'static str, times: u64) {
    let (what, seconds) = (warning.what(), EVERY.as_secs());
    at!(warning, warn, code, what, times, seconds, "this goes on: counted, not told one by one");
}

/// So many in all.
pub(super) fn is_over(warning: Warning, code: &'static str, times: u64, lasted: Duration) {
    let (what, seconds) = (warning.what(), lasted.as_secs());
    at!(warning, warn, code, what, times, seconds, "this is over");
}

impl Warning {
    /// The message that it was told with at first.
    fn what(self) -> &'static str {
        match self {
            Self::Refused => "could not tell: refused",
            Self::Unreadable => "a live session can't be read",
            Self::NotTouched => "a session could not be touched",
            Self::StoreIsAway => "the store is away: live sessions stay for a grace",
            Self::FeedWasLost => "listening again soon; the sweep goes on",
            Self::Reaped => "disconnect handlers panicked: cleaned up after them",
            Self::Panicked => "the app's … panicked",
            Self::KeeperPanicked => "looking after the live sessions panicked: it begins anew",
            #[cfg(feature = "redis")]
            Self::NodesAway => "the nodes' Redis is away",
            #[cfg(feature = "redis")]
            Self::NotReached => "the other nodes were not reached",
            #[cfg(feature = "redis")]
            Self::NotTold => "the other nodes were not told",
            #[cfg(feature = "redis")]
            Self::NotAllAnswered => "not all nodes have answered",
            #[cfg(feature = "redis")]
            Self::MessageIgnored => {
                "a message among the nodes was none of this cluster, or old: ignored"
            }
            #[cfg(feature = "redis")]
            Self::AnswerLost => "an order was obeyed, and its answer lost",
        }
    }
}

// Operators.

pub(super) fn revoked_session(session: &SidHash, sockets: usize, left: Option<&AuthorizeError>) {
    let session = session.short();
    match left {
        None => info!(target: OPERATOR, session, sockets, "a session was revoked"),
        Some(error) => {
            let (code, why) = (error.code(), chain(error));
            error!(
                target: OPERATOR,
                code,
                session,
                sockets,
                why,
                "a revoked session could not be destroyed: denied here"
            );
        }
    }
}

pub(super) fn revoked_user(user: Option<&str>, sessions: usize, sockets: usize) {
    info!(target: OPERATOR, user, sessions, sockets, "a user was revoked");
}

pub(super) fn disconnected_user(user: Option<&str>, sockets: usize) {
    info!(target: OPERATOR, user, sockets, "a user was disconnected");
}

pub(super) fn refreshed_user(user: Option<&str>, kept: usize, ended: usize) {
    info!(target: OPERATOR, user, kept, ended, "a user was loaded anew");
}

pub(super) fn could_not_refresh(user: Option<&str>, error: &AuthorizeError) {
    let (code, why) = (error.code(), chain(error));
    warn!(target: OPERATOR, user, code, why, "a user could not be loaded anew");
}

// Settings that deserve a warning.

pub(crate) fn insecure_query() {
    warn!(
        target: CONFIG,
        "session ids are accepted in URLs (insecure_session_id_query): they end up in logs"
    );
}

pub(crate) fn insecure_null_origin() {
    warn!(
        target: CONFIG,
        "pages without an origin are allowed (insecure_null_origin): any site can make one in a frame"
    );
}

/// Of the layer that holds socketioxide's. `path` is without the slash at its end.
pub(crate) fn another_path(path: &str) {
    error!(
        target: CONFIG,
        path = format!("{path}/"),
        "socketioxide is at another path, and can't be reached: give .path() its req_path"
    );
}

/// The gates let nobody in.
pub(crate) fn not_attached(error: &dyn Error) {
    error!(
        target: CONFIG,
        why = chain(error),
        "this authorizer can't serve here, and lets nobody in"
    );
}

/// `path` is without the slash at its end.
pub(crate) fn passed_no_layer(path: &str) {
    warn!(
        target: CONFIG,
        path = format!("{path}/"),
        "a socket has not passed the layer, which guards another path: give .path() the socket's"
    );
}

/// From a client that was let in. `bytes` is the largest of its three limits.
pub(crate) fn takes_large_messages(bytes: u64) {
    warn!(
        target: CONFIG,
        bytes,
        "socketioxide takes messages of more than 1 MB: set max_payload, ws_max_message_size, ws_max_frame_size"
    );
}

pub(crate) fn no_address_to_count() {
    warn!(
        target: CONFIG,
        "limits by address have no effect: requests carry no ConnectInfo and no PeerAddr"
    );
}

pub(crate) fn no_peer_to_trust() {
    warn!(
        target: CONFIG,
        "trust_proxy has no effect: requests carry no ConnectInfo and no PeerAddr"
    );
}
