//! npm [`cookie-signature`] 1.2.2: `value.base64(HMAC-SHA256(secret, value))` without padding.
//!
//! Verifying signs the value again and compares the whole text, in constant time. So a signature
//! with padding, or in the URL-safe alphabet, does not verify.
//!
//! [`cookie-signature`]: https://github.com/tj/node-cookie-signature/blob/1.2.2/index.js

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

/// What ECMAScript's `encodeURIComponent` leaves as it is.
const URI_COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The app's secrets, ready to sign and verify. The first signs, any verifies.
///
/// ```
/// use express_session::cookie::Signer;
///
/// let signer = Signer::new(["new secret", "keyboard cat"])?;
/// let old = Signer::new(["keyboard cat"])?.sign("sid-1");
/// assert_eq!(signer.unsign(&old), Some("sid-1"));
/// assert_eq!(signer.unsign("sid-1.forged"), None);
/// assert_eq!(format!("{signer:?}"), "Signer(2 secrets)");
/// # Ok::<_, express_session::cookie::EmptySecret>(())
/// ```
///
/// # Security
/// `Debug` prints only how many secrets there are.
#[derive(Clone)]
pub struct Signer {
    /// Keyed once: a new key a request would double the price of verifying.
    first: Hmac<Sha256>,
    others: Vec<Hmac<Sha256>>,
}

/// There is no secret, or an empty one: any client could sign.
///
/// ```
/// use express_session::cookie::Signer;
///
/// assert!(Signer::new([""]).is_err());
/// assert!(Signer::new(Vec::<String>::new()).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session secret is missing or empty; give the `secret` of the app's express-session")]
pub struct EmptySecret;

impl Signer {
    /// A signer for express-session's `secret` option: one secret or several, newest first.
    ///
    /// # Errors
    /// [`EmptySecret`] if there is none, or if one of them is empty.
    pub fn new(secrets: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Self, EmptySecret> {
        let mut keys = secrets
            .into_iter()
            .map(|secret| key(secret.as_ref()))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter();
        Ok(Self { first: keys.next().ok_or(EmptySecret)?, others: keys.collect() })
    }

    /// `value` with its signature, as `cookie-signature`'s `sign`.
    ///
    /// ```
    /// use express_session::cookie::Signer;
    ///
    /// let signer = Signer::new(["k"])?;
    /// assert_eq!(
    ///     signer.sign("user:1/+=é"),
    ///     "user:1/+=é.sACjiWGGTvXLL8eTZkyuSEj1Dj2f6n1xaiQv+W89jpg"
    /// );
    /// # Ok::<_, express_session::cookie::EmptySecret>(())
    /// ```
    pub fn sign(&self, value: &str) -> String {
        format!("{value}.{}", signature(&self.first, value))
    }

    /// The value in `signed`, if one of the secrets made its signature.
    ///
    /// Every secret is tried, even after a match, so the time does not show which one matched.
    pub fn unsign<'a>(&self, signed: &'a str) -> Option<&'a str> {
        let (value, given) = signed.rsplit_once('.')?;
        let mut valid = Choice::from(0);
        for key in std::iter::once(&self.first).chain(&self.others) {
            valid |= signature(key, value).as_bytes().ct_eq(given.as_bytes());
        }
        bool::from(valid).then_some(value)
    }

    /// The `name=value` of the cookie that express-session would set for this session id.
    ///
    /// ```
    /// use express_session::cookie::Signer;
    ///
    /// let cookie = Signer::new(["keyboard cat"])?.cookie_pair("connect.sid", "a.b.c");
    /// assert_eq!(cookie, "connect.sid=s%3Aa.b.c.G8ReS2HiYVtvMBGFvZUGp5RaCauWFLUTjnnTm%2FEQ2aE");
    /// # Ok::<_, express_session::cookie::EmptySecret>(())
    /// ```
    pub fn cookie_pair(&self, name: &str, sid: &str) -> String {
        let value = format!("s:{}", self.sign(sid));
        format!("{name}={}", utf8_percent_encode(&value, URI_COMPONENT))
    }
}

fn key(secret: &[u8]) -> Result<Hmac<Sha256>, EmptySecret> {
    if secret.is_empty() {
        return Err(EmptySecret);
    }
    // HMAC takes keys of any length: the only error it knows can't happen here.
    Hmac::new_from_slice(secret).map_err(|_| EmptySecret)
}

fn signature(key: &Hmac<Sha256>, value: &str) -> String {
    let mac = key.clone().chain_update(value).finalize().into_bytes();
    STANDARD_NO_PAD.encode(mac)
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} secrets)", 1 + self.others.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_verifies_and_the_first_signs() {
        let both = Signer::new(["new", "old"]).unwrap();
        let old = Signer::new(["old"]).unwrap();
        assert_eq!(both.unsign(&old.sign("sid")), Some("sid"));
        assert_eq!(old.unsign(&both.sign("sid")), None);
    }
}
