//! Who is refused although their session is good: what an operator revoked.

use std::collections::HashMap;
use std::time::Duration;

use express_session::{SessionId, SidHash};
use tokio::time::Instant;

use super::Registry;
use crate::UserKey;

/// No handshake lasts longer.
const HANDSHAKE: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(super) struct Denied {
    /// Until when; `None` for as long as this process lives.
    sessions: HashMap<SidHash, Option<Instant>>,
    /// Whose handshakes that began before this moment are refused.
    users: HashMap<UserKey, Instant>,
}

impl Denied {
    pub(super) fn has_session(&self, sid: &SessionId) -> bool {
        if self.sessions.is_empty() {
            return false;
        }
        self.sessions
            .get(&sid.hash())
            .is_some_and(|until| until.is_none_or(|until| Instant::now() < until))
    }

    /// Whether the user was revoked after a handshake of theirs began.
    pub(super) fn has_handshake(&self, user: &UserKey, began: Instant) -> bool {
        self.users.get(user).is_some_and(|revoked| began <= *revoked)
    }

    fn forget_old(&mut self, now: Instant) {
        self.sessions.retain(|_, until| until.is_none_or(|until| now < until));
        self.users.retain(|_, revoked| now < *revoked + HANDSHAKE);
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
        let denied = &mut self.state().denied;
        denied.forget_old(Instant::now());
        denied.sessions.insert(hash, until);
    }

    pub(crate) fn is_denied(&self, sid: &SessionId) -> bool {
        self.state().denied.has_session(sid)
    }

    /// Refuses the user's handshakes that are under way.
    pub(super) fn deny_handshakes_of(&self, user: &UserKey) {
        let now = Instant::now();
        let denied = &mut self.state().denied;
        denied.forget_old(now);
        denied.users.insert(user.clone(), now);
    }
}
