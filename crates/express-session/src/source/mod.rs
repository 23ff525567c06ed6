//! From a request to a session.
//!
//! Every session middleware of Node has its own cookie and its own record. A [`SessionSource`]
//! knows one of them: where its cookie is, how it is signed, and what a stored record must look
//! like. It asks no store and knows no clock.

use std::fmt;

use crate::{CorruptRecord, RecordLimits, SessionId, SessionRecord, SessionRequest};

mod express;

pub use express::{ExpressSource, SourceError};

/// One kind of session: its cookie and its record.
///
/// Implement it to read sessions that another middleware writes.
///
/// ```
/// use express_session::source::{CookieFault, SessionSource};
/// use express_session::{CorruptRecord, RecordLimits, SessionId, SessionRecord, SessionRequest};
///
/// /// Sessions of a proxy that already checked the cookie.
/// #[derive(Debug)]
/// struct Trusted;
///
/// impl SessionSource for Trusted {
///     fn locate(&self, request: &SessionRequest<'_>) -> Result<SessionId, CookieFault> {
///         let cookies = request.cookies().ok_or(CookieFault::Missing)?;
///         express_session::cookie::find(cookies, "sid")
///             .map(|sid| SessionId::new(&*sid))
///             .ok_or(CookieFault::Missing)
///     }
///
///     fn read(&self, payload: &[u8], limits: &RecordLimits) -> Result<Option<SessionRecord>, CorruptRecord> {
///         SessionRecord::parse(payload, limits)
///     }
/// }
///
/// let sid = Trusted.locate(&SessionRequest::from_cookie_header("sid=abc"))?;
/// assert_eq!(sid.as_str(), "abc");
/// # Ok::<_, CookieFault>(())
/// ```
pub trait SessionSource: fmt::Debug + Send + Sync + 'static {
    /// The id of the request's session, its signature verified.
    ///
    /// # Errors
    /// [`CookieFault`]: no cookie, a malformed one, or a signature that no secret made.
    ///
    /// # Security
    /// What this returns is put to the store. An id that is not authenticated must not come out.
    fn locate(&self, request: &SessionRequest<'_>) -> Result<SessionId, CookieFault>;

    /// Reads what the store holds. `None` if the app's middleware would see no session in it.
    ///
    /// # Errors
    /// [`CorruptRecord`] where the app's middleware would throw, or a limit is passed.
    fn read(
        &self,
        payload: &[u8],
        limits: &RecordLimits,
    ) -> Result<Option<SessionRecord>, CorruptRecord>;
}

/// Why there is no session id in a request. In the order in which it is checked.
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
