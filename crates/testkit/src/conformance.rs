//! What every session store must do, as one suite.
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
use express_session::store::{Life, SessionStore};
use express_session::{Clock as _, SessionId, SystemClock};

const HOUR: Duration = Duration::from_secs(3600);
const J: &str =
    r#"{"cookie":{"originalMaxAge":3600000,"httpOnly":true,"path":"/"},"passport":{"user":42}}"#;

/// A store under test, and a way to put sessions into its backend behind its back.
#[async_trait]
pub trait Subject: fmt::Debug + Sync {
    /// The store's type.
    type Store: SessionStore;

    /// The store.
    fn store(&self) -> &Self::Store;

    /// Puts a session into the backend, as the Node package would: not through the store.
    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime);
}

/// Runs the suite.
///
/// # Panics
/// At the first thing that the store does not do as it must.
pub async fn run(subject: &impl Subject) {
    finds_what_is_there(subject).await;
    does_not_find_what_is_not_there(subject).await;
    knows_what_has_expired(subject).await;
    keeps_the_payload_byte_for_byte(subject).await;
    answers_many_at_once(subject).await;
    touches_what_is_there_only(subject).await;
    updates_what_is_there_only(subject).await;
    destroys(subject).await;
}

fn now() -> SystemTime {
    SystemClock.now()
}

/// Whether a load finds a session that has not ended.
async fn alive(subject: &impl Subject, sid: &str) -> bool {
    let loaded = subject.store().load(&sid.into()).await.expect("the store answers");
    loaded.is_some_and(|session| session.life().ended_at(now()).is_none())
}

async fn finds_what_is_there(subject: &impl Subject) {
    subject.put("found", J.as_bytes(), now() + HOUR).await;
    let session = subject.store().load(&"found".into()).await.expect("the store answers");
    let session = session.expect("it was just put there");
    assert_eq!(session.payload(), J.as_bytes());
    let left = match session.life() {
        Life::For(left) => left,
        Life::Until(end) => end.duration_since(now()).expect("an hour from now"),
        Life::Forever => panic!("it has an expiry"),
    };
    assert!(
        left <= HOUR + Duration::from_secs(1) && left > HOUR - Duration::from_secs(30),
        "{left:?}"
    );
}

async fn does_not_find_what_is_not_there(subject: &impl Subject) {
    for sid in ["missing", "", "%", "fou_d", "FOUND", "'; DROP TABLE sessions; --", "é\u{1f600}"] {
        assert!(!alive(subject, sid).await, "{sid:?}");
    }
}

async fn knows_what_has_expired(subject: &impl Subject) {
    subject.put("expired", J.as_bytes(), now() - Duration::from_secs(2)).await;
    assert!(!alive(subject, "expired").await);
}

async fn keeps_the_payload_byte_for_byte(subject: &impl Subject) {
    let unicode = r#"{"cookie":{},"name":"żółw \u00e9 😀","x":" spaced "}"#;
    let broken = "{broken";
    for (sid, json) in [("unicode", unicode), ("broken", broken), ("sid:with/odd+chars=é", J)] {
        subject.put(sid, json.as_bytes(), now() + HOUR).await;
        let session = subject.store().load(&sid.into()).await.expect("the store answers");
        assert_eq!(session.expect("it was just put there").payload(), json.as_bytes(), "{sid}");
    }
    let large = format!(r#"{{"cookie":{{}},"x":"{}"}}"#, "y".repeat(2 * 1024 * 1024));
    subject.put("large", large.as_bytes(), now() + HOUR).await;
    let session = subject.store().load(&"large".into()).await.expect("the store answers");
    assert_eq!(session.expect("it was just put there").payload().len(), large.len());
}

async fn answers_many_at_once(subject: &impl Subject) {
    for n in 0..20 {
        let json = format!(r#"{{"cookie":{{}},"passport":{{"user":{n}}}}}"#);
        subject.put(&format!("many-{n}"), json.as_bytes(), now() + HOUR).await;
    }
    let loads = (0..20).map(|n| async move {
        let sid = SessionId::new(format!("many-{n}"));
        let session =
            subject.store().load(&sid).await.expect("the store answers").expect("it is there");
        assert!(session.payload().ends_with(format!("{{\"user\":{n}}}}}").as_bytes()), "{n}");
    });
    futures_util::future::join_all(loads).await;
}

async fn touches_what_is_there_only(subject: &impl Subject) {
    let Some(touch) = subject.store().as_touch() else {
        return;
    };
    subject.put("touched", J.as_bytes(), now() + Duration::from_secs(5)).await;
    assert!(touch.touch(&"touched".into(), HOUR).await.expect("the store answers"));
    let session = subject.store().load(&"touched".into()).await.expect("the store answers");
    let session = session.expect("it was just touched");
    assert_eq!(session.payload(), J.as_bytes(), "a touch changes no data");
    let in_a_minute = now() + Duration::from_secs(60);
    assert!(
        match session.life() {
            Life::For(left) => left > Duration::from_secs(60),
            life => life.ended_at(in_a_minute).is_none(),
        },
        "a touch prolongs"
    );

    assert!(!touch.touch(&"never-there".into(), HOUR).await.expect("the store answers"));
    assert!(!alive(subject, "never-there").await, "a touch brings nothing into being");
    subject.put("over", J.as_bytes(), now() - Duration::from_secs(2)).await;
    assert!(!touch.touch(&"over".into(), HOUR).await.expect("the store answers"));
    assert!(!alive(subject, "over").await, "a touch brings nothing back");
}

async fn updates_what_is_there_only(subject: &impl Subject) {
    let Some(update) = subject.store().as_update() else {
        return;
    };
    let json = r#"{"cookie":{},"views":2}"#;
    subject.put("updated", J.as_bytes(), now() + HOUR).await;
    assert!(update.update(&"updated".into(), json).await.expect("the store answers"));
    let session = subject.store().load(&"updated".into()).await.expect("the store answers");
    let session = session.expect("it was just updated");
    assert_eq!(session.payload(), json.as_bytes());
    assert!(session.life() != Life::Forever, "an update leaves the expiry");

    assert!(!update.update(&"never-there".into(), json).await.expect("the store answers"));
    assert!(!alive(subject, "never-there").await, "an update brings nothing into being");
}

async fn destroys(subject: &impl Subject) {
    let Some(destroy) = subject.store().as_destroy() else {
        return;
    };
    subject.put("destroyed", J.as_bytes(), now() + HOUR).await;
    assert!(destroy.destroy(&"destroyed".into()).await.expect("the store answers"));
    assert!(!alive(subject, "destroyed").await);
    assert!(!destroy.destroy(&"destroyed".into()).await.expect("the store answers"));
}
