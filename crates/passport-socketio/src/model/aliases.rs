//! What Node's servers and emitters call the rooms of users and sessions: `user:42`, `session:<hash>`.
//!
//! The rooms' own names are keyed, and cannot be read back. So those that were made lately are kept, with what they
//! stand for.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use express_session::SidHash;
use serde_json::{Number, Value};

use super::{Scope, UserKey};

/// So many at least are kept, of the newest.
const KEPT: usize = 65_536;

/// The aliases of the rooms that were named lately.
#[derive(Default)]
pub(crate) struct Aliases(Mutex<Kept>);

/// The newer ones become the older ones when there are enough of them.
#[derive(Default)]
struct Kept {
    newer: HashMap<String, String>,
    older: HashMap<String, String>,
}

impl Aliases {
    pub(super) fn user(&self, room: &str, key: &UserKey) {
        if let Some(text) = text_of(key) {
            self.keep(room, || format!("user:{text}"));
        }
    }

    pub(super) fn session(&self, room: &str, session: &SidHash) {
        self.keep(room, || format!("session:{}", session.to_hex()));
    }

    /// The alias of a room.
    pub(crate) fn of(&self, room: &str) -> Option<String> {
        let kept = self.lock();
        kept.newer.get(room).or_else(|| kept.older.get(room)).cloned()
    }

    fn keep(&self, room: &str, alias: impl FnOnce() -> String) {
        let mut kept = self.lock();
        if kept.newer.contains_key(room) {
            return;
        }
        if kept.newer.len() >= KEPT {
            kept.older = mem::take(&mut kept.newer);
        }
        kept.newer.insert(room.to_owned(), alias());
    }

    /// No code that holds the lock can panic, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rooms that an alias stands for; `None` if the name is no alias. One that names no user or session that there
/// can be stands for no room.
pub(crate) fn rooms_of(scope: &Scope, name: &str) -> Option<Vec<String>> {
    if let Some(text) = name.strip_prefix("user:") {
        let keys = [Some(UserKey::from(text)), number_key(text)];
        return Some(keys.into_iter().flatten().map(|key| scope.user_room(&key)).collect());
    }
    let hash = SidHash::from_hex(name.strip_prefix("session:")?);
    Some(hash.iter().map(|hash| scope.session_room(hash)).collect())
}

/// A key that is a text or a number, as text. Others have no alias.
fn text_of(key: &UserKey) -> Option<String> {
    match serde_json::from_str(key.as_json()).ok()? {
        Value::String(text) => Some(text),
        Value::Number(_) => Some(key.as_json().to_owned()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The number that is written like this, and no other way.
fn number_key(text: &str) -> Option<UserKey> {
    let number: Number = serde_json::from_str(text).ok()?;
    let key = UserKey::from(Value::Number(number));
    (key.as_json() == text).then_some(key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ScopeSettings;
    use super::*;

    fn scope() -> Scope {
        let scope = Scope::new(ScopeSettings::default()).unwrap();
        scope.aliases.get_or_init(Aliases::default);
        scope
    }

    #[test]
    fn an_alias_stands_for_the_key_as_text_and_as_a_number() {
        let scope = scope();
        let room = |key: Value| scope.user_room(&UserKey::from(key));
        assert_eq!(rooms_of(&scope, "user:42"), Some(vec![room(json!("42")), room(json!(42))]));
        for text in ["ann", "042", "42.0", "4.2e1", " 42", "{\"id\":1}", "true", ""] {
            let rooms = rooms_of(&scope, &format!("user:{text}"));
            assert_eq!(rooms, Some(vec![room(json!(text))]), "{text}");
        }
        let hash = SidHash::of("a");
        let session = rooms_of(&scope, &format!("session:{}", hash.to_hex()));
        assert_eq!(session, Some(vec![scope.session_room(&hash)]));
        for name in ["session:", "session:a", "session:x0"] {
            assert_eq!(rooms_of(&scope, name), Some(vec![]), "{name}");
        }
        assert_eq!(rooms_of(&scope, "users:42"), None);
    }

    #[test]
    fn a_room_that_was_named_lately_is_known_by_its_alias() {
        let scope = scope();
        let alias = |room: &str| scope.aliases.get().unwrap().of(room);
        for (key, expected) in [
            (json!(42), Some("user:42")),
            (json!("ann"), Some("user:ann")),
            (json!("a\"b"), Some("user:a\"b")),
            (json!({"id": 1}), None),
            (json!(true), None),
        ] {
            let room = scope.user_room(&UserKey::from(key.clone()));
            assert_eq!(alias(&room).as_deref(), expected, "{key}");
        }
        let hash = SidHash::of("a");
        let room = scope.session_room(&hash);
        assert_eq!(alias(&room), Some(format!("session:{}", hash.to_hex())));
        assert_eq!(alias("passport:unknown"), None);
        assert!(Scope::new(ScopeSettings::default()).unwrap().aliases.get().is_none());
    }

    #[test]
    fn no_more_aliases_are_kept_than_twice_the_limit() {
        let aliases = Aliases::default();
        for n in 0..3 * KEPT {
            aliases.keep(&n.to_string(), || "user:1".to_owned());
        }
        let kept = aliases.lock();
        assert!(kept.newer.len() + kept.older.len() <= 2 * KEPT);
        drop(kept);
        assert!(aliases.of(&(3 * KEPT - 1).to_string()).is_some());
        assert!(aliases.of("0").is_none());
    }
}
