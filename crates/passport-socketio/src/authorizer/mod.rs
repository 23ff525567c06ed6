//! The decision: who is it, and may they in?
//!
//! Twelve checks, in this order. Nothing expensive happens before something cheap could have
//! refused, and a request that fails 1 to 4 never reaches the store.
//!
//! | # | check | code | kind | the client reads | guest? |
//! |---|---|---|---|---|---|
//! | 1 | the origin is allowed | `origin_not_allowed` | denied | `forbidden` | never |
//! | 2 | there is a session cookie | `no_session_cookie` | denied | `unauthorized` | yes |
//! | 3 | it is well formed, within limits | `malformed_cookie` | denied | `unauthorized` | yes |
//! | 4 | one of the secrets signed it | `bad_signature` | denied | `unauthorized` | yes |
//! | 5 | the store answers in time | `store_unavailable`, `store_timeout` | error | `try_again` | never |
//! | 6 | the session exists | `session_not_found` | denied | `unauthorized` | yes |
//! | 7 | it is readable, within limits | `corrupt_session` | error | `server_error` | never |
//! | 8 | it has not expired | `session_expired` | denied | `unauthorized` | yes |
//! | 9 | a user is logged in | `not_logged_in` | denied | `unauthorized` | yes |
//! | 10 | the deserializer answers | `deserializer_failed`, `deserializer_timeout` | error | `try_again` | never |
//! | 11 | it found a user | `user_not_found` | denied | `unauthorized` | yes |
//! | 12 | `success` agrees | `rejected` | denied | the app's own text | never |
//!
//! "guest?" says what [`optional`](crate::Authorizer::optional) makes of it, or `fail` may: a
//! guest is who could have come as one by dropping the cookie. An error never makes a guest.
//!
//! This module does no input or output of its own and knows no socket: it is given the request, the
//! store, the deserializer and the clock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use express_session::source::{CookieFault, SessionSource};
use express_session::store::{SessionStore, StoreError, StoredSession};
use express_session::{Clock, RecordLimits, SessionId};
use futures_util::FutureExt as _;
use http::request::Parts;
use serde_json::Value;
use tokio::time::timeout;

mod hooks;
mod identity;
mod origin;
mod outcome;
mod request;
mod user;
mod user_key;

#[cfg(test)]
mod tests;

pub use hooks::{Candidate, Reject, Verdict};
pub use identity::{Identity, Session};
pub use origin::PeerAddr;
pub use outcome::{AuthorizeError, Decision, Denial, Failure};
pub use user::DeserializeUser;
pub use user_key::UserKey;

pub(crate) use hooks::{Answer, FailHook, SuccessHook, success_hook};
pub(crate) use origin::{Origin, OriginPolicy};
pub(crate) use request::CookieContext;
pub(crate) use user::{AsyncFnDeserializer, BoxError};

/// What every decision needs, checked and ready.
pub(crate) struct Decider<U> {
    pub(crate) origins: OriginPolicy,
    pub(crate) source: Arc<dyn SessionSource>,
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) deserializer: Arc<dyn DeserializeUser<U>>,
    pub(crate) user_pointer: Box<str>,
    pub(crate) user_id: Option<Arc<dyn Fn(&U) -> UserKey + Send + Sync>>,
    pub(crate) success: Option<SuccessHook<U>>,
    pub(crate) fail: Option<FailHook>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
}

/// How large, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Real browsers send less than 4 KiB per cookie; Node itself stops at 16 KiB of headers.
    pub(crate) cookie_header: usize,
    pub(crate) record: RecordLimits,
    /// A store that takes longer is as good as down for the person who waits.
    pub(crate) store_timeout: Duration,
    /// Deserializers ask databases, which may be cold.
    pub(crate) deserializer_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cookie_header: 8 * 1024,
            record: RecordLimits::default(),
            store_timeout: Duration::from_secs(2),
            deserializer_timeout: Duration::from_secs(5),
        }
    }
}

