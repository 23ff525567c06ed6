//! What every session store must do, as one suite.
//!
//! [`run`] is about sessions that are there, gone, expired, odd; [`run_faults`] is about a backend
//! that stops, hangs or sends garbage. A store of your own runs them, too:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use express_session::store::{Life, MemoryStore};
//! use std::time::SystemTime;
//!
//! #[derive(Debug)]
//! struct Memory(MemoryStore);
//!
//! #[async_trait::async_trait]
//! impl testkit::conformance::Subject for Memory {
//!     type Store = MemoryStore;
//!     fn store(&self) -> &MemoryStore {
//!         &self.0
//!     }
//!     async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
//!         self.0.set(sid, json, Life::Until(expires));
//!     }
//! }
//!
//! testkit::conformance::run(&Memory(MemoryStore::for_tests())).await;
//! # }
//! ```

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use express_session::store::{Life, SessionStore, StoredSession};
use express_session::{Clock as _, SystemClock};

mod changing;
mod faults;
mod reading;

pub use faults::{FaultySubject, run_faults};

/// A store under test, and a way to put sessions into its backend without it.
#[async_trait]
pub trait Subject: fmt::Debug + Sync {
    /// The store's type.
    type Store: SessionStore;

    /// The store.
    fn store(&self) -> &Self::Store;

    /// Puts a session into the backend, or replaces it, as the Node package would: not through the
    /// store. It lives until `expires`.
    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime);

    /// What the backend can't hold.
    fn limits(&self) -> Limits {
        Limits::default()
    }
}

/// What a backend can hold, and how exactly. The default: everything.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Which payloads come back as they were put.
    pub payload: Payload,
    /// Members that the backend adds to a session's JSON, for its own use.
    pub own_members: &'static [&'static str],
    /// The longest payload, in bytes.
    pub max_payload: usize,
    /// The longest session id, in characters.
    pub max_sid: usize,
    /// Whether a session id may have any character; else only letters, digits, `-` and `_`.
    pub any_sid: bool,
    /// Whether two sessions can have ids that differ only in the case of their letters; else the
    /// second replaces the first.
    pub case_sensitive_sids: bool,
    /// How exactly the moment of expiry is kept.
    pub resolution: Duration,
}

impl Limits {
    /// Of a backend that holds everything.
    pub const NONE: Self = Self {
        payload: Payload::Bytes,
        own_members: &[],
        max_payload: usize::MAX,
        max_sid: usize::MAX,
        any_sid: true,
        case_sensitive_sids: true,
        resolution: Duration::from_millis(1),
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::NONE
    }
}

/// What a backend takes for a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Any bytes, and gives back the same.
    Bytes,
    /// Any text that is JSON, and gives back the same.
    JsonText,
    /// JSON, and gives back the same value, however it is written.
    JsonValue,
}

/// Runs the suite.
///
/// # Panics
/// At the first requirement that the store does not meet.
pub async fn run(subject: &impl Subject) {
    reading::run(subject).await;
    changing::run(subject).await;
}

const HOUR: Duration = Duration::from_secs(3600);
const J: &str =
    r#"{"cookie":{"originalMaxAge":3600000,"httpOnly":true,"path":"/"},"passport":{"user":42}}"#;

fn now() -> SystemTime {
    SystemClock.now()
}

async fn load(subject: &impl Subject, sid: &str) -> Option<StoredSession> {
    subject.store().load(&sid.into()).await.expect("the store answers")
}

/// The session, if the authorizer would take it: it is there and has not ended.
fn alive(session: Option<StoredSession>) -> Option<StoredSession> {
    session.filter(|session| session.life().ended_at(now()).is_none())
}

/// What is left of a life; `None` if it never ends.
fn left(life: Life) -> Option<Duration> {
    match life {
        Life::For(left) => Some(left),
        Life::Until(end) => Some(end.duration_since(now()).unwrap_or_default()),
        Life::Forever => None,
    }
}

/// The payload is what was put, as far as the backend keeps it.
fn assert_payload(subject: &impl Subject, session: &StoredSession, put: &str) {
    if subject.limits().payload == Payload::JsonValue {
        let value = |json: &[u8]| -> serde_json::Value {
            let mut value: serde_json::Value =
                serde_json::from_slice(json).expect("it is still JSON");
            for own in subject.limits().own_members {
                value.as_object_mut().expect("a session").remove(*own);
            }
            value
        };
        assert_eq!(value(session.payload()), value(put.as_bytes()));
    } else {
        assert_eq!(session.payload(), put.as_bytes());
    }
}
