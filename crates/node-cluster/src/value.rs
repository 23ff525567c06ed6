//! A JavaScript value, as it travels between servers.

use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use crate::date;

/// The largest integer that a JavaScript number holds exactly, and all smaller ones: 2^53 - 1.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// A JavaScript value, as it travels between servers.
///
/// Serialized, it is what a Socket.IO client receives from a Node server: dates are ISO text,
/// `undefined` is `null` in an array and absent in an object, and a number that JSON cannot write
/// is `null`. Bytes stay bytes.
///
/// ```
/// use node_cluster::Value;
///
/// let value = Value::Map(vec![
///     ("at".into(), Value::Date(Some(0))),
///     ("gone".into(), Value::Undefined),
///     ("list".into(), Value::Array(vec![Value::Undefined, Value::Float(f64::NAN)])),
/// ]);
/// assert_eq!(
///     serde_json::to_string(&value)?,
///     r#"{"at":"1970-01-01T00:00:00.000Z","list":[null,null]}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `undefined`.
    #[default]
    Undefined,
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number that is no integer, or too large for one.
    Float(f64),
    /// A string. A half of a surrogate pair that stood alone has become U+FFFD.
    Str(String),
    /// A `Buffer`, an `ArrayBuffer` or a typed array.
    Bytes(Bytes),
    /// An array.
    Array(Vec<Value>),
    /// An object, in the order in which it was written.
    Map(Vec<(String, Value)>),
    /// A `Date`, in milliseconds since 1970; `None` is an invalid one.
    Date(Option<i64>),
}

impl Value {
    /// An unsigned integer, as JavaScript holds it: above 2^53 as the nearest float.
    ///
    /// ```
    /// use node_cluster::Value;
    ///
    /// assert_eq!(Value::from_unsigned(7), Value::Int(7));
    /// assert_eq!(Value::from_unsigned(u64::MAX), Value::Float(18_446_744_073_709_551_615.0));
    /// ```
    pub fn from_unsigned(number: u64) -> Self {
        match i64::try_from(number) {
            Ok(integer) if number <= MAX_SAFE => Self::Int(integer),
            _ => Self::Float(nearest(number)),
        }
    }

    /// The value of an object's key, where this is an object that has it. Of several the last one
    /// counts.
    ///
    /// ```
    /// use node_cluster::Value;
    ///
    /// let map = Value::Map(vec![("a".into(), Value::Int(1)), ("a".into(), Value::Int(2))]);
    /// assert_eq!(map.field("a"), Some(&Value::Int(2)));
    /// assert_eq!(map.field("b"), None);
    /// ```
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => {
                entries.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The text, where this is a string.
    ///
    /// ```
    /// use node_cluster::Value;
    ///
    /// assert_eq!(Value::Str("a".into()).as_str(), Some("a"));
    /// assert_eq!(Value::Null.as_str(), None);
    /// ```
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, where this is one, or a float without a fraction.
    ///
    /// ```
    /// use node_cluster::Value;
    ///
    /// assert_eq!(Value::Int(7).as_int(), Some(7));
    /// assert_eq!(Value::Float(7.5).as_int(), None);
    /// ```
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether a JavaScript program that asks `value == null` gets `true`.
    ///
    /// ```
    /// use node_cluster::Value;
    ///
    /// assert!(Value::Undefined.is_nullish() && Value::Null.is_nullish());
    /// assert!(!Value::Bool(false).is_nullish());
    /// ```
    pub fn is_nullish(&self) -> bool {
        matches!(self, Self::Undefined | Self::Null)
    }

    /// The name that a room has if this is its key: a string, or a number as JavaScript writes it.
    pub(crate) fn room_name(&self) -> Option<String> {
        match self {
            Self::Str(text) => Some(text.clone()),
            Self::Int(number) => Some(number.to_string()),
            // As JavaScript, which writes no more than 21 digits.
            Self::Float(number) if number.abs() < 1e21 => Some(number.to_string()),
            Self::Float(number) if number.is_finite() => {
                Some(format!("{number:e}").replace('e', "e+"))
            }
            _ => None,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "what JavaScript does, too")]
fn nearest(number: u64) -> f64 {
    number as f64
}

/// Of an integer beyond 2^53.
#[expect(clippy::cast_precision_loss, reason = "what JavaScript does, too")]
pub(crate) fn from_signed(number: i64) -> Value {
    if number.unsigned_abs() <= MAX_SAFE { Value::Int(number) } else { Value::Float(number as f64) }
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(yes) => Self::Bool(*yes),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => from_signed(integer),
                (None, Some(integer)) => Self::from_unsigned(integer),
                (None, None) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Self::Str(text.clone()),
            serde_json::Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            serde_json::Value::Object(entries) => {
                let entry = |(key, value): (&String, _)| (key.clone(), Self::from(value));
                Self::Map(entries.iter().map(entry).collect())
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) if number.is_finite() => serializer.serialize_f64(*number),
            Self::Undefined | Self::Null | Self::Float(_) | Self::Date(None) => {
                serializer.serialize_unit()
            }
            Self::Str(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Array(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    sequence.serialize_element(item)?;
                }
                sequence.end()
            }
            Self::Map(entries) => {
                let there = || entries.iter().filter(|(_, value)| *value != Self::Undefined);
                let mut map = serializer.serialize_map(Some(there().count()))?;
                for (key, value) in there() {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Date(Some(millis)) => match date::iso(*millis) {
                Some(text) => serializer.serialize_str(&text),
                None => serializer.serialize_unit(),
            },
        }
    }
}
