//! The names of events, their fields and spans.
//!
//! Targets: `passport_socketio::decision`, `::live`, `::operator`, `::cluster`, `::config`. Fields:
//! `code`, `place`, `namespace`, `session` (a short hash), `user` (if asked for), `reason` (in words),
//! `why` (an error and what caused it), and counts.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use express_session::{SessionId, SidHash};
use tracing::{Span, debug, debug_span, error, info, warn};

use super::Subject;
use super::text::{chain, safe};
use crate::live::Ended;
use crate::{AuthorizeError, Failure};

const DECISION: &str = "passport_socketio::decision";
const LIVE: &str = "passport_socketio::live";
const OPERATOR: &str = "passport_socketio::operator";
#[cfg(feature = "redis")]
const CLUSTER: &str = "passport_socketio::cluster";
const CONFIG: &str = "passport_socketio::config";

type User<'u> = Option<Cow<'u, str>>;

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

pub(super) fn granted(subject: &Subject<'_>, user: User<'_>) {
    let Subject { place, namespace, session, .. } = subject;
    let (namespace, user) = (namespace.map(safe), user.as_deref());
    let (namespace, session) = (namespace.as_deref(), short(session.as_ref()));
    info!(target: DECISION, code = "granted", place, namespace, session, user, "connected");
}

pub(super) fn guest(subject: &Subject<'_>, failure: &Failure) {
    let Subject { place, namespace, session, .. } = subject;
    let (code, namespace) = (failure.code(), namespace.map(safe));
    let (namespace, session) = (namespace.as_deref(), short(session.as_ref()));
    info!(target: DECISION, code, place, namespace, session, "connected as a guest");
}

pub(super) fn refused(subject: &Subject<'_>, user: User<'_>, failure: &Failure) {
    let Subject { place, namespace, session, .. } = subject;
    let (namespace, user) = (namespace.map(safe), user.as_deref());
    let (namespace, session) = (namespace.as_deref(), short(session.as_ref()));
    let (code, reason) = (failure.code(), failure.to_string());
    let reason = &*safe(&reason);
    if failure.is_error() {
        let why = failure.source().map(chain);
        warn!(
            target: DECISION,
            code, place, namespace, session, user, reason, why, "could not tell: refused"
        );
    } else {
        info!(target: DECISION, code, place, namespace, session, user, reason, "refused");
    }
}

// Live sessions.

pub(super) fn ended(ended: &Ended<'_>, user: User<'_>) {
    let (code, reconnect) = (ended.reason.code(), ended.reason.reconnect());
    let (namespace, session) = (&*safe(ended.namespace), ended.session.hash().short());
    let user = user.as_deref();
    info!(target: LIVE, code, reconnect, namespace, session, user, "the login ended");
}

pub(crate) fn unreadable(sid: &SessionId, error: &AuthorizeError) {
    let (code, session, why) = (error.code(), sid.hash().short(), chain(error));
    warn!(target: LIVE, code, session, why, "a live session can't be read");
}

pub(crate) fn not_touched(sid: &SessionId, error: &AuthorizeError) {
    let (code, session, why) = (error.code(), sid.hash().short(), chain(error));
    warn!(target: LIVE, code, session, why, "a session could not be touched");
}

pub(crate) fn store_is_away(error: &AuthorizeError, grace: Duration) {
    let (code, why) = (error.code(), chain(error));
    warn!(target: LIVE, code, why, ?grace, "the store is away: live sessions stay for a grace");
}

pub(crate) fn store_stayed_away(sockets: usize) {
    let code = "store_unavailable";
    error!(target: LIVE, code, sockets, "the store stayed away: live sessions are closed");
}

pub(crate) fn store_is_back(after: Duration) {
    info!(target: LIVE, ?after, "the store is back");
}

pub(super) fn feed_listens() {
    info!(target: LIVE, "listening to a feed of changes");
}

pub(super) fn feed_was_lost(error: &dyn Error) {
    warn!(target: LIVE, why = chain(error), "listening again soon; the sweep goes on");
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

pub(crate) fn reaped(sockets: usize) {
    warn!(target: LIVE, sockets, "disconnect handlers panicked: cleaned up after them");
}

/// In code of the app.
pub(crate) fn panicked(hook: &'static str) {
    error!(target: LIVE, hook, "the app's {hook} panicked");
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

pub(super) fn revoked_user(user: User<'_>, sessions: usize, sockets: usize) {
    info!(target: OPERATOR, user = user.as_deref(), sessions, sockets, "a user was revoked");
}

pub(super) fn disconnected_user(user: User<'_>, sockets: usize) {
    info!(target: OPERATOR, user = user.as_deref(), sockets, "a user was disconnected");
}

pub(super) fn refreshed_user(user: User<'_>, kept: usize, ended: usize) {
    info!(target: OPERATOR, user = user.as_deref(), kept, ended, "a user was loaded anew");
}

pub(super) fn could_not_refresh(user: User<'_>, error: &AuthorizeError) {
    let (user, code, why) = (user.as_deref(), error.code(), chain(error));
    warn!(target: OPERATOR, user, code, why, "a user could not be loaded anew");
}

// The nodes.

#[cfg(feature = "redis")]
pub(crate) fn nodes_answered(order: &'static str, answers: usize, missing: usize, reached: bool) {
    if reached && missing == 0 {
        debug!(target: CLUSTER, order, answers, "all nodes have answered");
    } else {
        warn!(target: CLUSTER, order, answers, missing, reached, "not all nodes have answered");
    }
}

#[cfg(feature = "redis")]
pub(crate) fn nodes_not_reached(error: &dyn Error) {
    error!(target: CLUSTER, why = chain(error), "the other nodes were not reached");
}

#[cfg(feature = "redis")]
pub(crate) fn message_ignored() {
    warn!(target: CLUSTER, "a message among the nodes was none of this cluster, or old: ignored");
}

#[cfg(feature = "redis")]
pub(crate) fn answer_lost(error: &dyn Error) {
    warn!(target: CLUSTER, why = chain(error), "an order was obeyed, and its answer lost");
}

#[cfg(feature = "redis")]
pub(crate) fn nodes_redis_is_away(error: &dyn Error) {
    warn!(target: CLUSTER, why = chain(error), "the nodes' Redis is away");
}

#[cfg(feature = "redis")]
pub(crate) fn nodes_redis_is_back() {
    info!(target: CLUSTER, "the nodes' Redis is back");
}

// Settings that deserve a warning.

pub(crate) fn insecure_query() {
    warn!(
        target: CONFIG,
        "session ids are accepted in URLs (insecure_session_id_query): they end up in logs"
    );
}

pub(crate) fn no_peer_to_trust() {
    warn!(
        target: CONFIG,
        "trust_proxy has no effect: requests carry no ConnectInfo and no PeerAddr"
    );
}
