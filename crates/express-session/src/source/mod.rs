//! From a request to a session.
//!
//! Every session middleware of Node has its own cookie and its own record. A [`SessionSource`]
//! knows one of them: where its cookie is, how it is signed, and what a record must look like. It
//! asks no store and knows no clock.
//!
//! | source | Node package | cookie | the session is |
//! |---|---|---|---|
//! | [`ExpressSource`] | express-session | `connect.sid` | in a store |
//! | [`CookieSessionSource`] | cookie-session | `session`, `session.sig` | in the cookie |
//! | [`KoaSource`] | koa-session | `koa.sess`, `koa.sess.sig` | in the cookie, or in a store |
//! | [`KoaGenericSource`] | koa-generic-session | `koa.sid`, `koa.sid.sig` | in a store |
//! | [`FastifySource`] | @fastify/session | `sessionId` | in a store |
//! | `SecureSessionSource` | @fastify/secure-session (feature `secure-session`) | `session` | in the cookie, encrypted |

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{CorruptRecord, RecordLimits, SessionId, SessionRecord, SessionRequest, SidHash};

mod cookie_session;
mod express;
mod fastify;
#[cfg(feature = "secure-session")]
mod fastify_secure;
mod koa;
mod koa_generic;

pub use cookie_session::CookieSessionSource;
pub use express::ExpressSource;
pub use fastify::FastifySource;
#[cfg(feature = "secure-session")]
pub use fastify_secure::SecureSessionSource;
pub use koa::KoaSource;
pub use koa_generic::KoaGenericSource;

/// One kind of session: its cookie and its record.
///
/// Implement it to read sessions that another middleware writes.
///
/// ```
/// use express_session::source::{CookieFault, Located, SessionSource};
/// use express_session::{CorruptRecord, RecordLimits, SessionId, SessionRecord, SessionRequest};
///
/// /// Sessions of a proxy that already checked the cookie.
/// #[derive(Debug)]
/// struct Trusted;
///
/// impl SessionSource for Trusted {
///     fn locate(&self, request: &SessionRequest<'_>) -> Result<Located, CookieFault> {
///         let cookies = request.cookies().ok_or(CookieFault::Missing)?;
///         express_session::cookie::find(cookies, "sid")
///             .map(|sid| Located::Stored(SessionId::new(&*sid)))
///             .ok_or(CookieFault::Missing)
///     }
///
///     fn read(&self, payload: &[u8], limits: &RecordLimits) -> Result<Option<SessionRecord>, CorruptRecord> {
///         SessionRecord::parse(payload, limits)
///     }
/// }
///
/// let located = Trusted.locate(&SessionRequest::from_cookie_header("sid=abc"))?;
/// assert_eq!(located.id().as_str(), "abc");
/// # Ok::<_, CookieFault>(())
/// ```
pub trait SessionSource: fmt::Debug + Send + Sync + 'static {
    /// Where the request's session is, the cookie's signature verified.
    ///
    /// # Errors
    /// [`CookieFault`]: no cookie, a malformed one, or a signature that no secret made.
    ///
    /// # Security
    /// The store is asked for the id that this returns, and a carried session is trusted. Return
    /// only what is authenticated.
    fn locate(&self, request: &SessionRequest<'_>) -> Result<Located, CookieFault>;

    /// The name of its cookie, to report requests that have several. `None` if it is not known.
    fn cookie_name(&self) -> Option<&str> {
        None
    }

    /// Reads what the store holds, or the cookie carries. `None` if the app's middleware would see
    /// no session in it.
    ///
    /// The same payload must give the same record each time: of a payload that was read before, the
    /// record may be used again, and what [`expiry`](Self::expiry) says of it.
    ///
    /// # Errors
    /// [`CorruptRecord`] where the app's middleware would throw, or a limit is passed.
    fn read(
        &self,
        payload: &[u8],
        limits: &RecordLimits,
    ) -> Result<Option<SessionRecord>, CorruptRecord>;

    /// The first moment at which the middleware itself refuses the record, even if its store has
    /// it. Most do not check this: `None`.
    fn expiry(&self, record: &SessionRecord) -> Option<SystemTime> {
        let _ = record;
        None
    }

    /// Whether sessions of this kind are kept in a store. A logout can't end those that the cookie
    /// carries.
    fn needs_store(&self) -> bool {
        true
    }
}

impl<S: SessionSource + ?Sized> SessionSource for Arc<S> {
    fn locate(&self, request: &SessionRequest<'_>) -> Result<Located, CookieFault> {
        (**self).locate(request)
    }

    fn cookie_name(&self) -> Option<&str> {
        (**self).cookie_name()
    }

    fn read(
        &self,
        payload: &[u8],
        limits: &RecordLimits,
    ) -> Result<Option<SessionRecord>, CorruptRecord> {
        (**self).read(payload, limits)
    }

