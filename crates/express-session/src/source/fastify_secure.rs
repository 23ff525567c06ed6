//! @fastify/secure-session 8.4.0 (`index.js`, `decodeSecureSession`): the whole session in the
//! cookie, encrypted.
//!
//! 1. The value is `<base64 box>;<base64 nonce>`, percent-encoded: libsodium's `secretbox`
//!    (`XSalsa20-Poly1305`) under one of the keys. A box that no key opens is refused.
//! 2. Inside is JSON. `__ts`, in seconds, plus `expiry` (86401 s by default) is when it ends.
//! 3. A `secret` instead of a key is stretched to one (`crypto_pwhash`: `Argon2id`, 3 passes over
//!    256 MiB), which takes about half a second, once.

use std::fmt;
use std::time::{Duration, SystemTime};

use argon2::{Algorithm, Argon2, Params, Version};
use crypto_secretbox::aead::{Aead as _, KeyInit as _};
use crypto_secretbox::{Nonce, XSalsa20Poly1305};

use super::{CarriedSession, CookieFault, Located, SessionSource, SourceError, cookie_name, date};
use crate::cookie::{EmptySecret, decode_base64, find_with_quotes};
use crate::{CorruptRecord, RecordLimits, SessionRecord, SessionRequest};

/// secure-session's `expiry`, where the app gives none.
const EXPIRY: Duration = Duration::from_secs(86_401);
/// secure-session's `salt`, where the app gives none.
const SALT: &str = "mq9hDxBVDbspDR6nLfFT1g==";
/// `crypto_pwhash_MEMLIMIT_MODERATE` in KiB, and `OPSLIMIT_MODERATE`.
const MEMORY: u32 = 256 * 1024;
const PASSES: u32 = 3;

/// Sessions of @fastify/secure-session.
///
/// ```
/// use express_session::source::{Located, SecureSessionSource, SessionSource};
/// use express_session::{RecordLimits, SessionRequest};
///
/// let source = SecureSessionSource::with_keys("session", [[7; 32]])?;
/// let cookies = "session=gpKSDf99%2B9D6GghKRgXxsXiPdTueuNEmJW88LL2YQea3TJw4K3Pt1oNT1tcu7m6RuA%3D%3D%3BET%2F4CjzHOmReNsxWgLROnG7w1rSbdhCz";
/// let Located::Carried(session) = source.locate(&SessionRequest::from_cookie_header(cookies))? else {
///     panic!("the cookie carries it")
/// };
/// let record = source.read(session.payload(), &RecordLimits::default())?.expect("a session");
/// assert_eq!(record.pointer("/passport")?, Some(42.into()));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Security
/// As for every session that its cookie carries: a logout can't end it on the server.
#[derive(Clone)]
pub struct SecureSessionSource {
    cookie_name: Box<str>,
    keys: Vec<XSalsa20Poly1305>,
    expiry: Duration,
}

impl SecureSessionSource {
    /// Sessions in the cookie `name` (by default `session`), encrypted under one of these keys (its
    /// `key`: a file of 32 bytes, or their base64).
    ///
    /// # Errors
    /// [`SourceError`] if there is no key, or the name can't be a cookie's.
    pub fn with_keys(
        name: &str,
        keys: impl IntoIterator<Item = [u8; 32]>,
    ) -> Result<Self, SourceError> {
        let keys: Vec<_> = keys.into_iter().map(|key| XSalsa20Poly1305::new(&key.into())).collect();
        if keys.is_empty() {
            return Err(EmptySecret.into());
        }
        Ok(Self { cookie_name: cookie_name(name)?, keys, expiry: EXPIRY })
    }

    /// The same for an app that gives a `secret`, and a `salt` of 16 bytes if it has one of its own.
    ///
    /// # Errors
    /// [`SourceError`] if the secret is empty, or the salt has another length.
    pub fn with_secret(
        name: &str,
        secret: &str,
        salt: Option<[u8; 16]>,
    ) -> Result<Self, SourceError> {
        if secret.is_empty() {
            return Err(EmptySecret.into());
        }
        let salt = salt.map_or_else(|| decode_base64(SALT), Vec::from);
        let mut key = [0; 32];
        Params::new(MEMORY, PASSES, 1, Some(key.len()))
            .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
            .and_then(|argon2| argon2.hash_password_into(secret.as_bytes(), &salt, &mut key))
            // Fixed parameters and lengths: no error that it knows can happen here.
            .map_err(|_| EmptySecret)?;
        Self::with_keys(name, [key])
    }

    /// secure-session's `expiry` option. 86401 s by default, and where this is 0, as there.
    #[must_use]
    pub fn with_expiry(mut self, expiry: Duration) -> Self {
        self.expiry = if expiry.is_zero() { EXPIRY } else { expiry };
        self
    }
}

impl SessionSource for SecureSessionSource {
    fn locate(&self, request: &SessionRequest<'_>) -> Result<Located, CookieFault> {
        let cookies = request.cookies().ok_or(CookieFault::Missing)?;
        let value = find_with_quotes(cookies, &self.cookie_name).ok_or(CookieFault::Missing)?;
        // What `Buffer.from` makes of them depends on Node's version: some of them are digits, or an end.
        if value.chars().any(|c| c > '\u{ff}') {
            return Err(CookieFault::Malformed("it has a character that is no base64"));
        }
        let mut parts = value.split(';');
        let (Some(sealed), Some(nonce)) = (parts.next(), parts.next()) else {
            return Err(CookieFault::Malformed("it has no nonce"));
        };
        let (sealed, nonce) = (decode_base64(sealed), decode_base64(nonce));
        let nonce: [u8; 24] = nonce
            .try_into()
            .map_err(|_| CookieFault::Malformed("its nonce has another length than 24 bytes"))?;
        let nonce = Nonce::from(nonce);
        self.keys
            .iter()
            .find_map(|key| key.decrypt(&nonce, sealed.as_slice()).ok())
            .map(|payload| Located::Carried(CarriedSession::new(&value, payload)))
            .ok_or(CookieFault::BadSignature)
    }

    fn cookie_name(&self) -> Option<&str> {
        Some(&self.cookie_name)
    }

    /// secure-session throws where `JSON.parse` does, and on everything but objects and arrays. Its
    /// `__ts` is a number, or there is none; JavaScript's sum with other values is not imitated.
    fn read(
        &self,
        payload: &[u8],
        limits: &RecordLimits,
    ) -> Result<Option<SessionRecord>, CorruptRecord> {
        let record = SessionRecord::parse(payload, limits)?
            .ok_or(CorruptRecord::NotASession("it is no JSON object"))?;
        match record.pointer("/__ts")? {
            None => Ok(Some(record)),
            Some(written) if written.is_number() => Ok(Some(record)),
            Some(_) => Err(CorruptRecord::NotASession("its `__ts` is no number")),
        }
    }

    /// `(__ts + expiry) * 1000 - Date.now() <= 0`, in doubles as there. Without a `__ts` it never
    /// ends.
    fn expiry(&self, record: &SessionRecord) -> Option<SystemTime> {
        let written = record.pointer("/__ts").ok()??.as_f64()?;
        let end = (written + self.expiry.as_secs_f64()) * 1000.0;
        date(end.ceil())
    }

    fn needs_store(&self) -> bool {
        false
    }
}

/// Without the keys.
impl fmt::Debug for SecureSessionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecureSessionSource({} keys)", self.keys.len())
    }
}

#[cfg(test)]
mod tests;
