//! The twelve checks, made one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use express_session::source::{CookieFault, Located, SessionSource};
use express_session::store::{Life, StoredSession};
use express_session::{Clock, SessionId};
use futures_util::FutureExt as _;
use http::request::Parts;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::trace::LaterRequest;
use super::{
    AnswerAge, CookieContext, DeserializeUser, Limits, Loads, NoLogin, NotOwner, OriginPolicy,
    Owner, Provenance, Readings, StoreAccess, Trace,
};
use crate::model::{
    AuthorizeError, Candidate, Check, Denial, FailHook, Failure, Identity, Session, SuccessHook,
    UserIdHook, UserKey, Verdict,
};
use crate::observe::metrics;

/// How long `success` may take: longer than any client waits for it.
const SUCCESS: Duration = Duration::from_secs(300);

/// What every decision needs, checked and ready.
pub(crate) struct Decider<U> {
    pub(crate) origins: OriginPolicy,
    pub(crate) source: Arc<dyn SessionSource>,
    /// For what is asked after a handshake, past the crowd of those.
    pub(crate) store: StoreAccess,
    /// What sockets hold of its answers.
    pub(crate) readings: Readings,
    /// How handshakes ask it.
    pub(crate) loads: Arc<Loads>,
    pub(crate) deserializer: Arc<dyn DeserializeUser<U>>,
    pub(crate) user_pointer: Box<str>,
    pub(crate) user_id: Option<UserIdHook<U>>,
    pub(crate) success: Option<SuccessHook<U>>,
    pub(crate) fail: Option<FailHook>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
}

