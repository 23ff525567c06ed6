//! @fastify/session 11.1.3 (`index.js`, `lib/session.js`, `lib/cookie.js`) with @fastify/cookie
//! 11.0.2 (`signer.js`, and npm cookie 1.x): as express-session, but for these.
//!
//! 1. The cookie's value is the signed session id without `s:` in front, unless the app has a
//!    `cookiePrefix` (which is `s:` where it shares sessions with Express). Quotes are part of it.
//! 2. The record's own `cookie.expires` counts, besides the store: a session whose date has passed
//!    is ended. Where there is none, a negative `originalMaxAge` (or `maxAge`) ends it, too.
//! 3. A record without `cookie` is a session.
//! 4. The record's members become the session's own. Those named `get` or `__proto__` so take away
//!    what @fastify/passport calls, and it throws.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{CookieFault, Located, SessionSource, SourceError, cookie_name, date, stored_id};
use crate::cookie::{Signer, find_with_quotes};
use crate::json::member;
use crate::{CorruptRecord, RecordLimits, SessionRecord, SessionRequest};

mod expiry;
#[cfg(test)]
mod tests;

use expiry::{CookieEnd, cookie_end};

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
        let value = find_with_quotes(cookies, &self.cookie_name).ok_or(CookieFault::Missing)?;
        let signed = value
            .strip_prefix(&*self.prefix)
            .ok_or(CookieFault::Malformed("it does not begin with the cookie prefix"))?;
        let (id, _) =
            signed.rsplit_once('.').ok_or(CookieFault::Malformed("it has no signature"))?;
        let id = stored_id(id)?;
        self.signer.unsign(signed).ok_or(CookieFault::BadSignature)?;
        Ok(Located::Stored(id))
    }

    fn cookie_name(&self) -> Option<&str> {
        Some(&self.cookie_name)
    }

    /// A date that can't be read is corrupt, not "never": the app may have ended the session by it.
    fn read(
        &self,
        payload: &[u8],
        limits: &RecordLimits,
    ) -> Result<Option<SessionRecord>, CorruptRecord> {
        let Some(record) = SessionRecord::parse(payload, limits)? else {
            return Ok(None);
        };
        if hides_the_sessions_own(record.json()) {
            return Err(CorruptRecord::NotASession(
                "its members `get` or `__proto__` take the place of the session's own",
            ));
        }
        match end_of(&record)? {
            CookieEnd::Unknown => Err(CorruptRecord::NotASession(
                "its `cookie.expires` is no date, or its age no number",
            )),
            _ => Ok(Some(record)),
        }
    }

    fn expiry(&self, record: &SessionRecord) -> Option<SystemTime> {
        match end_of(record) {
            Ok(CookieEnd::At(end)) => Some(end),
            Ok(CookieEnd::Never) => None,
            // `read` gives no such record.
            Ok(CookieEnd::Unknown) | Err(_) => Some(UNIX_EPOCH),
        }
    }
}

fn end_of(record: &SessionRecord) -> Result<CookieEnd, CorruptRecord> {
    Ok(cookie_end(&record.pointer("/cookie")?.unwrap_or_default()))
}

/// `this[key] = prevSession[key]`, for every member of the record. `__proto__` so becomes the
/// prototype, if it is an object or null.
fn hides_the_sessions_own(json: &str) -> bool {
    let raw = |name| member(json, name).ok().flatten();
    raw("get").is_some()
        || raw("__proto__").is_some_and(|raw| raw.get().starts_with(['{', '[', 'n']))
}
