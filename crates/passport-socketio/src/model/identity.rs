//! Who it is: a user, and the session they are logged in to.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use express_session::store::Life;
use express_session::{CorruptRecord, SessionCookie, SessionId, SessionRecord};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{Reading, UserKey};

/// A user, known by their session. Cheap to clone.
pub struct Identity<U> {
    user: Arc<U>,
    user_key: UserKey,
    session: Session,
}

impl<U> Identity<U> {
    pub(crate) fn new(user: Arc<U>, user_key: UserKey, session: Session) -> Self {
        Self { user, user_key, session }
    }

    /// Whether both were made of one answer of the deserializer.
    pub(crate) fn has_user_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.user, &other.user)
    }

    pub(crate) fn shared_user(&self) -> &Arc<U> {
        &self.user
    }

    /// The same user, with their session as it is now.
    pub(crate) fn in_session(&self, session: Session) -> Self {
        Self::new(self.user.clone(), self.user_key.clone(), session)
    }

    /// What the deserializer returned.
    pub fn user(&self) -> &U {
        &self.user
    }

    /// What the user is addressed by: the session's user key, or what `.user_id` gave.
    pub fn user_key(&self) -> &UserKey {
        &self.user_key
    }

    /// The session they are logged in to.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

impl<U> Clone for Identity<U> {
    fn clone(&self) -> Self {
        Self {
            user: self.user.clone(),
            user_key: self.user_key.clone(),
            session: self.session.clone(),
        }
    }
}

/// Without the user: nobody promised that their `Debug` may be logged.
impl<U> fmt::Debug for Identity<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("session", &self.session).finish_non_exhaustive()
    }
}

/// A session as it was when it was loaded. Read-only, and cheap to clone.
///
/// Take it as an argument of a connect or message handler (it fails to extract for guests without a
/// session; [`MaybeSession`](crate::MaybeSession) does not).
#[derive(Clone, Debug)]
pub struct Session {
    id: SessionId,
    /// Shared by all sockets of the session.
    reading: Arc<Reading>,
    life: Life,
    /// The same, by this process' own clock.
    ends: Option<Instant>,
    user_key: Option<UserKey>,
}

impl Session {
    /// Just loaded, at `now` of the app's clock.
    pub(crate) fn read(
        id: SessionId,
        reading: Arc<Reading>,
        life: Life,
        now: SystemTime,
        user_key: Option<UserKey>,
    ) -> Self {
        let left = match life {
            Life::Forever => None,
            Life::For(left) => Some(left),
            Life::Until(end) => Some(end.duration_since(now).unwrap_or_default()),
        };
        let ends = left.and_then(|left| Instant::now().checked_add(left));
        Self { id, reading, life, ends, user_key }
    }

    #[cfg(test)]
    pub(crate) fn new(
        id: SessionId,
        record: SessionRecord,
        life: Life,
        now: SystemTime,
        user_key: Option<UserKey>,
    ) -> Self {
        let payload = record.json().to_owned();
        let reading = Arc::new(Reading::new(record, payload.as_bytes()));
        Self::read(id, reading, life, now, user_key)
    }

    fn record(&self) -> &SessionRecord {
        self.reading.record()
    }

    pub(crate) fn ends(&self) -> Option<Instant> {
        self.ends
    }

    /// Whether it was at most touched between the two.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        self.user_key == other.user_key && self.record().differs_at_most_in_expiry(other.record())
    }

    /// Who is logged in, by the session itself.
    pub(crate) fn user_key(&self) -> Option<&UserKey> {
        self.user_key.as_ref()
    }

    /// The session's id. It is a secret: log its [`hash`](SessionId::hash).
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// The session's JSON, as the store holds it.
    pub fn json(&self) -> &str {
        self.record().json()
    }

    /// The value at a JSON pointer, such as `/cart/items`. `None` if there is none, or if it is of
    /// another type.
    pub fn get<T: DeserializeOwned>(&self, pointer: &str) -> Option<T> {
        let value = self.record().pointer(pointer).ok()??;
        serde_json::from_value(value).ok()
    }

    /// What express-session keeps about the cookie.
    ///
    /// # Errors
    /// [`CorruptRecord`] if the cookie member holds a value that Rust can't.
    pub fn cookie(&self) -> Result<SessionCookie, CorruptRecord> {
        self.record().cookie()
    }

    /// How long the store was to keep it, when it was loaded.
    pub fn life(&self) -> Life {
        self.life
    }
}
