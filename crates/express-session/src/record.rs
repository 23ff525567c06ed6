//! A session as its app sees it: JSON, kept as it is.
//!
//! Reading follows `JSON.parse`:
//!
//! 1. the whole text must be valid, also the members that are not read;
//! 2. of duplicate keys the last one wins;
//! 3. bytes that are not UTF-8 become U+FFFD, as in Node's `Buffer#toString`;
//! 4. `null`, `false`, `0` and `""` are no session (stores test `if (!data)`).
//!
//! Stricter than `JSON.parse`, and so "corrupt" here: more than [`RecordLimits`] allow, and values
//! that Rust's strings and numbers can't hold (a lone surrogate, `1e999`), where they are read.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::json::{element, member, members, outline};

/// The limits beyond which a record is corrupt.
///
/// ```
/// use express_session::RecordLimits;
///
/// let limits = RecordLimits::default();
/// assert_eq!((limits.max_bytes, limits.max_depth), (1024 * 1024, 64));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLimits {
    /// Bytes of JSON; 1 MiB by default. Real sessions are a few hundred bytes.
    pub max_bytes: usize,
    /// Objects and arrays inside each other, also in fields that are skipped; 64 by default.
    pub max_depth: usize,
}

impl Default for RecordLimits {
    fn default() -> Self {
        Self { max_bytes: 1024 * 1024, max_depth: 64 }
    }
}

/// Why a record can't be read. It never shows the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CorruptRecord {
    /// More bytes than [`RecordLimits::max_bytes`].
    #[error("the session record has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The record's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Deeper than [`RecordLimits::max_depth`].
    #[error("the session record nests deeper than the limit of {limit}")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// `JSON.parse` would throw.
    #[error("the session record is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error, from 1.
        column: usize,
    },
    /// JSON, but not a session: the app's own middleware would throw.
    #[error("the session record is not a session: {0}")]
    NotASession(&'static str),
}

/// Keeps the place only: a message of serde's can quote the record.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn not_json(error: serde_json::Error) -> CorruptRecord {
    CorruptRecord::NotJson { line: error.line(), column: error.column() }
}

/// A session's JSON. Cheap to clone.
///
/// ```
/// use express_session::{RecordLimits, SessionRecord};
///
/// let json = br#"{"cookie":{"originalMaxAge":60000},"passport":{"user":0},"passport":{"user":7}}"#;
/// let record = SessionRecord::parse(json, &RecordLimits::default())?.expect("a session");
/// assert_eq!(record.pointer("/passport/user")?, Some(7.into()));
/// assert_eq!(record.pointer("/cart")?, None);
/// assert_eq!(record.cookie()?.original_max_age, Some(std::time::Duration::from_secs(60)));
///
/// assert!(SessionRecord::parse(b"{broken", &RecordLimits::default()).is_err());
/// # Ok::<_, express_session::CorruptRecord>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRecord(Arc<str>);

