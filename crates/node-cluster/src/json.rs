//! JSON as `JSON.stringify` writes it, into a [`Value`] and back.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::value::from_signed;
use crate::{Limits, Malformed, Value};

impl Value {
    /// Reads JSON, as `JSON.parse` does.
    ///
    /// ```
    /// use node_cluster::{Limits, Value};
    ///
    /// let half_a_pair = Value::from_json(br#""\ud800""#, &Limits::default())?;
    /// assert_eq!(half_a_pair, Value::Str("\u{fffd}".into()));
    /// # Ok::<(), node_cluster::Malformed>(())
    /// ```
    ///
    /// # Errors
    /// [`Malformed`] if this is none, or larger than `limits` allow.
    pub fn from_json(bytes: &[u8], limits: &Limits) -> Result<Self, Malformed> {
        if bytes.len() > limits.message {
            return Err(Malformed::TooLarge);
        }
        let text = String::from_utf8_lossy(bytes);
        let text = whole_pairs(&text);
        let budget = Budget { values_left: Cell::new(limits.values), fault: Cell::new(None) };
        let mut reader = serde_json::Deserializer::from_str(&text);
        let read = Reader { budget: &budget, depth_left: limits.depth }.deserialize(&mut reader);
        match read.and_then(|value| reader.end().map(|()| value)) {
            Ok(value) => Ok(value),
            Err(error) => Err(match budget.fault.take() {
                Some(fault) => fault,
                None if error.is_eof() => Malformed::Truncated,
                None => Malformed::NotJson,
            }),
        }
    }

    /// Writes JSON, as `JSON.stringify` does. Bytes are written as it writes a `Buffer`.
    ///
    /// ```
    /// use node_cluster::Value;
    ///
    /// let bytes = Value::Bytes(vec![1, 2].into());
    /// assert_eq!(bytes.to_json(), br#"{"type":"Buffer","data":[1,2]}"#);
    /// ```
    pub fn to_json(&self) -> Vec<u8> {
        // Writing a tree with text keys to memory does not fail.
        serde_json::to_vec(&without_bytes(self)).unwrap_or_default()
    }
}

fn without_bytes(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Bytes(bytes) => {
            let numbers = bytes.iter().map(|byte| Value::Int((*byte).into())).collect();
            Cow::Owned(Value::Map(vec![
                ("type".into(), Value::Str("Buffer".into())),
                ("data".into(), Value::Array(numbers)),
            ]))
        }
        Value::Array(items) if has_bytes(value) => {
            let items = items.iter().map(|item| without_bytes(item).into_owned());
            Cow::Owned(Value::Array(items.collect()))
        }
        Value::Map(entries) if has_bytes(value) => {
            let entry =
                |(key, value): &(String, Value)| (key.clone(), without_bytes(value).into_owned());
            Cow::Owned(Value::Map(entries.iter().map(entry).collect()))
        }
        _ => Cow::Borrowed(value),
    }
}

fn has_bytes(value: &Value) -> bool {
    match value {
        Value::Bytes(_) => true,
        Value::Array(items) => items.iter().any(has_bytes),
        Value::Map(entries) => entries.iter().any(|(_, value)| has_bytes(value)),
        _ => false,
    }
}

/// The same text with `\ufffd` for each escaped half of a surrogate pair that stands alone: Node
/// writes and reads those, serde refuses them.
fn whole_pairs(text: &str) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (this, next) = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => escape.split_at(12),
            (Some(_), _) => ("\\ufffd", escape.get(6..).unwrap_or_default()),
            // A backslash and whatever it escapes, which may be another backslash.
            (None, _) => {
                let length = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
                escape.split_at(length)
            }
        };
        out.push_str(this);
        rest = next;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The half of a pair that this starts with, as an escape.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u16::from_str_radix(digits, 16).ok().filter(|unit| (0xd800..=0xdfff).contains(unit))
}

struct Budget {
    values_left: Cell<usize>,
    fault: Cell<Option<Malformed>>,
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    budget: &'a Budget,
    depth_left: usize,
}

impl Reader<'_> {
    fn fail<E: serde::de::Error>(self, fault: Malformed) -> E {
        self.budget.fault.set(Some(fault));
        E::custom(fault)
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(self.fail(Malformed::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.budget.values_left.get().checked_sub(1) {
            Some(left) => self.budget.values_left.set(left),
            None => return Err(self.fail(Malformed::TooManyValues)),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Value, E> {
        Ok(Value::Bool(yes))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(from_signed(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from_unsigned(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Str(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let reader = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(reader)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let reader = self.deeper()?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key()? {
            entries.push((key, map.next_value_seed(reader)?));
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Value, Malformed> {
        Value::from_json(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn halves_of_surrogate_pairs_are_replaced() {
        for (text, expected) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\uD83D\uDE00!""#, "😀!"),
            (r#""\ud800""#, "\u{fffd}"),
            (r#""\ud800\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\udc00x""#, "\u{fffd}x"),
            (r#""\\ud800""#, "\\ud800"),
            (r#""\\\ud800é""#, "\\\u{fffd}é"),
            (r#""é\ud800\u00e9""#, "é\u{fffd}é"),
        ] {
            assert_eq!(read(text), Ok(Value::Str(expected.into())), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_json_is_refused() {
        for (text, fault) in [
            ("", Malformed::Truncated),
            ("{\"a\":", Malformed::Truncated),
            ("{} {}", Malformed::NotJson),
            ("undefined", Malformed::NotJson),
            ("\"\\ud80\"", Malformed::NotJson),
            ("\"\\ud800", Malformed::Truncated),
            ("\"\\", Malformed::Truncated),
        ] {
            assert_eq!(read(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn limits_hold_for_json() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&deep(64)).is_ok());
        assert_eq!(read(&deep(65)), Err(Malformed::TooDeep));
        assert_eq!(read(&deep(100_000)), Err(Malformed::TooDeep));
        let limits = Limits::default().max_values(3).max_message(8);
        assert!(Value::from_json(b"[1,2]", &limits).is_ok());
        assert_eq!(Value::from_json(b"[1,2,3]", &limits), Err(Malformed::TooManyValues));
        assert_eq!(Value::from_json(b"[1,2,34]  ", &limits), Err(Malformed::TooLarge));
    }

    #[test]
    fn bytes_are_written_as_node_writes_a_buffer() {
        let value = Value::Map(vec![
            ("a".into(), Value::Array(vec![Value::Bytes(vec![255].into()), Value::Undefined])),
            ("b".into(), Value::Undefined),
        ]);
        let text = r#"{"a":[{"type":"Buffer","data":[255]},null]}"#;
        assert_eq!(String::from_utf8(value.to_json()).unwrap(), text);
    }
}
