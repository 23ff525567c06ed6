//! cookie-session 2.1.1 (`index.js`): the whole session in the cookie.
//!
//! 1. `session` is base64 of JSON, `session.sig` signs `session=<value>` ([`Keygrip`]).
//! 2. What does not decode to a JSON object is no session: the app would start a new one.
//! 3. There is no expiry in it: the app accepts an old cookie for ever.

use super::{CarriedSession, CookieFault, Located, SessionSource, SourceError, cookie_name};
use crate::cookie::{Keygrip, KeygripHash, Signed, cookies_get_signed, decode_base64};
use crate::{CorruptRecord, RecordLimits, SessionRecord, SessionRequest};

/// Sessions of cookie-session.
///
/// ```
/// use express_session::cookie::KeygripHash;
/// use express_session::source::{CookieSessionSource, Located, SessionSource};
/// use express_session::{RecordLimits, SessionRequest};
///
/// let source = CookieSessionSource::new("session", ["key1", "key2"], KeygripHash::Sha1)?;
/// let cookies = "session=eyJwYXNzcG9ydCI6eyJ1c2VyIjoidTEifX0=; session.sig=4VqMWF_AJ3NteWgiGaep13B5Q4E";
/// let Located::Carried(session) = source.locate(&SessionRequest::from_cookie_header(cookies))? else {
///     panic!("the cookie carries it")
/// };
/// let record = source.read(session.payload(), &RecordLimits::default())?.expect("a session");
/// assert_eq!(record.pointer("/passport/user")?, Some("u1".into()));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Security
/// A logout only asks the browser to forget the cookie. A client that kept it is still logged in, for
/// the app as well: so a connection with it must not live for ever.
#[derive(Clone, Debug)]
pub struct CookieSessionSource {
    cookie_name: Box<str>,
    keys: Keygrip,
}

impl CookieSessionSource {
    /// Sessions in the cookie `cookie_name` (cookie-session's `name`, by default `session`, and
    /// `express:sess` up to version 1), signed with one of `keys` (its `keys` or `secret`).
    ///
    /// # Errors
    /// [`SourceError`] if a key is missing or empty, or the name can't be a cookie's.
    pub fn new(
        name: &str,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        hash: KeygripHash,
    ) -> Result<Self, SourceError> {
        Ok(Self { cookie_name: cookie_name(name)?, keys: Keygrip::new(keys, hash)? })
    }
}

impl SessionSource for CookieSessionSource {
    fn locate(&self, request: &SessionRequest<'_>) -> Result<Located, CookieFault> {
        let value = verified(request, &self.cookie_name, &self.keys)?;
        Ok(Located::Carried(CarriedSession::new(value, decode_base64(value))))
    }

    fn cookie_name(&self) -> Option<&str> {
        Some(&self.cookie_name)
    }

    fn read(
        &self,
        payload: &[u8],
        limits: &RecordLimits,
    ) -> Result<Option<SessionRecord>, CorruptRecord> {
        tolerant(SessionRecord::parse(payload, limits))
    }

    fn needs_store(&self) -> bool {
        false
    }
}

/// A signed cookie as npm `cookies` reads it, for all that do.
pub(super) fn verified<'r>(
    request: &'r SessionRequest<'_>,
    name: &str,
    keys: &Keygrip,
) -> Result<&'r str, CookieFault> {
    let cookies = request.cookies().ok_or(CookieFault::Missing)?;
    match cookies_get_signed(cookies, name, keys) {
        Signed::Missing => Err(CookieFault::Missing),
        Signed::Unsigned => Err(CookieFault::Malformed("there is no .sig beside it")),
        Signed::Forged => Err(CookieFault::BadSignature),
        Signed::Verified("") => Err(CookieFault::Malformed("it is empty")),
        Signed::Verified(value) => Ok(value),
    }
}

/// For middleware that starts a new session where `JSON.parse` throws. The limits still hold.
pub(super) fn tolerant(
    read: Result<Option<SessionRecord>, CorruptRecord>,
) -> Result<Option<SessionRecord>, CorruptRecord> {
    match read {
        Err(CorruptRecord::NotJson { .. } | CorruptRecord::NotASession(_)) => Ok(None),
        read => read,
    }
}
