//! When the `cookie` of a record ends its session, as `lib/cookie.js` and `index.js` work it out:
//!
//! 1. `new Date(cookie.expires)`, if that is truthy;
//! 2. else `Date.now() + cookie.originalMaxAge` (or `cookie.maxAge`), of the moment at which it is
//!    read: so one of a millisecond or more is always ahead, and a negative one has always passed;
//! 3. `expiration.getTime() <= Date.now()` is an end. An invalid date is none.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::date;
use crate::source::express::is_truthy;

/// JavaScript's dates reach 100,000,000 days to either side of 1970.
const LAST_DATE: f64 = 8.64e15;

/// What a record's `cookie` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CookieEnd {
    Never,
    /// The first moment at which the session is over.
    At(SystemTime),
    /// There is a value, but what JavaScript makes of it is not imitated.
    Unknown,
}

pub(super) fn cookie_end(cookie: &Value) -> CookieEnd {
    let truthy = |name| cookie.get(name).filter(|value| is_truthy(value));
    match (truthy("expires"), truthy("originalMaxAge").or_else(|| truthy("maxAge"))) {
        // It is added to now in any case, and the addition may throw.
        (_, Some(Value::Object(_) | Value::Array(_))) => CookieEnd::Unknown,
        (Some(Value::String(text)), _) => text_date(text),
        (Some(value), _) => number(value).map_or(CookieEnd::Unknown, numeric_date),
        (None, Some(age)) => number(age).map_or(CookieEnd::Unknown, age_end),
        (None, None) => CookieEnd::Never,
    }
}

fn number(value: &Value) -> Option<f64> {
    if value == &Value::Bool(true) { Some(1.0) } else { value.as_f64() }
}

fn numeric_date(ms: f64) -> CookieEnd {
    if ms.abs() > LAST_DATE { CookieEnd::Never } else { at(date(ms.trunc())) }
}

fn age_end(ms: f64) -> CookieEnd {
    // Beyond the last date, and more than now can make up for.
    let is_invalid = ms < -LAST_DATE * 1.01;
    if ms >= 1.0 || is_invalid { CookieEnd::Never } else { CookieEnd::At(UNIX_EPOCH) }
}

fn at(date: Option<SystemTime>) -> CookieEnd {
    date.map_or(CookieEnd::Never, CookieEnd::At)
}

/// A date as `JSON.stringify` writes it: ISO 8601, in UTC, with milliseconds. Years before 0 and
/// after 9999 have a sign and six digits.
fn text_date(text: &str) -> CookieEnd {
    let digits = if text.starts_with(['+', '-']) { 7 } else { 4 };
    let Some((year, rest)) = text.split_at_checked(digits) else {
        return CookieEnd::Unknown;
    };
    let is_usual = rest.len() == "-01-01T00:00:00.000Z".len() && !rest.contains(":60.");
    let (true, true, Ok(number)) = (is_usual, year != "-000000", year.parse::<i32>()) else {
        return CookieEnd::Unknown;
    };
    let date_in = |year: i32| humantime::parse_rfc3339(&format!("{year}{rest}"));
    match number {
        1970..=9999 => date_in(number).map_or(CookieEnd::Unknown, CookieEnd::At),
        // Years that humantime does not know: the rest must be right in one that it does.
        _ if date_in(2000).is_err() => CookieEnd::Unknown,
        ..1970 => CookieEnd::At(UNIX_EPOCH),
        10_000.. => CookieEnd::Never,
    }
}
