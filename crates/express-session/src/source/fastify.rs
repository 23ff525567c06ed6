//! @fastify/session 11.1.3 (`index.js`) with @fastify/cookie 11 (`signer.js`): as express-session,
//! but for three things.
//!
//! 1. The cookie's value is the signed session id without `s:` in front, unless the app has a
//!    `cookiePrefix` (which is `s:` where it shares sessions with Express).
//! 2. The record's own `cookie.expires` counts, besides the store: a session whose date has passed
//!    is ended.
//! 3. A record without `cookie` is a session.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::{CookieFault, Located, SessionSource, SourceError, cookie_name, date, stored_id};
use crate::cookie::{Signer, find};
use crate::{CorruptRecord, RecordLimits, SessionRecord, SessionRequest};

/// Sessions of @fastify/session.
///
/// ```
/// use express_session::source::{FastifySource, SessionSource};
/// use express_session::SessionRequest;
///
/// let source = FastifySource::new("sessionId", ["a secret with minimum length of 32 characters"])?;
/// let cookies = "sessionId=akH_lIVypdA-pMAB0UA4_7a0qflvOr2N.LQMPwSNUts46Y0M7uJwESsOKh+U32rlVpkn0eOZlEwU";
/// let located = source.locate(&SessionRequest::from_cookie_header(cookies))?;
/// assert_eq!(located.id().as_str(), "akH_lIVypdA-pMAB0UA4_7a0qflvOr2N");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FastifySource {
    cookie_name: Box<str>,
    signer: Signer,
    prefix: Box<str>,
}

impl FastifySource {
    /// Sessions under the cookie `cookie_name` (by default `sessionId`), signed with one of
    /// `secrets`.
    ///
    /// # Errors
    /// [`SourceError`] if a secret is missing or empty, or the name can't be a cookie's.
    pub fn new(
        name: &str,
        secrets: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Self, SourceError> {
        let signer = Signer::new(secrets)?;
        Ok(Self { cookie_name: cookie_name(name)?, signer, prefix: "".into() })
    }

    /// What stands before the signed id: @fastify/session's `cookiePrefix`, by default nothing.
    #[must_use]
    pub fn with_cookie_prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }
}

impl SessionSource for FastifySource {
    fn locate(&self, request: &SessionRequest<'_>) -> Result<Located, CookieFault> {
        let cookies = request.cookies().ok_or(CookieFault::Missing)?;
        let value = find(cookies, &self.cookie_name).ok_or(CookieFault::Missing)?;
        let signed = value
            .strip_prefix(&*self.prefix)
            .ok_or(CookieFault::Malformed("it does not begin with the cookie prefix"))?;
        let (id, _) =
            signed.rsplit_once('.').ok_or(CookieFault::Malformed("it has no signature"))?;
        let id = stored_id(id)?;
        self.signer.unsign(signed).ok_or(CookieFault::BadSignature)?;
        Ok(Located::Stored(id))
    }

    fn read(
        &self,
        payload: &[u8],
        limits: &RecordLimits,
    ) -> Result<Option<SessionRecord>, CorruptRecord> {
        SessionRecord::parse(payload, limits)
    }

    /// `expiration.getTime() <= Date.now()`, of `new Date(cookie.expires)` if that is truthy.
    fn expiry(&self, record: &SessionRecord) -> Option<SystemTime> {
        match record.pointer("/cookie/expires").ok()?? {
            Value::String(text) => iso_date(&text),
            Value::Number(ms) => ms.as_f64().filter(|ms| *ms != 0.0).and_then(date),
            Value::Bool(true) => date(1.0),
            _ => None,
        }
    }
}

/// A date as `JSON.stringify` writes it (ISO 8601, in UTC, with milliseconds), or a day. Another
/// text does not end a session that the store still has; nor does an invalid date in Node.
fn iso_date(text: &str) -> Option<SystemTime> {
    if text.starts_with("-0") {
        // Before the year 0.
        return Some(UNIX_EPOCH);
    }
    let whole_day = || humantime::parse_rfc3339(&format!("{text}T00:00:00Z"));
    humantime::parse_rfc3339(text).or_else(|_| whole_day()).ok()
}
