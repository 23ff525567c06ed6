//! BSON as the JSON that `JSON.stringify` makes of what Node's driver (bson 6 and 7) reads.
//!
//! - An ObjectId is its hexadecimal digits, a Date its ISO text, a `Decimal128`
//!   `{"$numberDecimal":"…"}`, binary data its Base64, a UUID its text.
//! - NaN and infinities are `null`; a double without a fraction is written without one.
//! - An undefined member is left out, an undefined element is `null`. What has no form in JSON
//!   (regular expressions, the smallest and largest key) is `{}`.
//!
//! One thing is better than in Node: an int64 beyond 2^53 keeps all its digits, where Node's driver
//! gives an object of two halves.

use std::fmt::Write as _;

use ::mongodb::bson::spec::BinarySubtype;
use ::mongodb::bson::{RawBinaryRef, RawBsonRef, RawDocument};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// MongoDB itself refuses documents that nest deeper than this; ours is a guard of the stack.
const MAX_DEPTH: usize = 200;
/// The furthest that JavaScript's dates reach from 1970, in milliseconds.
const MAX_DATE: i64 = 8_640_000_000_000_000;

/// It is no well-formed BSON, or nests too deep.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<::mongodb::bson::error::Error> for Malformed {
    fn from(_: ::mongodb::bson::error::Error) -> Self {
        Self
    }
}

/// The JSON of any value; `null` for undefined.
pub(super) fn to_json(value: RawBsonRef<'_>) -> Result<String, Malformed> {
    let mut json = String::new();
    write_value(value, 0, &mut json)?;
    Ok(json)
}

fn write_value(value: RawBsonRef<'_>, depth: usize, json: &mut String) -> Result<(), Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed);
    }
    match value {
        RawBsonRef::Document(document) => write_object(document, depth, json)?,
        RawBsonRef::Array(array) => {
            json.push('[');
            for (n, element) in array.into_iter().enumerate() {
                if n > 0 {
                    json.push(',');
                }
                write_value(element?, depth + 1, json)?;
            }
            json.push(']');
        }
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) => write_text(text, json)?,
        RawBsonRef::Boolean(value) => write(json, value),
        RawBsonRef::Int32(number) => write(json, number),
        RawBsonRef::Int64(number) => write(json, number),
        RawBsonRef::Double(number) => write_double(number, json),
        RawBsonRef::ObjectId(id) => write_text(&id.to_hex(), json)?,
        RawBsonRef::DateTime(date) => write_date(date.timestamp_millis(), json),
        RawBsonRef::Decimal128(decimal) => {
            write(json, format_args!("{{\"$numberDecimal\":\"{decimal}\"}}"));
        }
        RawBsonRef::Binary(binary) => write_binary(binary, json),
        RawBsonRef::Timestamp(at) => {
            let whole = (u64::from(at.time) << 32) | u64::from(at.increment);
            write(json, format_args!("{{\"$timestamp\":\"{whole}\"}}"));
        }
        RawBsonRef::JavaScriptCode(code) => {
            json.push_str("{\"code\":");
            write_text(code, json)?;
            json.push('}');
        }
        RawBsonRef::JavaScriptCodeWithScope(code) => {
            json.push_str("{\"code\":");
            write_text(code.code, json)?;
            json.push_str(",\"scope\":");
            write_object(code.scope, depth + 1, json)?;
            json.push('}');
        }
        RawBsonRef::Null | RawBsonRef::Undefined => json.push_str("null"),
        RawBsonRef::RegularExpression(_)
        | RawBsonRef::MinKey
        | RawBsonRef::MaxKey
        | RawBsonRef::DbPointer(_) => json.push_str("{}"),
    }
    Ok(())
}

fn write_object(document: &RawDocument, depth: usize, json: &mut String) -> Result<(), Malformed> {
    json.push('{');
    let start = json.len();
    for member in document {
        let (name, value) = member?;
        if value == RawBsonRef::Undefined {
            continue;
        }
        if json.len() > start {
            json.push(',');
        }
        write_text(name.as_str(), json)?;
        json.push(':');
        write_value(value, depth + 1, json)?;
    }
    json.push('}');
    Ok(())
}

/// Writing to a `String` can't fail.
fn write(json: &mut String, value: impl std::fmt::Display) {
    let _ = write!(json, "{value}");
}

fn write_text(text: &str, json: &mut String) -> Result<(), Malformed> {
    json.push_str(&serde_json::to_string(text).map_err(|_| Malformed)?);
    Ok(())
}

/// As JavaScript, which writes digits alone up to 10^21.
fn write_double(number: f64, json: &mut String) {
    if !number.is_finite() {
        json.push_str("null");
    } else if number == 0.0 {
        json.push('0');
    } else if (1e-6..1e21).contains(&number.abs()) {
        write(json, number);
    } else {
        write(json, format_args!("{number:e}"));
    }
}

fn write_binary(binary: RawBinaryRef<'_>, json: &mut String) {
    json.push('"');
    if binary.subtype == BinarySubtype::Uuid && binary.bytes.len() == 16 {
        for (n, byte) in binary.bytes.iter().enumerate() {
            if matches!(n, 4 | 6 | 8 | 10) {
                json.push('-');
            }
            write(json, format_args!("{byte:02x}"));
        }
    } else {
        STANDARD.encode_string(binary.bytes, json);
    }
    json.push('"');
}

/// `Date.prototype.toJSON`.
fn write_date(ms: i64, json: &mut String) {
    if !(-MAX_DATE..=MAX_DATE).contains(&ms) {
        json.push_str("null");
        return;
    }
    let (year, month, day) = civil(ms.div_euclid(86_400_000));
    let of_day = ms.rem_euclid(86_400_000);
    json.push('"');
    match year {
        0..=9999 => write(json, format_args!("{year:04}")),
        _ => write(json, format_args!("{year:+07}")),
    }
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, ms) = (of_day / 1000 % 60, of_day % 1000);
    write(json, format_args!("-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z\""));
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar without end.
///
/// Years are counted from March, so that a leap day is the last of its year; 400 years are 146097
/// days, and 719468 days lie between the first of March of year 0 and 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // Five months from March on, and again from August on, are 153 days.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests;
