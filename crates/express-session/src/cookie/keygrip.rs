//! npm [`keygrip`] 1.1.0: `HMAC(key, "<name>=<value>")` in URL-safe base64 without padding, in a
//! cookie of its own, `<name>.sig`.
//!
//! The hash is SHA-1 unless the app chose another (`new Keygrip(keys, 'sha256')`). SHA-1's
//! collisions do not help to forge an HMAC.
//!
//! [`keygrip`]: https://github.com/crypto-utils/keygrip/blob/1.1.0/index.js

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use super::EmptySecret;

/// The hash that signs: keygrip's second argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeygripHash {
    /// keygrip's default.
    #[default]
    Sha1,
    /// `new Keygrip(keys, 'sha256')`.
    Sha256,
}

/// The app's keys, newest first: the first signs, any verifies.
///
/// ```
/// use express_session::cookie::{Keygrip, KeygripHash};
///
/// let keys = Keygrip::new(["key1", "key2"], KeygripHash::Sha1)?;
/// let session = "session=eyJwYXNzcG9ydCI6eyJ1c2VyIjoidTEifX0=";
/// assert_eq!(keys.sign(session), "4VqMWF_AJ3NteWgiGaep13B5Q4E");
/// assert!(keys.verify(session, "4VqMWF_AJ3NteWgiGaep13B5Q4E"));
/// assert!(!keys.verify(session, "4VqMWF_AJ3NteWgiGaep13B5Q4F"));
/// # Ok::<_, express_session::cookie::EmptySecret>(())
/// ```
///
/// # Security
/// `Debug` prints only how many keys there are.
#[derive(Clone)]
pub struct Keygrip {
    first: Key,
    others: Vec<Key>,
}

#[derive(Clone)]
enum Key {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
}

impl Keygrip {
    /// The keys that the app gives cookie-session, or Koa's `app.keys`.
    ///
    /// # Errors
    /// [`EmptySecret`] if there is none, or if one of them is empty.
    pub fn new(
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        hash: KeygripHash,
    ) -> Result<Self, EmptySecret> {
        let keys: Result<Vec<_>, _> =
            keys.into_iter().map(|key| Key::new(key.as_ref(), hash)).collect();
        let mut keys = keys?.into_iter();
        Ok(Self { first: keys.next().ok_or(EmptySecret)?, others: keys.collect() })
    }

    /// The signature of `data`, as keygrip's `sign`.
    pub fn sign(&self, data: &str) -> String {
        self.first.sign(data)
    }

    /// Whether one of the keys made this signature. Every key is tried, even after a match.
    pub fn verify(&self, data: &str, signature: &str) -> bool {
        let mut valid = Choice::from(0);
        for key in std::iter::once(&self.first).chain(&self.others) {
            valid |= key.sign(data).as_bytes().ct_eq(signature.as_bytes());
        }
        valid.into()
    }
}

impl Key {
    fn new(key: &[u8], hash: KeygripHash) -> Result<Self, EmptySecret> {
        if key.is_empty() {
            return Err(EmptySecret);
        }
        // HMAC takes keys of any length: the only error it knows can't happen here.
        match hash {
            KeygripHash::Sha1 => Hmac::new_from_slice(key).map(Self::Sha1),
            KeygripHash::Sha256 => Hmac::new_from_slice(key).map(Self::Sha256),
        }
        .map_err(|_| EmptySecret)
    }

    fn sign(&self, data: &str) -> String {
        match self {
            Self::Sha1(key) => {
                URL_SAFE_NO_PAD.encode(key.clone().chain_update(data).finalize().into_bytes())
            }
            Self::Sha256(key) => {
                URL_SAFE_NO_PAD.encode(key.clone().chain_update(data).finalize().into_bytes())
            }
        }
    }
}

impl fmt::Debug for Keygrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keygrip({} keys)", 1 + self.others.len())
    }
}