impl SessionRecord {
    /// Reads what a store holds. `None` for JSON that is no session (`null`, `false`, `0`, `""`).
    ///
    /// # Errors
    /// [`CorruptRecord`] if it is too large, too deep, not JSON, or no JSON object.
    pub fn parse(payload: &[u8], limits: &RecordLimits) -> Result<Option<Self>, CorruptRecord> {
        if payload.len() > limits.max_bytes {
            return Err(CorruptRecord::TooLarge { bytes: payload.len(), limit: limits.max_bytes });
        }
        let json = String::from_utf8_lossy(payload);
        let outline = outline(&json);
        // Skipping over a value is iterative in serde_json and knows no depth limit.
        if outline.depth > limits.max_depth {
            return Err(CorruptRecord::TooDeep { limit: limits.max_depth });
        }
        // Reading keys as bytes, for their lone surrogates, it takes raw control characters as well.
        if outline.has_raw_control {
            let _: IgnoredAny = serde_json::from_str(&json).map_err(not_json)?;
        }
        if json.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
            member(&json, "").map_err(not_json)?;
            return Ok(Some(Self(json.into())));
        }
        match serde_json::from_str(&json).map_err(not_json)? {
            Value::Null | Value::Bool(false) => Ok(None),
            Value::Number(number) if number.as_f64() == Some(0.0) => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            _ => Err(CorruptRecord::NotASession("it is no JSON object")),
        }
    }

    /// The JSON, as the store holds it.
    pub fn json(&self) -> &str {
        &self.0
    }

    /// The value at a [JSON pointer] such as `/passport/user`. `None` if there is none.
    ///
    /// # Errors
    /// [`CorruptRecord::NotJson`] if the value is one that Rust can't hold (a lone surrogate, a
    /// number beyond `f64`).
    ///
    /// [JSON pointer]: https://www.rfc-editor.org/rfc/rfc6901
    pub fn pointer(&self, pointer: &str) -> Result<Option<Value>, CorruptRecord> {
        let Some(path) = pointer.strip_prefix('/') else {
            return if pointer.is_empty() {
                serde_json::from_str(&self.0).map(Some).map_err(not_json)
            } else {
                Ok(None)
            };
        };
        // Step by step, the last of each name: members that are not read need not be values that Rust
        // can hold, and only the one that is asked for becomes a `Value`.
        let (mut json, mut path) = (self.0.trim_start(), Some(path));
        while let Some(rest) = path {
            let (name, deeper) = rest.split_once('/').map_or((rest, None), |(a, b)| (a, Some(b)));
            let name = name.replace("~1", "/").replace("~0", "~");
            let found = match json.as_bytes().first() {
                Some(b'{') => member(json, &name).map_err(not_json)?,
                Some(b'[') => element(json, &name).map_err(not_json)?,
                _ => None,
            };
            let Some(found) = found else {
                return Ok(None);
            };
            (json, path) = (found.get(), deeper);
        }
        serde_json::from_str(json).map(Some).map_err(not_json)
    }

    /// The names of its members, without their values. A name that Rust's strings can't
    /// hold is left out.
    pub fn keys(&self) -> Vec<String> {
        let members = members(&self.0).unwrap_or_default();
        members.into_iter().filter_map(|(name, _)| String::from_utf8(name).ok()).collect()
    }

    /// Whether all that the app itself put into both is the same, to the letter: what is left is what
    /// a touch writes (`cookie`; session-file-store's `__lastAccess`; koa-session's `_expire` and
    /// `_maxAge`).
    ///
    /// ```
    /// use express_session::{RecordLimits, SessionRecord};
    ///
    /// let parse = |json: &str| SessionRecord::parse(json.as_bytes(), &RecordLimits::default());
    /// let before = parse(r#"{"cookie":{"expires":"2026-01-01"},"role":"admin"}"#)?.expect("one");
    /// let touched = parse(r#"{"cookie":{"expires":"2026-01-02"},"role":"admin"}"#)?.expect("one");
    /// let changed = parse(r#"{"cookie":{"expires":"2026-01-02"},"role":"guest"}"#)?.expect("one");
    /// assert!(touched.differs_at_most_in_expiry(&before));
    /// assert!(!changed.differs_at_most_in_expiry(&before));
    /// # Ok::<_, express_session::CorruptRecord>(())
    /// ```
    pub fn differs_at_most_in_expiry(&self, other: &Self) -> bool {
        const EXPIRY: [&str; 4] = ["cookie", "__lastAccess", "_expire", "_maxAge"];
        let of_app = |record: &'_ Self| -> Option<Vec<(Vec<u8>, String)>> {
            let members = members(&record.0).ok()?.into_iter();
            let members = members.map(|(name, value)| (name, value.get().to_owned()));
            let is_expiry = |name: &[u8]| EXPIRY.iter().any(|expiry| expiry.as_bytes() == name);
            Some(members.filter(|(name, _)| !is_expiry(name)).collect())
        };
        self == other || of_app(self).is_some_and(|ours| of_app(other) == Some(ours))
    }

    /// What express-session keeps about its cookie.
    ///
    /// # Errors
    /// [`CorruptRecord`] as for [`pointer`](Self::pointer).
    pub fn cookie(&self) -> Result<SessionCookie, CorruptRecord> {
        let cookie = self.pointer("/cookie")?.unwrap_or_default();
        let flag = |name| cookie.get(name).and_then(Value::as_bool).unwrap_or(false);
        Ok(SessionCookie {
            original_max_age: cookie
                .get("originalMaxAge")
                .and_then(Value::as_f64)
                .and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok()),
            expires: cookie.get("expires").and_then(Value::as_str).map(Into::into),
            secure: flag("secure"),
            http_only: flag("httpOnly"),
        })
    }
}

/// Shows its size, never its content.
impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionRecord({} bytes)", self.0.len())
    }
}