impl<U: Send + Sync + 'static> Decider<U> {
    /// Checks 1 to 4: whose session does the request claim? Asks nobody.
    pub(crate) fn identify(&self, request: &Parts) -> Result<SessionId, Denial> {
        let provenance = self.origins.check(request)?;
        let cookies = CookieContext::of(request);
        if cookies.len() > self.limits.cookie_header {
            return Err(Denial::MalformedCookie("the cookie header is too large"));
        }
        let claim = cookies.as_request().with_query(request.uri.query());
        self.source.locate(&claim).map_err(|fault| match fault {
            CookieFault::Missing => Denial::NoSessionCookie {
                cross_origin: provenance.cross_origin,
            },
            CookieFault::Malformed(why) => Denial::MalformedCookie(why),
            _ => Denial::BadSignature,
        })
    }

    /// Checks 5 to 11: is that session alive, and who is logged in?
    pub(crate) async fn resolve(
        &self,
        sid: SessionId,
        request: &Parts,
    ) -> Result<Identity<U>, Failure> {
        let (session, key) = self.load(sid).await?;
        let user = self
            .deserialize(&key, request)
            .await?
            .ok_or(Denial::UserNotFound)?;
        let user_key = match &self.user_id {
            Some(user_id) => catch_unwind(AssertUnwindSafe(|| user_id(&user)))
                .map_err(|_panic| deserializer_panicked())?,
            None => UserKey::from(key),
        };
        Ok(Identity::new(user, user_key, session))
    }

    /// Checks 5 to 9.
    async fn load(&self, sid: SessionId) -> Result<(Session, Value), Failure> {
        let stored = self.ask_store(&sid).await?.ok_or(Denial::SessionNotFound)?;
        let record = self
            .source
            .read(stored.payload(), &self.limits.record)
            .map_err(AuthorizeError::CorruptSession)?
            .ok_or(Denial::SessionNotFound)?;
        let now = self.clock.now();
        if let Some(at) = stored.life().ended_at(now) {
            return Err(Denial::SessionExpired { at, now }.into());
        }
        let key = record
            .pointer(&self.user_pointer)
            .map_err(AuthorizeError::CorruptSession)?;
        let session = Session::new(sid, record, stored.life());
        match key {
            Some(key) if is_user(&key) => Ok((session, key)),
            _ => Err(Denial::NotLoggedIn { session }.into()),
        }
    }

    /// Check 5. A store that panics could not tell.
    async fn ask_store(&self, sid: &SessionId) -> Result<Option<StoredSession>, AuthorizeError> {
        let after = self.limits.store_timeout;
        let load = AssertUnwindSafe(async { self.store.load(sid).await }).catch_unwind();
        match timeout(after, load).await {
            Ok(Ok(Ok(stored))) => Ok(stored),
            Ok(Ok(Err(error))) => Err(AuthorizeError::StoreUnavailable(error)),
            Ok(Err(_panic)) => Err(AuthorizeError::StoreUnavailable(StoreError::message(
                "it panicked",
            ))),
            Err(_) => Err(AuthorizeError::StoreTimeout { after }),
        }
    }

    /// Check 10.
    async fn deserialize(&self, key: &Value, request: &Parts) -> Result<Option<U>, AuthorizeError> {
        let after = self.limits.deserializer_timeout;
        let ask = async { self.deserializer.deserialize_user(key, request).await };
        match timeout(after, AssertUnwindSafe(ask).catch_unwind()).await {
            Ok(Ok(Ok(user))) => Ok(user),
            Ok(Ok(Err(error))) => Err(AuthorizeError::DeserializerFailed(error.into())),
            Ok(Err(_panic)) => Err(deserializer_panicked()),
            Err(_) => Err(AuthorizeError::DeserializerTimeout { after }),
        }
    }

    /// Check 12, for one namespace. An app's policy that panics has not agreed.
    pub(crate) async fn admit(
        &self,
        identity: &Identity<U>,
        namespace: &str,
    ) -> Result<(), Denial> {
        let Some(success) = &self.success else {
            return Ok(());
        };
        let candidate = Candidate::new(identity.clone(), namespace);
        let verdict = AssertUnwindSafe(async { success(candidate).await })
            .catch_unwind()
            .await;
        verdict
            .unwrap_or_else(|_panic| Err(Reject::panicked()))
            .map_err(Denial::Rejected)
    }

    /// What `fail` makes of a failure. A hook that panics refuses.
    pub(crate) fn verdict(&self, failure: &Failure) -> Verdict {
        let Some(fail) = &self.fail else {
            return Verdict::refuse();
        };
        catch_unwind(AssertUnwindSafe(|| fail(failure))).unwrap_or(Verdict::refuse())
    }
}

fn deserializer_panicked() -> AuthorizeError {
    AuthorizeError::DeserializerFailed(Arc::from(BoxError::from("it panicked")))
}

/// Passport's rule (`lib/strategies/session.js`, 0.7): `su || su === 0`.
fn is_user(key: &Value) -> bool {
    !matches!(key, Value::Null | Value::Bool(false)) && key != ""
}
