//! Who is refused although their session is good: what an operator revoked. And whose user was
//! refreshed while they shook hands.

use std::collections::HashMap;
use std::hash::Hash;

use express_session::{SessionId, SidHash};
use tokio::time::Instant;

use super::Registry;
use super::handshakes::OngoingHandshakes;
use super::registry::State;
use crate::model::UserKey;

#[derive(Default)]
pub(super) struct Denied {
    /// Until when; `None` for as long as this process lives.
    sessions: ForgettingMap<SidHash, Option<Instant>>,
    /// Whose handshakes that began before are refused.
    users: UserChanges,
}

impl Denied {
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

    fn is_now(&mut self, user: &UserKey, now: u64, ongoing: &OngoingHandshakes) {
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

impl<U> Registry<U> {
    /// Refuses a session until then, or for as long as this process lives.
    pub(crate) fn deny_session(&self, sid: &SessionId, until: Option<Instant>) {
        self.deny_hash(sid.hash(), until);
    }

    /// The same for a session whose id another node has not told.
    pub(crate) fn deny_hash(&self, hash: SidHash, until: Option<Instant>) {
        self.loads.forget(&hash);
        let now = Instant::now();
        let sessions = &mut self.state().denied.sessions;
        sessions.insert(hash, until, |until| until.is_none_or(|until| now < until));
    }

    pub(crate) fn is_denied(&self, sid: &SessionId) -> bool {
        self.state().denied.has_session(sid)
    }

    /// Refuses the user's handshakes that are under way.
    pub(crate) fn deny_handshakes_of(&self, user: &UserKey) {
        let mut state = self.state();
        let now = state.take_number();
        let State { denied, ongoing, .. } = &mut *state;
        denied.users.is_now(user, now, ongoing);
    }

    /// Lets the user's handshakes that are under way load them once more.
    pub(crate) fn renew_handshakes_of(&self, user: &UserKey) {
        let mut state = self.state();
        let now = state.take_number();
        let State { refreshed, ongoing, .. } = &mut *state;
        refreshed.is_now(user, now, ongoing);
    }

    /// Of how many users it is remembered that they were revoked.
    #[cfg(test)]
    pub(super) fn revoked_users(&self) -> usize {
        self.state().denied.users.0.map.len()
    }
}