/// The `cookie` member of a session: what express-session knows about the cookie it set.
///
/// # Security
/// `expires` is the date of the last *save*. Stores prolong a session without rewriting it
/// (`touch`), so a date in the past says nothing: the store's own expiry counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionCookie {
    /// `originalMaxAge`: the `maxAge` the app asked for. `None` for a browser-session cookie.
    pub original_max_age: Option<Duration>,
    /// `expires`: an ISO 8601 date, as it was when the session was last saved.
    pub expires: Option<Box<str>>,
    /// `secure`: sent over TLS only.
    pub secure: bool,
    /// `httpOnly`: hidden from scripts.
    pub http_only: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(json: &str) -> Result<Option<Value>, CorruptRecord> {
        match SessionRecord::parse(json.as_bytes(), &RecordLimits::default())? {
            Some(record) => record.pointer("/passport/user"),
            None => Ok(None),
        }
    }

    #[test]
    fn the_last_of_duplicate_keys_wins_at_every_level() {
        assert_eq!(user(r#"{"passport":{"user":1},"passport":{"user":2}}"#), Ok(Some(2.into())));
        assert_eq!(user(r#"{"passport":{"user":1,"user":2}}"#), Ok(Some(2.into())));
        assert_eq!(user(r#"{"passport":{"user":1},"passport":null}"#), Ok(None));
        assert_eq!(
            user(r#"{"passport":{"user":1},"pass\u0070ort":{"user":3}}"#),
            Ok(Some(3.into()))
        );
    }

    #[test]
    fn the_whole_text_must_be_json() {
        for broken in [
            "",
            "{",
            "nope",
            r#"{"passport":{"user":1}"#,
            r#"{"passport":{"user":1}} x"#,
            r#"{"passport":{"user":1},}"#,
            r#"{"passport":{"user":1},"skipped":01}"#,
            r#"{"passport":{"user":1},"skipped":"\x"}"#,
            "{\"passport\":{\"user\":1},\"skipped\":\"\n\"}",
            "{\"passport\":{\"user\":1},\"\n\":1}",
            "{\"passport\":{\"user\":1},\"skipped\":{\"\t\":1}}",
            r#"{"passport":{"user":1},"skipped":NaN}"#,
            "\u{feff}{}",
        ] {
            assert!(matches!(user(broken), Err(CorruptRecord::NotJson { .. })), "{broken}");
        }
    }

    #[test]
    fn skipped_fields_accept_what_json_parse_accepts() {
        for skipped in
            [r#""\ud800""#, "1e999", "-0", r#"{"\udc00":1}"#, "123456789012345678901234567890"]
        {
            let json = format!(r#"{{"other":{skipped},"\ud800":1,"passport":{{"user":1}}}}"#);
            assert_eq!(user(&json), Ok(Some(1.into())), "{json}");
        }
    }

    /// The differential harness found one that was off by the last bit.
    #[test]
    fn fractions_are_read_as_json_parse_reads_them() {
        for number in ["235450.45743801654", "1.76755187500002e-9"] {
            let json = format!(r#"{{"passport":{{"user":{number}}}}}"#);
            assert_eq!(user(&json).unwrap().unwrap().to_string(), number);
        }
    }

    #[test]
    fn falsy_json_is_no_session_and_other_scalars_are_corrupt() {
        for falsy in ["null", "false", "0", "-0.0", "\"\"", " null "] {
            assert_eq!(SessionRecord::parse(falsy.as_bytes(), &RecordLimits::default()), Ok(None));
        }
        for other in ["true", "1", "\"text\"", "[]"] {
            assert!(matches!(user(other), Err(CorruptRecord::NotASession(_))), "{other}");
        }
    }

    #[test]
    fn limits_hold_also_in_fields_that_are_not_read() {
        let nested =
            |levels: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(user(&nested(63)).is_ok());
        assert_eq!(user(&nested(64)), Err(CorruptRecord::TooDeep { limit: 64 }));
        assert_eq!(user(&nested(10_000)), Err(CorruptRecord::TooDeep { limit: 64 }));

        let brackets_in_text = format!(r#"{{"x":"\"{}"}}"#, "[".repeat(1000));
        assert_eq!(user(&brackets_in_text), Ok(None));

        let limits = RecordLimits { max_bytes: 10, ..RecordLimits::default() };
        let large = SessionRecord::parse(b"{\"x\":\"12345\"}", &limits);
        assert_eq!(large, Err(CorruptRecord::TooLarge { bytes: 13, limit: 10 }));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_as_in_node() {
        let record =
            SessionRecord::parse(b"{\"passport\":{\"user\":\"\xff\"}}", &RecordLimits::default());
        assert_eq!(record.unwrap().unwrap().pointer("/passport/user"), Ok(Some("\u{fffd}".into())));
    }

    #[test]
    fn errors_do_not_quote_the_record() {
        let error = user(r#"{"passport":{"user":"hunter2"#).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn members_that_are_not_read_may_hold_values_that_rust_can_not() {
        for json in [
            r#" {"":"\ud800","passport":{"user":[9e324,null],"user":3}}"#,
            r#"{"passport":{"a":9e324,"user":3,"\ud800":"\ud800"}}"#,
            r#"{"passport":{"user":9e324},"passport":{"user":3}}"#,
        ] {
            let record = SessionRecord::parse(json.as_bytes(), &RecordLimits::default());
            assert_eq!(record.unwrap().unwrap().pointer("/passport/user"), Ok(Some(3.into())));
        }
        for json in [r#"{"passport":[9e324]}"#, r#"{"passport":"\ud800"}"#, r#"{"passport":9e324}"#]
        {
            let record = SessionRecord::parse(json.as_bytes(), &RecordLimits::default());
            assert_eq!(record.unwrap().unwrap().pointer("/passport/user"), Ok(None));
        }
    }

    #[test]
    fn pointers_follow_rfc_6901() {
        let json = br#"{"a/b":{"~":[10,20]},"passport":7}"#;
        let record = SessionRecord::parse(json, &RecordLimits::default()).unwrap().unwrap();
        assert_eq!(record.pointer("/a~1b/~0/1"), Ok(Some(20.into())));
        for no_index in ["2", "-1", "+1", "01", "length", ""] {
            assert_eq!(record.pointer(&format!("/a~1b/~0/{no_index}")), Ok(None), "{no_index}");
        }
        assert_eq!(record.pointer("/passport"), Ok(Some(7.into())));
        assert_eq!(record.pointer("/passport/user"), Ok(None));
        assert_eq!(record.pointer("passport"), Ok(None));
    }
}
