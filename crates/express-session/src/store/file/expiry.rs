//! When session-file-store takes a session for dead, and how that moment is moved in its JSON.
//!
//! `isExpired`: `__lastAccess + (cookie.originalMaxAge || ttl) < now`, in milliseconds. As there, a
//! session without a `__lastAccess` never ends (nothing is less than NaN), `null` counts as 0, and a
//! `ttl` of 0 ends it at once.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::json::member;
use crate::store::Life;

const LAST_ACCESS: &str = "__lastAccess";

/// What a session's JSON says of its expiry. Without end is infinite, and a text is minus infinity: see
/// [`number`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expiry {
    /// Milliseconds from the last access on.
    max_age: f64,
    /// Milliseconds since 1970.
    last_access: f64,
    /// Where the last access stands in the text, if it does.
    span: Option<Range<usize>>,
}

impl Expiry {
    /// `ttl` is for sessions without a `maxAge`. `None` if the text is no JSON object.
    pub(super) fn read(json: &str, ttl: Duration) -> Option<Self> {
        let last_access = member(json, LAST_ACCESS).ok()?.map(serde_json::value::RawValue::get);
        let cookie = member(json, "cookie").ok()?;
        // A cookie that is no object has no such member, in JavaScript as here.
        let max_age = cookie.and_then(|cookie| member(cookie.get(), "originalMaxAge").ok()?);
        let max_age = max_age.map_or(0.0, |max_age| number(max_age.get()));
        Some(Self {
            max_age: if max_age == 0.0 { ttl.as_secs_f64() * 1000.0 } else { max_age },
            last_access: last_access.map_or(f64::INFINITY, number),
            span: last_access.map(|at| {
                let start = at.as_ptr().addr() - json.as_ptr().addr();
                start..start + at.len()
            }),
        })
    }

    /// How long Node returns the session.
    pub(super) fn life(&self) -> Life {
        let last = (self.last_access + self.max_age).floor();
        match last {
            _ if self.max_age == 0.0 || last == f64::NEG_INFINITY => Life::Until(UNIX_EPOCH),
            _ if !last.is_finite() => Life::Forever,
            // The session is alive in this millisecond, and dead in the next.
            _ => from_millis(last + 1.0).map_or(Life::Forever, Life::Until),
        }
    }

    /// What the last access must be, and where it stands, for the session to be dead from `end` on.
    /// `None` if it has none that could be replaced by as many digits.
    pub(super) fn moved_to(&self, end: SystemTime) -> Option<(Range<usize>, String)> {
        let span = self.span.clone()?;
        let digits = self.last_access_for(end)?;
        (digits.len() == span.len()).then_some((span, digits))
    }

    fn last_access_for(&self, end: SystemTime) -> Option<String> {
        let last_access = millis(end) - 1.0 - self.max_age;
        (last_access.is_finite() && last_access >= 0.0).then(|| format!("{last_access:.0}"))
    }
}

/// What it counts as in a sum that is compared with a date. A text makes the sum a text, of digits that
/// stand for any date: no app writes one, and here such a session is over.
fn number(json: &str) -> f64 {
    match serde_json::from_str(json) {
        Ok(Value::Number(number)) => number.as_f64().unwrap_or(f64::INFINITY),
        Ok(Value::Null | Value::Bool(false)) => 0.0,
        Ok(Value::Bool(true)) => 1.0,
        Ok(Value::String(_) | Value::Array(_) | Value::Object(_)) => f64::NEG_INFINITY,
        _ => f64::INFINITY,
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
fn millis(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn from_millis(ms: f64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(ms as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const ACCESS: u64 = 1_795_401_605_979;

    fn at(ms: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(ms)
    }

    fn life(json: &str) -> Life {
        Expiry::read(json, HOUR).unwrap().life()
    }

    #[test]
    fn a_session_lives_for_max_age_or_ttl_after_its_last_access() {
        for (cookie, max_age) in [
            (r#"{"originalMaxAge":60000}"#, 60_000),
            (r#"{"originalMaxAge":null}"#, 3_600_000),
            (r#"{"originalMaxAge":0}"#, 3_600_000),
            (r#"{"originalMaxAge":0.5}"#, 0),
            (r#"{"originalMaxAge":true}"#, 1),
            ("{}", 3_600_000),
            ("null", 3_600_000),
            (r#""originalMaxAge""#, 3_600_000),
        ] {
            let json = format!(r#"{{"cookie":{cookie},"__lastAccess":{ACCESS}}}"#);
            assert_eq!(life(&json), Life::Until(at(ACCESS + max_age + 1)), "{cookie}");
        }
        assert_eq!(
            life(&format!(r#"{{"__lastAccess":{ACCESS}}}"#)),
            Life::Until(at(ACCESS + 3_600_001))
        );
    }

    #[test]
    fn odd_expiries_are_read_as_in_javascript() {
        for json in ["{}", r#"{"cookie":{"originalMaxAge":60000}}"#, r#"{"__lastAccess":1e999}"#] {
            assert_eq!(life(json), Life::Forever, "{json}");
        }
        for json in [
            r#"{"__lastAccess":null}"#,
            r#"{"__lastAccess":-1e300}"#,
            r#"{"__lastAccess":"1"}"#,
            r#"{"cookie":{"originalMaxAge":"60000"},"__lastAccess":1}"#,
        ] {
            assert!(life(json).ended_at(at(ACCESS)).is_some(), "{json}");
        }
        let no_ttl = Expiry::read(r#"{"__lastAccess":9e15}"#, Duration::ZERO).unwrap();
        assert!(no_ttl.life().ended_at(at(ACCESS)).is_some());
        for text in ["", "[]", "7", "{broken"] {
            assert_eq!(Expiry::read(text, HOUR), None, "{text}");
        }
    }

    #[test]
    fn only_a_timestamp_of_equal_length_is_overwritten() {
        let moved = |json: &str| Expiry::read(json, HOUR).unwrap().moved_to(at(ACCESS));
        let json = r#"{"__lastAccess":1795401605979}"#;
        assert_eq!(moved(json), Some((16..29, "1795398005978".to_owned())));
        for other in ["{}", r#"{"__lastAccess":7}"#] {
            assert_eq!(moved(other), None);
        }
    }
}
