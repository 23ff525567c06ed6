//! What a user is addressed by.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use express_session::SidHash;
use serde_json::Value;

/// The serialized user: `session.passport.user`, any JSON value, compared canonically.
///
/// Numbers are JavaScript's, so `42`, `42.0` and `4.2e1` are one key; `"42"` is another. The order
/// of an object's members does not count.
///
/// ```
/// use passport_socketio::UserKey;
/// use serde_json::json;
///
/// assert_eq!(UserKey::from(json!(42.0)), UserKey::from(42));
/// assert_ne!(UserKey::from("42"), UserKey::from(42));
/// assert_eq!(UserKey::from(json!({"b": 1, "a": 2})), UserKey::from(json!({"a": 2, "b": 1})));
/// assert_eq!(UserKey::from(json!({"b": 1, "a": 2})).as_json(), r#"{"a":2,"b":1}"#);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserKey(Arc<str>);

impl UserKey {
    /// The canonical JSON.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The same on every node, and short enough for a room's name.
    pub(crate) fn hash(&self) -> SidHash {
        SidHash::of(&self.0)
    }
}

/// A short hash: an app may serialize whatever it likes, whole users with their mail address.
impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserKey(#{})", self.hash().short())
    }
}

impl From<Value> for UserKey {
    fn from(key: Value) -> Self {
        let mut json = String::new();
        write_canonical(&key, &mut json);
        Self(json.into())
    }
}

macro_rules! from_json {
    ($($type:ty),*) => {$(
        impl From<$type> for UserKey {
            fn from(key: $type) -> Self {
                Value::from(key).into()
            }
        }
    )*};
}
from_json!(i32, i64, u32, u64, &str, String);

/// A user's own key stays what it is, whoever borrows it.
impl From<&UserKey> for UserKey {
    fn from(key: &UserKey) -> Self {
        key.clone()
    }
}

/// The depth of `key` is bounded by the limit of the record it came from.
fn write_canonical(key: &Value, json: &mut String) {
    match key {
        Value::Number(number) => match number.as_f64() {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it was just found to be whole and to fit"
            )]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                let _ = write!(json, "{}", float as i64);
            }
            _ => {
                let _ = write!(json, "{number}");
            }
        },
        Value::Array(items) => {
            json.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    json.push(',');
                }
                write_canonical(item, json);
            }
            json.push(']');
        }
        Value::Object(members) => {
            // Sorted here: another crate may turn on serde_json's `preserve_order`.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            json.push('{');
            for (n, (name, value)) in members.into_iter().enumerate() {
                if n > 0 {
                    json.push(',');
                }
                let _ = write!(json, "{}:", Value::from(name.as_str()));
                write_canonical(value, json);
            }
            json.push('}');
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {
            let _ = write!(json, "{key}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_json_values_are_one_user_key() {
        for (one, other) in [
            (json!(0), json!(-0.0)),
            (json!(42), serde_json::from_str("4.2e1").unwrap()),
            (json!(-7), json!(-7.0)),
            (json!(["a", {"y": 1, "x": [2]}]), json!(["a", {"x": [2.0], "y": 1}])),
        ] {
            assert_eq!(UserKey::from(one), UserKey::from(other));
        }
    }

    #[test]
    fn different_users_have_different_keys() {
        let keys = [
            json!(1),
            json!("1"),
            json!(1.5),
            json!([1]),
            json!({"id": 1}),
            json!(true),
            json!("true"),
        ];
        let keys: std::collections::HashSet<_> = keys.into_iter().map(UserKey::from).collect();
        assert_eq!(keys.len(), 7);
        assert_ne!(UserKey::from("a\",\"b"), UserKey::from(json!(["a", "b"])));
    }
}