impl<U: Send + Sync + 'static> Decider<U> {
    /// Checks 1 to 4: whose session does the request claim? Asks neither the store nor the app.
    ///
    /// `provenance` is what check 1 found, where the layer has made it.
    pub(crate) fn identify(
        &self,
        request: &Parts,
        provenance: Option<Provenance>,
        trace: &mut impl Trace,
    ) -> Result<Located, Failure> {
        let provenance = match provenance {
            Some(checked) => checked,
            None => self.origins.check(request)?,
        };
        trace.passed(Check::Origin, || provenance.to_string());
        let cookies = CookieContext::of(request, self.limits.cookie_header);
        if cookies.is_too_large(self.limits.cookie_header) {
            return Err(Denial::MalformedCookie("the cookie header is too large").into());
        }
        if cookies.are_more_than(self.limits.cookies) {
            return Err(Denial::MalformedCookie("there are too many cookies").into());
        }
        let claim = cookies.as_request(&request.uri);
        let located = unpanicked(Check::Cookie, || {
            if let Some(several @ 2..) = self.source.cookie_name().map(|name| cookies.count(name)) {
                trace.has_several_cookies(several);
            }
            self.source.locate(&claim)
        })?;
        if located != Err(CookieFault::Missing) {
            trace.passed(Check::Cookie, || cookies.describe());
        }
        if matches!(located, Ok(_) | Err(CookieFault::BadSignature)) {
            trace.passed(Check::CookieForm, String::new);
        }
        let cross_origin = provenance.is_cross_origin();
        let located = located.map_err(|fault| {
            fault.fold(
                || Denial::NoSessionCookie { cross_origin },
                Denial::MalformedCookie,
                || Denial::BadSignature,
            )
        })?;
        let hash = || located.id().hash().short();
        trace.passed(Check::Signature, || format!("of the session #{}", hash()));
        Ok(located)
    }

    /// Checks 5 to 11: is that session alive, and who is logged in? With how old that is. Of
    /// whom was found `before`, and nothing is different but the session's expiry, the user is not
    /// loaded again.
    pub(crate) async fn resolve(
        &self,
        located: Located,
        request: &Parts,
        before: Option<&Identity<U>>,
        trace: &mut impl Trace,
    ) -> Result<(Identity<U>, AnswerAge), Failure> {
        let (session, key, age) = self.load(located, trace).await?;
        if let Some(before) = before
            && session.says_the_same_as(before.session())
        {
            return Ok((before.in_session(session), age));
        }
        let user = self.deserialize(&key, request).await?;
        trace.passed(Check::Deserializer, String::new);
        let user = user.ok_or(Denial::UserNotFound)?;
        let user_key = self.key_of(&user, &session)?;
        trace.passed(Check::User, String::new);
        Ok((Identity::new(Arc::new(user), user_key, session), age))
    }

    /// Checks 5 to 9.
    async fn load(
        &self,
        located: Located,
        trace: &mut impl Trace,
    ) -> Result<(Session, Arc<Value>, AnswerAge), Failure> {
        let began = Instant::now();
        let (sid, stored, asked) = match located {
            Located::Carried(carried) => {
                trace.passed(Check::Store, || "not needed: the cookie carries the session".into());
                let stored = StoredSession::new(carried.payload(), Life::Forever);
                (carried.id().clone(), Some(Arc::new(stored)), began)
            }
            Located::Stored(sid) => {
                let loaded = self.loads.load(&sid).await?;
                trace.passed(Check::Store, || {
                    format!("within {} ms", began.elapsed().as_millis() + 1)
                });
                (sid, loaded.stored, loaded.asked)
            }
        };
        let age = AnswerAge::answered_now(asked);
        let (session, key) = self.read(sid, stored.as_deref(), trace)?;
        Ok((session, key, age))
    }

    /// Checks 6 to 9: what the store's answer says.
    pub(crate) fn read(
        &self,
        sid: SessionId,
        stored: Option<&StoredSession>,
        trace: &mut impl Trace,
    ) -> Result<(Session, Arc<Value>), NoLogin> {
        let stored = stored.ok_or(NoLogin::NotFound)?;
        let hash = sid.hash();
        let known = self.readings.find(&hash, stored.payload());
        let read = match &known {
            Some(reading) => Ok(Some(reading.record().clone())),
            None => unpanicked(Check::Record, || {
                self.source.read(stored.payload(), &self.limits.record)
            })?,
        };
        if read == Ok(None) {
            return Err(NoLogin::NotFound);
        }
        trace.passed(Check::Session, || format!("{} bytes", stored.payload().len()));
        let record = read.map_err(AuthorizeError::CorruptSession)?.ok_or(NoLogin::NotFound)?;
        trace.passed(Check::Record, || {
            format!("its keys: {}", record.keys().join(", ").escape_debug())
        });
        let reading = known.unwrap_or_else(|| self.readings.share(hash, record, stored.payload()));
        let now = self.clock.now();
        let expiry =
            reading.expiry(|record| unpanicked(Check::Expiry, || self.source.expiry(record)))?;
        let life = match expiry {
            Some(expiry) => stored.life().until(expiry, now),
            None => stored.life(),
        };
        if let Some(at) = life.ended_at(now) {
            return Err(NoLogin::Expired { at, now });
        }
        trace.passed(Check::Expiry, || describe_life(life, now));
        let user = reading.user(&self.user_pointer, is_user);
        let Some(user) = user.map_err(AuthorizeError::CorruptSession)? else {
            return Err(NoLogin::NotLoggedIn(Session::read(sid, reading, life, now, None)));
        };
        trace.passed(Check::UserKey, || format!("{} is {}", self.user_pointer, user.value));
        Ok((Session::read(sid, reading, life, now, Some(user.key)), user.value))
    }

    /// Check 10.
    async fn deserialize(&self, key: &Value, request: &Parts) -> Result<Option<U>, AuthorizeError> {
        let (after, began) = (self.limits.deserializer_timeout, Instant::now());
        let ask = async { self.deserializer.deserialize_user(key, request).await };
        let answer = match timeout(after, AssertUnwindSafe(ask).catch_unwind()).await {
            Ok(Ok(Ok(user))) => Ok(user),
            Ok(Ok(Err(error))) => Err(AuthorizeError::DeserializerFailed(error.into())),
            Ok(Err(_panic)) => Err(AuthorizeError::DeserializerPanicked),
            Err(_) => Err(AuthorizeError::DeserializerTimeout { after }),
        };
        metrics::deserializer(&answer, began.elapsed());
        answer
    }

    /// The user of a session that is known, loaded anew.
    pub(crate) async fn load_user(
        &self,
        session: &Session,
        request: &Parts,
    ) -> Result<Option<U>, AuthorizeError> {
        match session.get::<Value>(&self.user_pointer) {
            Some(key) => self.deserialize(&key, request).await,
            None => Ok(None),
        }
    }

    /// What the user is addressed by.
    pub(crate) fn key_of(&self, user: &U, session: &Session) -> Result<UserKey, Failure> {
        match (&self.user_id, session.user_key()) {
            (Some(user_id), _) => catch_unwind(AssertUnwindSafe(|| user_id(user)))
                .map_err(|_panic| AuthorizeError::UserIdPanicked.into()),
            (None, Some(key)) => Ok(key.clone()),
            (None, None) => Err(Denial::NotLoggedIn { session: session.clone() }.into()),
        }
    }

    /// Check 12, for one namespace. A hook that panics, or gives no answer, has not agreed, and has
    /// not rejected either.
    pub(crate) async fn admit(
        &self,
        identity: &Identity<U>,
        namespace: &str,
    ) -> Result<(), Failure> {
        let Some(success) = &self.success else {
            return Ok(());
        };
        let candidate = Candidate::new(identity.clone(), namespace);
        let asked = AssertUnwindSafe(async { success(candidate).await }).catch_unwind();
        match timeout(SUCCESS, asked).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(reject))) => Err(Denial::Rejected(reject).into()),
            Ok(Err(_panic)) => Err(AuthorizeError::SuccessPanicked.into()),
            Err(_) => Err(AuthorizeError::SuccessTimeout { after: SUCCESS }.into()),
        }
    }

    /// What `fail` makes of a failure. A hook that panics refuses.
    pub(crate) fn verdict(&self, failure: &Failure) -> Verdict {
        let Some(fail) = &self.fail else {
            return Verdict::refuse();
        };
        catch_unwind(AssertUnwindSafe(|| fail(failure))).unwrap_or(Verdict::refuse())
    }

    /// Who owns the connection of whoever was let in with this session.
    pub(crate) fn owner(&self, session: &Session) -> Option<Owner> {
        if self.source.needs_store() {
            Some(Owner::Session(session.id().clone()))
        } else {
            session.user_key().cloned().map(Owner::User)
        }
    }

    /// Checks 2 to 4, and that the request shows the session of the owner.
    pub(crate) fn check_owner(
        &self,
        owner: &Owner,
        request: &Parts,
        provenance: Provenance,
    ) -> Result<(), Box<NotOwner>> {
        let (session, owns) = match self.identify(request, Some(provenance), &mut LaterRequest) {
            Ok(located) => (Some(located.id().hash()), self.owns(owner, located)),
            Err(failure) => (None, Err(failure)),
        };
        let failure = match owns {
            Ok(true) => return Ok(()),
            Err(error @ Failure::Error(_)) => error,
            // It does not show the session that the connection belongs to, whatever else it shows.
            Ok(false) | Err(Failure::Denied(_)) => Denial::OtherSession.into(),
        };
        Err(Box::new(NotOwner { session, failure }))
    }

    fn owns(&self, owner: &Owner, located: Located) -> Result<bool, Failure> {
        match (owner, located) {
            (Owner::Session(sid), Located::Stored(shown)) => Ok(*sid == shown),
            (Owner::User(user), Located::Carried(shown)) => {
                let stored = StoredSession::new(shown.payload(), Life::Forever);
                let (session, _) =
                    self.read(shown.id().clone(), Some(&stored), &mut LaterRequest)?;
                Ok(session.user_key() == Some(user))
            }
            (Owner::Session(_), Located::Carried(_)) | (Owner::User(_), Located::Stored(_)) => {
                Ok(false)
            }
        }
    }
}

/// A session source of the app's own may panic, too.
fn unpanicked<T>(check: Check, ask: impl FnOnce() -> T) -> Result<T, AuthorizeError> {
    catch_unwind(AssertUnwindSafe(ask)).map_err(|_panic| AuthorizeError::SourcePanicked { check })
}

fn describe_life(life: Life, now: SystemTime) -> String {
    let left = match life {
        Life::Forever => return "it has no expiry".into(),
        Life::Until(end) => end.duration_since(now).unwrap_or_default(),
        Life::For(left) => left,
    };
    format!("{} s left", left.as_secs())
}

/// Passport's rule (`lib/strategies/session.js`, 0.7): `su || su === 0`.
fn is_user(key: &Value) -> bool {
    !matches!(key, Value::Null | Value::Bool(false)) && key != ""
}
