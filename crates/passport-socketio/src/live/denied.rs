//! Logins that are refused although their session is good, since an operator revoked them; and users
//! that were refreshed while a handshake of theirs was under way.

use std::collections::HashMap;
use std::hash::Hash;

use express_session::{SessionId, SidHash};
use tokio::time::Instant;

use super::handshakes::OngoingHandshakes;
use crate::model::UserKey;

#[derive(Default)]
pub(super) struct Denied {
    /// Until when; `None` for as long as this process lives.
    sessions: ForgettingMap<SidHash, Option<Instant>>,
    /// Whose handshakes that began before are refused.
    pub(super) users: UserChanges,
}

impl Denied {
    /// Refuses a session until then, or for as long as this process lives.
    pub(super) fn session(&mut self, hash: SidHash, until: Option<Instant>) {
        let now = Instant::now();
        self.sessions.insert(hash, until, |until| until.is_none_or(|until| now < until));
    }

    /// How many users are remembered.
    #[cfg(test)]
    pub(super) fn users(&self) -> usize {
        self.users.0.map.len()
    }

    pub(super) fn has_session(&self, sid: &SessionId) -> bool {
        if self.sessions.map.is_empty() {
            return false;
        }
        let until = self.sessions.map.get(&sid.hash());
        until.is_some_and(|until| until.is_none_or(|until| Instant::now() < until))
    }

    /// Whether the user was revoked after a handshake of theirs began.
    pub(super) fn has_handshake(&self, user: &UserKey, began: u64) -> bool {
        self.users.is_after(user, began)
    }
}

/// When something was done about a user, in the registry's numbers. Remembered for as long as a
/// handshake that began before is under way.
#[derive(Default)]
pub(super) struct UserChanges(ForgettingMap<UserKey, u64>);

impl UserChanges {
    pub(super) fn is_after(&self, user: &UserKey, number: u64) -> bool {
        self.0.map.get(user).is_some_and(|moment| number < *moment)
    }

    /// Something was done about the user at this moment.
    pub(super) fn record(&mut self, user: &UserKey, now: u64, ongoing: &OngoingHandshakes) {
        self.0.insert(user.clone(), now, |moment| ongoing.began_before(*moment));
    }
}

/// A map that forgets what is old, whenever it has doubled.
struct ForgettingMap<K, V> {
    map: HashMap<K, V>,
    full: usize,
}

impl<K: Eq + Hash, V> ForgettingMap<K, V> {
    fn insert(&mut self, key: K, value: V, is_young: impl Fn(&V) -> bool) {
        if self.map.len() >= self.full {
            self.map.retain(|_, value| is_young(value));
            self.full = 2 * self.map.len() + 64;
        }
        self.map.insert(key, value);
    }
}

impl<K, V> Default for ForgettingMap<K, V> {
    fn default() -> Self {
        Self { map: HashMap::new(), full: 0 }
    }
}
