//! Session ids, which are secrets: a client that knows one and the app's secret is that user.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// A session's id, as its store knows it.
///
/// Neither `Debug` nor anything else prints it; logs and room names carry its [`hash`](Self::hash).
///
/// ```
/// use express_session::SessionId;
///
/// let sid = SessionId::new("fMPzKu0tTbq0cXx6vWnRr-9_Hg3pY7Ld");
/// assert_eq!(sid.as_str().len(), 32);
/// assert_eq!(format!("{sid:?}"), format!("SessionId(#{})", sid.hash().short()));
/// assert!(!format!("{sid:?}").contains("fMPz"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Takes an id that was read from a verified cookie, or from a store.
    pub fn new(sid: impl Into<Arc<str>>) -> Self {
        Self(sid.into())
    }

    /// The id itself: only for the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name for the session that does not reveal its id.
    pub fn hash(&self) -> SidHash {
        SidHash::of(&self.0)
    }
}

impl From<&str> for SessionId {
    fn from(sid: &str) -> Self {
        Self::new(sid)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId(#{})", self.hash().short())
    }
}

/// The SHA-256 of a session id: the same on every node, and no way back to the id.
///
/// ```
/// use express_session::SessionId;
///
/// let hash = SessionId::new("a").hash();
/// assert_eq!(hash.to_string(), "ca978112ca1bbdcafac231b39a23dc4d");
/// assert_eq!(hash.short(), "ca978112");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SidHash([u8; 32]);

impl SidHash {
    /// The hash of any text that should not be shown, such as a user's key.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// All 64 hexadecimal digits.
    ///
    /// ```
    /// use express_session::{SessionId, SidHash};
    ///
    /// let hash = SessionId::new("a").hash();
    /// assert_eq!(SidHash::from_hex(&hash.to_hex()), Some(hash));
    /// assert_eq!(SidHash::from_hex("ca97"), None);
    /// ```
    pub fn to_hex(&self) -> String {
        self.hex(32)
    }

    /// Reads what [`to_hex`](Self::to_hex) writes.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let mut hash = [0; 32];
        if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (n, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * n..2 * n + 2)?, 16).ok()?;
        }
        Some(Self(hash))
    }

    /// All 32 bytes.
    ///
    /// ```
    /// use express_session::SidHash;
    ///
    /// assert_eq!(SidHash::of("a").as_bytes()[..2], [0xca, 0x97]);
    /// ```
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Eight hexadecimal digits: enough to tell sessions apart in a log.
    pub fn short(&self) -> String {
        self.hex(4)
    }

    fn hex(&self, bytes: usize) -> String {
        self.0.iter().take(bytes).fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

impl From<&SessionId> for SidHash {
    fn from(sid: &SessionId) -> Self {
        sid.hash()
    }
}

/// 32 hexadecimal digits (128 bits).
impl fmt::Display for SidHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex(16))
    }
}

impl fmt::Debug for SidHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SidHash({self})")
    }
}