    fn expiry(&self, record: &SessionRecord) -> Option<SystemTime> {
        (**self).expiry(record)
    }

    fn needs_store(&self) -> bool {
        (**self).needs_store()
    }
}

/// Where a request's session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// In the store, under this id.
    Stored(SessionId),
    /// In the cookie itself.
    Carried(CarriedSession),
}

impl Located {
    /// The id by which the session is known.
    pub fn id(&self) -> &SessionId {
        match self {
            Self::Stored(id) => id,
            Self::Carried(carried) => &carried.id,
        }
    }
}

/// A session that its cookie carries.
#[derive(Clone, PartialEq, Eq)]
pub struct CarriedSession {
    id: SessionId,
    payload: Vec<u8>,
}

impl CarriedSession {
    /// The session in this cookie: its decoded payload. It is known by a hash of the cookie's
    /// value, since it has no id of its own: each change of the session makes another one of it.
    pub fn new(cookie: &str, payload: Vec<u8>) -> Self {
        Self { id: SessionId::new(format!("carried:{}", SidHash::of(cookie))), payload }
    }

    /// What it is known by.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// The record, for [`SessionSource::read`].
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// Shows its size, never its content.
impl fmt::Debug for CarriedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CarriedSession({} bytes)", self.payload.len())
    }
}

/// Why there is no session in a request. In the order in which it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieFault {
    /// There is no session cookie.
    #[error("there is no session cookie")]
    Missing,
    /// There is one, but it is no signed session id.
    #[error("the session cookie is malformed: {0}")]
    Malformed(&'static str),
    /// It is signed, but by none of the secrets.
    #[error("the session cookie's signature fits none of the secrets")]
    BadSignature,
}

impl CookieFault {
    /// Maps each variant. A variant that is added later adds a parameter here, so that callers that
    /// do not handle it no longer compile.
    ///
    /// ```
    /// use express_session::source::CookieFault;
    ///
    /// let code = |fault: CookieFault| {
    ///     fault.fold(|| "no_session_cookie", |_why| "malformed_cookie", || "bad_signature")
    /// };
    /// assert_eq!(code(CookieFault::Malformed("it is empty")), "malformed_cookie");
    /// ```
    pub fn fold<T>(
        self,
        missing: impl FnOnce() -> T,
        malformed: impl FnOnce(&'static str) -> T,
        bad_signature: impl FnOnce() -> T,
    ) -> T {
        match self {
            Self::Missing => missing(),
            Self::Malformed(why) => malformed(why),
            Self::BadSignature => bad_signature(),
        }
    }
}

/// Why a source can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// See [`EmptySecret`](crate::cookie::EmptySecret).
    #[error(transparent)]
    EmptySecret(#[from] crate::cookie::EmptySecret),
    /// The name is empty, or has a character that no cookie name has.
    #[error(
        "this can't be a cookie's name: use the `name` (or `key`) that the app gives its session middleware, such as connect.sid"
    )]
    CookieName,
}

impl SourceError {
    /// Maps each variant, also one that is added later: see [`CookieFault::fold`].
    ///
    /// ```
    /// use express_session::source::SourceError;
    ///
    /// assert_eq!(SourceError::CookieName.fold(|_| "the secret", || "the name"), "the name");
    /// ```
    pub fn fold<T>(
        self,
        empty_secret: impl FnOnce(crate::cookie::EmptySecret) -> T,
        cookie_name: impl FnOnce() -> T,
    ) -> T {
        match self {
            Self::EmptySecret(error) => empty_secret(error),
            Self::CookieName => cookie_name(),
        }
    }
}

/// A cookie's name, if npm cookie takes it: 0.4 (of express-session 1.17), and 1.0.2 and later, which
/// take more than RFC 6265's token.
fn cookie_name(name: &str) -> Result<Box<str>, SourceError> {
    let can_stand = |c: char| c.is_ascii_graphic() && !";=".contains(c);
    if !name.is_empty() && name.chars().all(can_stand) {
        Ok(name.into())
    } else {
        Err(SourceError::CookieName)
    }
}

/// A session id that a store may be asked for. Although it is signed, control characters, `*` and
/// `../` are refused: they would go into keys, patterns and paths, and no generator in use makes them.
fn stored_id(id: &str) -> Result<SessionId, CookieFault> {
    if id.is_empty() {
        return Err(CookieFault::Malformed("its session id is empty"));
    }
    if id.chars().any(|c| c.is_control() || c == '*') || id.contains("../") {
        return Err(CookieFault::Malformed("its session id has a forbidden character"));
    }
    Ok(SessionId::new(id))
}

/// The whole millisecond of a JavaScript date. One before 1970 has passed anyhow.
fn date(ms: f64) -> Option<SystemTime> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    UNIX_EPOCH.checked_add(Duration::from_millis(ms.floor() as u64))
}

#[cfg(test)]
mod tests;
