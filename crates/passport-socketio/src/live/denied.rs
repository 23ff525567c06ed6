//! Who is refused although their session is good: what an operator revoked. And whose user was
//! refreshed while they shook hands.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use express_session::{SessionId, SidHash};
use tokio::time::Instant;

use super::Registry;
use crate::UserKey;

/// No handshake lasts longer: the app's `success` may take half of it, and nothing else takes minutes.
const HANDSHAKE: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(super) struct Denied {
    /// Until when; `None` for as long as this process lives.
    sessions: Ageing<SidHash, Option<Instant>>,
    /// Whose handshakes that began before are refused.
    users: Moments,
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
    pub(super) fn has_handshake(&self, user: &UserKey, began: Instant) -> bool {
        self.users.is_after(user, began)
    }
}

/// When something was done about a user, remembered for as long as handshakes last.
#[derive(Default)]
pub(super) struct Moments(Ageing<UserKey, Instant>);

impl Moments {
    pub(super) fn is_after(&self, user: &UserKey, began: Instant) -> bool {
        self.0.map.get(user).is_some_and(|moment| began <= *moment)
    }

    pub(super) fn is_now(&mut self, user: &UserKey) {
        let now = Instant::now();
        self.0.insert(user.clone(), now, |moment| now < *moment + HANDSHAKE);
    }
}

/// A map that forgets what is old, whenever it has doubled.
struct Ageing<K, V> {
    map: HashMap<K, V>,
    full: usize,
}

impl<K: Eq + Hash, V> Ageing<K, V> {
    fn insert(&mut self, key: K, value: V, is_young: impl Fn(&V) -> bool) {
        if self.map.len() >= self.full {
            self.map.retain(|_, value| is_young(value));
            self.full = 2 * self.map.len() + 64;
        }
        self.map.insert(key, value);
    }
}

impl<K, V> Default for Ageing<K, V> {
    fn default() -> Self {
        Self { map: HashMap::new(), full: 0 }
    }
}

impl<U> Registry<U> {
    /// Refuses a session until then, or for as long as this process lives.
    pub(super) fn deny_session(&self, sid: &SessionId, until: Option<Instant>) {
        self.deny_hash(sid.hash(), until);
    }

    /// The same for a session whose id another node has not told.
    pub(super) fn deny_hash(&self, hash: SidHash, until: Option<Instant>) {
        self.loads.forget(&hash);
        let now = Instant::now();
        let sessions = &mut self.state().denied.sessions;
        sessions.insert(hash, until, |until| until.is_none_or(|until| now < until));
    }

    pub(crate) fn is_denied(&self, sid: &SessionId) -> bool {
        self.state().denied.has_session(sid)
    }

    /// Refuses the user's handshakes that are under way.
    pub(super) fn deny_handshakes_of(&self, user: &UserKey) {
        self.state().denied.users.is_now(user);
    }

    /// Lets the user's handshakes that are under way load them once more.
    pub(super) fn renew_handshakes_of(&self, user: &UserKey) {
        self.state().refreshed.is_now(user);
    }
}
