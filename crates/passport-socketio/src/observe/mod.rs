//! What an operator gets to see: every decision, every end, and how well it all goes.
//!
//! Each thing that happens is told three times over, by one call from where it happened:
//!
//! 1. as an event of [`tracing`](https://docs.rs/tracing), for logs (`events`);
//! 2. in counters, gauges and histograms of the [`metrics`](https://docs.rs/metrics) crate, with the
//!    feature `metrics` (`metrics`);
//! 3. to the app's [`audit`](crate::AuthorizerBuilder::audit) hook, as an [`AuditEvent`].
//!
//! All names are in `docs/observability.md`, and here: nothing outside this module writes an event or
//! counts. A session appears as a short hash of its id, a user only where
//! [`log_user_ids`](crate::AuthorizerBuilder::log_user_ids) asks for it, and what clients can choose
//! is escaped. Cookies, secrets and session ids never appear, at no level.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use express_session::SessionId;
#[cfg(feature = "redis")]
use express_session::SidHash;

use crate::model::{AuthorizeError, Ended, Failure, UserKey};

mod audit;
pub(crate) mod events;
mod links;
pub(crate) mod metrics;
#[cfg(feature = "redis")]
pub(crate) mod nodes;
mod recorder;
mod repeats;
mod subject;
mod tally;
mod text;

pub use audit::{AuditEvent, AuditKind};

pub(crate) use links::{Feed, Outage, Promise};
pub(crate) use repeats::Repeats;
pub(crate) use subject::Subject;
pub(crate) use tally::Tally;

use audit::AuditHook;

