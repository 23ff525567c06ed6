//! koa-session 7.0.2 (`src/context.ts`, `src/util.ts`): the session in the cookie, or in a store
//! under a key that the cookie carries.
//!
//! 1. `koa.sess` (`koa:sess` up to version 5) is signed by `koa.sess.sig` ([`Keygrip`], Koa's
//!    `app.keys`).
//! 2. In the cookie it is base64 of JSON; what does not decode to an object is no session.
//! 3. In a store the cookie's value **is** the key.
//! 4. A number `_expire` that is less than now ends it, wherever it is (`valid`).
//! 5. A record that replaces the session's own `toJSON` is corrupt: koa-session throws.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;

use super::cookie_session::{tolerant, verified};
use super::{
    CarriedSession, CookieFault, Located, SessionSource, SourceError, cookie_name, date, stored_id,
};
use crate::cookie::{Keygrip, KeygripHash, decode_base64};
use crate::json::member;
use crate::{CorruptRecord, RecordLimits, SessionRecord, SessionRequest};

/// Sessions of koa-session.
///
/// ```
/// use express_session::cookie::KeygripHash;
/// use express_session::source::{KoaSource, SessionSource};
/// use express_session::SessionRequest;
///
/// let source = KoaSource::in_store("koa.sess", ["kk1", "kk2"], KeygripHash::Sha1)?;
/// let cookies = "koa.sess=f2a95ea7-cbea-40fc-9ca7-433c4399dc18; koa.sess.sig=1btEiJvUM1_nsdczxu7dOkDbmKU";
/// let located = source.locate(&SessionRequest::from_cookie_header(cookies))?;
/// assert_eq!(located.id().as_str(), "f2a95ea7-cbea-40fc-9ca7-433c4399dc18");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KoaSource {
    cookie_name: Box<str>,
    keys: Keygrip,
    in_store: bool,
}

impl KoaSource {
    /// Sessions that the cookie `cookie_name` carries: koa-session without `store`.
    ///
    /// # Errors
    /// [`SourceError`] if a key is missing or empty, or the name can't be a cookie's.
    pub fn in_cookie(
        name: &str,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        hash: KeygripHash,
    ) -> Result<Self, SourceError> {
        let keys = Keygrip::new(keys, hash)?;
        Ok(Self { cookie_name: cookie_name(name)?, keys, in_store: false })
    }

    /// Sessions in a store: koa-session with `store`. The store's prefix is empty, unless its own
    /// adds one.
    ///
    /// # Errors
    /// As [`in_cookie`](Self::in_cookie).
    pub fn in_store(
        name: &str,
        keys: impl IntoIterator<Item = impl AsRef<[u8]>>,
        hash: KeygripHash,
    ) -> Result<Self, SourceError> {
        Ok(Self { in_store: true, ..Self::in_cookie(name, keys, hash)? })
    }
}

impl SessionSource for KoaSource {
    fn locate(&self, request: &SessionRequest<'_>) -> Result<Located, CookieFault> {
        let value = verified(request, &self.cookie_name, &self.keys)?;
        if self.in_store {
            return stored_id(value).map(Located::Stored);
        }
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
        match tolerant(SessionRecord::parse(payload, limits))? {
            Some(record) if hides_to_json(&record) => {
                Err(CorruptRecord::NotASession("it replaces koa-session's own `toJSON`"))
            }
            read => Ok(read),
        }
    }

    fn expiry(&self, record: &SessionRecord) -> Option<SystemTime> {
        let expire = json_of(record, "_expire")?;
        match serde_json::from_str::<f64>(expire) {
            // `_expire < Date.now()`: its own millisecond is the last.
            Ok(expire) => date(expire)?.checked_add(Duration::from_millis(1)),
            // `-1e999` is minus infinity in JavaScript. All others are no numbers, or never less.
            Err(_) => expire.starts_with('-').then_some(UNIX_EPOCH),
        }
    }

    fn needs_store(&self) -> bool {
        self.in_store
    }
}

/// `Session` sets each member of a record on itself, `__proto__` on its prototype as well, and
/// `ContextSession` then calls its `toJSON` (`src/session.ts`, `src/context.ts`).
fn hides_to_json(record: &SessionRecord) -> bool {
    json_of(record, "toJSON").is_some()
        || json_of(record, "__proto__").is_some_and(|json| json.starts_with(['{', '[', 'n']))
}

/// A member's JSON, which need not be a value that Rust can hold.
fn json_of<'r>(record: &'r SessionRecord, name: &str) -> Option<&'r str> {
    member(record.json(), name).ok().flatten().map(RawValue::get)
}
