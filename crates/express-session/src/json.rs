//! JSON objects, read without being built: a session can be large, and only one member is wanted.
//!
//! `serde_json` skips over values without recursion and without a limit of depth, and without asking
//! whether numbers and strings are ones that Rust can hold: as `JSON.parse` takes them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What the brackets and quotes of a JSON text show, without recursion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// How many objects and arrays the deepest value lies in.
    pub(crate) depth: usize,
    /// Whether there is a control character in a string, which only an escape may bring there.
    pub(crate) has_raw_control: bool,
}

pub(crate) fn outline(json: &str) -> Outline {
    let mut depth = 0_usize;
    let mut outline = Outline { depth: 0, has_raw_control: false };
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        if in_string {
            outline.has_raw_control |= byte < b' ';
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                outline.depth = outline.depth.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    outline
}

/// Checks that the whole text is a JSON object, and gives the last member named `key`.
pub(crate) fn member<'a>(
    json: &'a str,
    key: &str,
) -> Result<Option<&'a RawValue>, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(json);
    let found = json.deserialize_map(Member(key))?;
    json.end()?;
    Ok(found)
}

struct Member<'k>(&'k str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(wanted) = map.next_key_seed(KeyIs(self.0))? {
            if wanted {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Compares a key as bytes: as text, a key with a lone surrogate would be an error.
struct KeyIs<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, key: D) -> Result<bool, D::Error> {
        key.deserialize_bytes(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<bool, E> {
        Ok(key == self.0.as_bytes())
    }
}

/// The element of a JSON array at an index as RFC 6901 writes it.
pub(crate) fn element<'a>(
    json: &'a str,
    index: &str,
) -> Result<Option<&'a RawValue>, serde_json::Error> {
    let elements: Vec<&RawValue> = serde_json::from_str(json)?;
    let place = index.parse().ok().filter(|place: &usize| place.to_string() == index);
    Ok(place.and_then(|place| elements.get(place).copied()))
}

/// The members of a JSON object, in their order: their names as bytes, since not every name is text.
pub(crate) fn members(json: &str) -> Result<Vec<(Vec<u8>, &RawValue)>, serde_json::Error> {
    serde_json::Deserializer::from_str(json).deserialize_map(Members)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Vec<u8>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Vec<u8>;

    fn deserialize<D: serde::Deserializer<'de>>(self, key: D) -> Result<Vec<u8>, D::Error> {
        key.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Vec<u8>, E> {
        Ok(key.to_owned())
    }
}