/// Told of each socket that a login's end takes with it.
type EndHook = Arc<dyn Fn(&Ended<'_>) + Send + Sync>;

/// Whom an authorizer tells, and how much.
#[derive(Clone, Default)]
pub(crate) struct Observer {
    pub(crate) log_user_ids: bool,
    pub(crate) audit: Option<AuditHook>,
    pub(crate) on_end: Option<EndHook>,
    repeats: Repeats,
}

impl Observer {
    /// Somebody comes in.
    pub(crate) fn granted(&self, subject: &Subject<'_>) {
        events::granted(subject, self.shown(subject.user.as_ref()).as_deref());
        metrics::decision(subject.place, "granted", "granted");
        self.audit(&subject.event(AuditKind::Granted, "granted"));
    }

    /// Somebody comes in as a guest, because of this.
    pub(crate) fn guest(&self, subject: &Subject<'_>, failure: &Failure) {
        events::guest(subject, failure);
        metrics::decision(subject.place, "guest", failure.code());
        self.audit(&subject.event(AuditKind::Guest, failure.code()));
    }

    /// Somebody does not come in.
    pub(crate) fn refused(&self, subject: &Subject<'_>, failure: &Failure) {
        let user = self.shown(subject.user.as_ref());
        events::refused(subject, user.as_deref(), failure, &self.repeats);
        let (outcome, kind) = match failure {
            Failure::Denied(_) => ("denied", AuditKind::Denied),
            Failure::Error(_) => ("error", AuditKind::Failed),
        };
        metrics::decision(subject.place, outcome, failure.code());
        self.audit(&subject.event(kind, failure.code()));
    }

    /// A login has ended, and this socket with it. The app's `on_session_end` is told last.
    pub(crate) fn ended(&self, ended: &Ended<'_>, subject: &Subject<'_>) {
        events::ended(ended, self.shown(Some(ended.user)).as_deref());
        metrics::ended(ended.reason);
        self.audit(&subject.event(AuditKind::Ended, ended.reason.code()));
        if let Some(on_end) = &self.on_end {
            self.unpanicked("on_session_end", || on_end(ended));
        }
    }

    /// An operator, here or at another node, has ended a session. The error says why its store may
    /// still have it.
    pub(crate) fn revoked_session(
        &self,
        sid: &SessionId,
        sockets: usize,
        destroyed: Result<(), &AuthorizeError>,
    ) {
        let session = sid.hash();
        events::revoked_session(&session, sockets, destroyed.err());
        let code = if destroyed.is_ok() { "revoked" } else { "revoked_here" };
        self.audit(&AuditEvent {
            session: Some(session),
            ..AuditEvent::new(AuditKind::Revoked, code)
        });
    }

    /// Another node's operator has ended a session, and that node asks the store to forget it.
    #[cfg(feature = "redis")]
    pub(crate) fn obeyed_revocation(&self, session: SidHash, sockets: usize) {
        events::revoked_session(&session, sockets, None);
        let event = AuditEvent::new(AuditKind::Revoked, "revoked");
        self.audit(&AuditEvent { session: Some(session), ..event });
    }

    /// An operator has ended all that a user is logged in to.
    pub(crate) fn revoked_user(&self, user: &UserKey, sessions: usize, sockets: usize) {
        events::revoked_user(self.shown(Some(user)).as_deref(), sessions, sockets);
        self.audit(&AuditEvent {
            user: Some(user),
            ..AuditEvent::new(AuditKind::Revoked, "revoked")
        });
    }

    /// An operator has closed a user's sockets.
    pub(crate) fn disconnected_user(&self, user: &UserKey, sockets: usize) {
        events::disconnected_user(self.shown(Some(user)).as_deref(), sockets);
        let event = AuditEvent::new(AuditKind::Disconnected, "evicted");
        self.audit(&AuditEvent { user: Some(user), ..event });
    }

    /// A user was loaded anew.
    pub(crate) fn refreshed_user(&self, user: &UserKey, kept: usize, ended: usize) {
        events::refreshed_user(self.shown(Some(user)).as_deref(), kept, ended);
        let event = AuditEvent::new(AuditKind::Refreshed, "refreshed");
        self.audit(&AuditEvent { user: Some(user), ..event });
    }

    /// A user could not be loaded anew.
    pub(crate) fn could_not_refresh(&self, user: &UserKey, error: &AuthorizeError) {
        events::could_not_refresh(self.shown(Some(user)).as_deref(), error);
        let event = AuditEvent::new(AuditKind::Failed, error.code());
        self.audit(&AuditEvent { user: Some(user), ..event });
    }

    /// The store answers nothing.
    pub(crate) fn store_is_away(&self, error: &AuthorizeError, grace: Duration) -> Outage {
        Outage::begin(error, grace, &self.repeats)
    }

    /// It can't be told of a live session whether it stands.
    pub(crate) fn unreadable(&self, sid: &SessionId, error: &AuthorizeError) {
        events::unreadable(sid, error, &self.repeats);
    }

    pub(crate) fn not_touched(&self, sid: &SessionId, error: &AuthorizeError) {
        events::not_touched(sid, error, &self.repeats);
    }

    /// So many sockets were left behind by disconnect handlers that panicked.
    pub(crate) fn reaped(&self, sockets: usize) {
        events::reaped(sockets, &self.repeats);
    }

    pub(crate) fn keeper_panicked(&self) {
        events::keeper_panicked(&self.repeats);
    }

    /// Runs one of the app's hooks, which have no say in what happened.
    pub(crate) fn unpanicked(&self, hook: &'static str, run: impl FnOnce()) {
        unpanicked(hook, &self.repeats, run);
    }

    fn audit(&self, event: &AuditEvent<'_>) {
        if let Some(audit) = &self.audit {
            self.unpanicked("audit", || audit(event));
        }
    }

    /// A user's key, where logs may have it.
    fn shown<'u>(&self, user: Option<&'u UserKey>) -> Option<Cow<'u, str>> {
        user.filter(|_| self.log_user_ids).map(|user| text::safe(user.as_json()))
    }
}

fn unpanicked(hook: &'static str, repeats: &Repeats, run: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(run)).is_err() {
        events::panicked(hook, repeats);
    }
}

#[cfg(test)]
mod tests;
