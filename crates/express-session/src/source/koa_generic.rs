//! koa-generic-session 2.3.1 (`lib/session.js`, `lib/store.js`) with koa-redis 4.0.1: a session id
//! in the cookie, the session in a store.
//!
//! 1. `koa.sid` is signed by `koa.sid.sig` ([`Keygrip`], Koa's `app.keys`).
//! 2. The store's key is a prefix (`koa:sess:`) and the id.
//! 3. A record that is not JSON is no session: koa-redis hides the error.

use super::cookie_session::{tolerant, verified};
use super::{CookieFault, Located, SessionSource, SourceError, cookie_name, stored_id};
use crate::cookie::{Keygrip, KeygripHash};
use crate::{CorruptRecord, RecordLimits, SessionRecord, SessionRequest};

/// Sessions of koa-generic-session. Give the store the prefix `koa:sess:`.
///
/// ```
/// use express_session::cookie::{Keygrip, KeygripHash};
/// use express_session::source::{KoaGenericSource, SessionSource};
/// use express_session::SessionRequest;
///
/// let source = KoaGenericSource::new("koa.sid", ["kk1"], KeygripHash::Sha1)?;
/// let sig = Keygrip::new(["kk1"], KeygripHash::Sha1)?.sign("koa.sid=abc");
/// let cookies = format!("koa.sid=abc; koa.sid.sig={sig}");
/// let located = source.locate(&SessionRequest::from_cookie_header(&cookies))?;
/// assert_eq!(located.id().as_str(), "abc");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KoaGenericSource {
    cookie_name: Box<str>,
    keys: Keygrip,
}

impl KoaGenericSource {
    /// Sessions under the cookie `cookie_name` (the `key` option, by default `koa.sid`), signed
    /// with one of `keys`.
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

impl SessionSource for KoaGenericSource {
    fn locate(&self, request: &SessionRequest<'_>) -> Result<Located, CookieFault> {
        let id = verified(request, &self.cookie_name, &self.keys)?;
        stored_id(id).map(Located::Stored)
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
}
