//! express-session 1.19.0 (`index.js`: `getcookie`, `unsigncookie`; `session/store.js`:
//! `createSession`; `session/cookie.js`).
//!
//! 1. The first cookie with the configured name counts; other copies are ignored.
//! 2. Its value is `s:` + signed session id; without `s:` it is ignored.
//! 3. Any of the secrets verifies it.
//! 4. A record must have a `cookie` member, or the app's middleware would throw.
//!
//! Deliberately stricter: a session id with control characters, `*` or `../` is malformed, though
//! signed. It would be put into keys, patterns and paths of stores, and no generator in use makes
//! one.

use std::borrow::Cow;

use serde_json::Value;

use super::{CookieFault, Located, SessionSource, SourceError, cookie_name, stored_id};
use crate::cookie::{Signer, decode_uri_component, find};
use crate::{CorruptRecord, RecordLimits, SessionRecord, SessionRequest};

/// Sessions of express-session: a signed cookie, the record in a store.
///
/// ```
/// use express_session::source::{CookieFault, ExpressSource, SessionSource};
/// use express_session::SessionRequest;
///
/// let source = ExpressSource::new("connect.sid", ["keyboard cat"])?;
/// let locate = |cookies| source.locate(&SessionRequest::from_cookie_header(cookies));
///
/// let good = "connect.sid=s%3Aa.b.c.G8ReS2HiYVtvMBGFvZUGp5RaCauWFLUTjnnTm%2FEQ2aE";
/// assert_eq!(locate(good)?.id().as_str(), "a.b.c");
/// assert_eq!(locate("theme=dark"), Err(CookieFault::Missing));
/// assert_eq!(locate("connect.sid=s%3Aa.b.c.forged"), Err(CookieFault::BadSignature));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExpressSource {
    cookie_name: Box<str>,
    signer: Signer,
    query_param: Option<Box<str>>,
}

impl ExpressSource {
    /// Sessions under the cookie `cookie_name` (express-session's `name`, by default
    /// `connect.sid`), signed with one of `secrets` (its `secret`).
    ///
    /// # Errors
    /// [`SourceError`] if a secret is missing or empty, or the name can't be a cookie's.
    pub fn new(
        name: &str,
        secrets: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Self, SourceError> {
        Ok(Self {
            cookie_name: cookie_name(name)?,
            signer: Signer::new(secrets)?,
            query_param: None,
        })
    }

    /// Also reads the signed value from this query parameter, where there is no cookie.
    ///
    /// # Security
    /// URLs end up in logs, histories and `Referer` headers, and a reader of these can use
    /// the session. This exists to move clients off the original's cross-origin workaround. Only
    /// exactly one, *signed* value counts, and a cookie always comes first.
    #[must_use]
    pub fn with_insecure_query_param(mut self, name: &str) -> Self {
        self.query_param = Some(name.into());
        self
    }

    /// Signs as the app does, for tests and for apps of your own.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The session cookie's name.
    pub fn cookie_name(&self) -> &str {
        &self.cookie_name
    }

    fn verify(&self, value: &str) -> Result<Located, CookieFault> {
        let signed = value
            .strip_prefix("s:")
            .ok_or(CookieFault::Malformed("it is not signed (no `s:` in front)"))?;
        let (sid, _) =
            signed.rsplit_once('.').ok_or(CookieFault::Malformed("it has no signature"))?;
        let sid = stored_id(sid)?;
        self.signer.unsign(signed).ok_or(CookieFault::BadSignature)?;
        Ok(Located::Stored(sid))
    }

    fn query_value<'q>(&self, query: &'q str) -> Result<Option<Cow<'q, str>>, CookieFault> {
        let Some(name) = &self.query_param else {
            return Ok(None);
        };
        let mut values = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, _)| **key == **name)
            .map(|(_, value)| value);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => decode_query_value(value)
                .map(Some)
                .ok_or(CookieFault::Malformed("its query parameter can't be decoded")),
            (Some(_), Some(_)) => Err(CookieFault::Malformed("its query parameter is repeated")),
        }
    }
}

/// A client sends the cookie's value as it read it: encoded once more by `URLSearchParams`, or
/// not (the original's README puts it into the URL as it is). A signed value has no `%`.
fn decode_query_value(value: &str) -> Option<Cow<'_, str>> {
    let once = decode_uri_component(value)?;
    if once.starts_with("s%3A") || once.starts_with("s%3a") {
        return decode_uri_component(&once).map(|twice| Cow::Owned(twice.into_owned()));
    }
    Some(once)
}

impl SessionSource for ExpressSource {
    fn locate(&self, request: &SessionRequest<'_>) -> Result<Located, CookieFault> {
        if let Some(value) = request.cookies().and_then(|cookies| find(cookies, &self.cookie_name))
        {
            return self.verify(&value);
        }
        match request.query().map(|query| self.query_value(query)).transpose()?.flatten() {
            Some(value) => self.verify(&value),
            None => Err(CookieFault::Missing),
        }
    }

    fn cookie_name(&self) -> Option<&str> {
        Some(&self.cookie_name)
    }

    /// `createSession` reads `sess.cookie.expires` and makes a `Cookie` of `sess.cookie`: a missing
    /// or null `cookie` throws, so does a truthy one that is no object, and so does its `maxAge`
    /// if it is truthy and no number.
    fn read(
        &self,
        payload: &[u8],
        limits: &RecordLimits,
    ) -> Result<Option<SessionRecord>, CorruptRecord> {
        let Some(record) = SessionRecord::parse(payload, limits)? else {
            return Ok(None);
        };
        match record.pointer("/cookie")?.unwrap_or_default() {
            Value::Null => Err(CorruptRecord::NotASession("it has no `cookie`")),
            Value::Object(cookie) => match cookie.get("maxAge") {
                Some(max_age) if is_truthy(max_age) && !max_age.is_number() => {
                    Err(CorruptRecord::NotASession("its `cookie.maxAge` is no number"))
                }
                _ => Ok(Some(record)),
            },
            Value::Array(_) => Ok(Some(record)),
            scalar if is_truthy(&scalar) => {
                Err(CorruptRecord::NotASession("its `cookie` is no object"))
            }
            _ => Ok(Some(record)),
        }
    }
}

/// ECMAScript's `ToBoolean`.
pub(super) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(bool) => *bool,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests;
