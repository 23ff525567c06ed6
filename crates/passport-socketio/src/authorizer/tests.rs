//! The decision as a table: every outcome, what it costs, and what it gives away.
//!
//! Session id, secret and user key are canaries: no failure may print them.

use std::error::Error as StdError;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use express_session::cookie::Signer;
use express_session::store::{Life, MemoryStore, SessionStore, StoreError, StoredSession};
use express_session::{Clock as _, CorruptRecord, RecordLimits, SessionId};
use http::request::Parts;
use serde_json::{Value, json};
use testkit::{CountingStore, FakeClock};

use super::*;
use crate::model::*;
use crate::{Authorizer, AuthorizerBuilder};

mod denied;
mod errors;
mod granted;
mod hooks;
mod order;
mod reasons;

const SECRET: &str = "canary-secret-7f3a";
const SID: &str = "canary-sid-9c1b";
const KEY: &str = "canary-key-51de";

/// What a failure must look like from outside.
struct Expected {
    code: &'static str,
    client: &'static str,
    is_error: bool,
    guest: bool,
    loads: usize,
}

impl Expected {
    const fn denied(code: &'static str, loads: usize) -> Self {
        Self { code, client: "unauthorized", is_error: false, guest: true, loads }
    }

    const fn error(code: &'static str, client: &'static str) -> Self {
        Self { code, client, is_error: true, guest: false, loads: 1 }
    }
}

/// A store that answers, or does not.
#[derive(Debug)]
enum Fake {
    Holds(MemoryStore),
    Fails,
    Panics,
    NeverAnswers,
}

#[async_trait]
impl SessionStore for Fake {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        match self {
            Self::Holds(store) => store.load(sid).await,
            Self::Fails => Err(StoreError::new("GET", "connection refused")),
            Self::Panics => panic!("the store panics"),
            Self::NeverAnswers => pending().await,
        }
    }
}

/// An authorizer to configure, and its store.
struct World {
    store: Arc<CountingStore<Fake>>,
    clock: Arc<FakeClock>,
    builder: AuthorizerBuilder<Value>,
}

/// A store with one session of this JSON, without an end.
fn holding(json: impl Into<Vec<u8>>) -> World {
    holding_for(json, Life::Forever)
}

fn holding_for(json: impl Into<Vec<u8>>, life: Life) -> World {
    let store = MemoryStore::for_tests();
    store.set(SID, json, life);
    World::new(Fake::Holds(store))
}

/// The session of the user that `KEY` stands for.
fn logged_in() -> World {
    holding(session(&json!(KEY)))
}

fn session(key: &Value) -> String {
    json!({"cookie": {"path": "/"}, "passport": {"user": key}}).to_string()
}

impl World {
    /// The user is the user key.
    fn new(store: Fake) -> Self {
        let store = Arc::new(CountingStore::new(store));
        let clock = Arc::new(FakeClock::default());
        let builder = Authorizer::builder()
            .secret(SECRET)
            .store(store.clone())
            .clock(clock.clone())
            .deserialize_user(async |key: Value| Ok::<_, BoxError>(Some(key)));
        Self { store, clock, builder }
    }

    fn with(
        mut self,
        set: impl FnOnce(AuthorizerBuilder<Value>) -> AuthorizerBuilder<Value>,
    ) -> Self {
        self.builder = set(self.builder);
        self
    }

    /// Decides about all twelve checks, the last for the namespace `/`.
    async fn decide(self, request: Parts) -> Result<Identity<Value>, Failure> {
        let auth = self.builder.build().unwrap();
        let (identity, _) = auth.lookup().first(&request, None).await.outcome?;
        auth.lookup().decider().admit(&identity, "/").await?;
        Ok(identity)
    }

    async fn grants(self, request: Parts) -> Identity<Value> {
        self.decide(request).await.unwrap()
    }

    async fn refuses(self, request: Parts, expected: &Expected) -> Failure {
        let store = self.store.clone();
        let failure = self.decide(request).await.unwrap_err();
        assert_eq!(failure.code(), expected.code);
        assert_eq!(failure.client_message(), expected.client, "{}", expected.code);
        assert_eq!(failure.is_error(), expected.is_error, "{}", expected.code);
        assert_eq!(failure.allows_guest(), expected.guest, "{}", expected.code);
        assert_eq!(store.loads(), expected.loads, "{}", expected.code);
        assert_gives_nothing_away(&failure);
        failure
    }
}

fn assert_gives_nothing_away(failure: &Failure) {
    let mut said = format!("{failure} {failure:?} {failure:#?} {}", failure.message());
    said += &failure.client_message();
    let mut source = failure.source();
    while let Some(error) = source {
        said.extend([error.to_string(), format!("{error:?}")]);
        source = error.source();
    }
    for canary in [SECRET, SID, KEY] {
        assert!(!said.contains(canary), "{said}");
    }
}

fn request(headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::get("/socket.io/?EIO=4&transport=polling");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn with_cookie(cookie: &str) -> Parts {
    request(&[("cookie", cookie)])
}

/// The request of whom the session belongs to.
fn signed() -> Parts {
    with_cookie(&cookie(SECRET))
}

fn cookie(secret: &str) -> String {
    Signer::new([secret]).unwrap().cookie_pair("connect.sid", SID)
}
