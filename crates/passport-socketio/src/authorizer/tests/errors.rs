//! "Could not tell": never a user, never a guest.

use std::future::Future;
use std::time::SystemTime;

use express_session::source::{CookieFault, Located, SessionSource};
use express_session::{SessionRecord, SessionRequest};
use tokio::time::Instant;

use super::*;

const UNAVAILABLE: Expected = Expected::error("store_unavailable", "try_again");
const CORRUPT: Expected = Expected::error("corrupt_session", "server_error");
const FAILED: Expected = Expected::error("deserializer_failed", "try_again");

#[tokio::test]
async fn a_failing_store_is_unavailable_and_its_error_is_only_logged() {
    let failure = World::new(Fake::Fails).refuses(signed(), &UNAVAILABLE).await;
    assert!(!failure.message().contains("refused"));
    let store = failure.source().unwrap();
    assert_eq!(store.to_string(), "session store: GET");
    assert_eq!(store.source().unwrap().to_string(), "connection refused");
}

#[tokio::test]
async fn a_panicking_store_is_not_reported_as_unavailable() {
    let expected = Expected::error("store_panicked", "try_again");
    World::new(Fake::Panics).refuses(signed(), &expected).await;
}

/// A source of the app's own that panics where the test says.
#[derive(Debug)]
struct PanickingSource(Check);

impl SessionSource for PanickingSource {
    fn locate(&self, _: &SessionRequest<'_>) -> Result<Located, CookieFault> {
        assert_ne!(self.0, Check::Cookie, "the source panics");
        Ok(Located::Stored(SID.into()))
    }

    fn read(
        &self,
        payload: &[u8],
        limits: &RecordLimits,
    ) -> Result<Option<SessionRecord>, CorruptRecord> {
        assert_ne!(self.0, Check::Record, "the source panics");
        SessionRecord::parse(payload, limits)
    }

    fn expiry(&self, _: &SessionRecord) -> Option<SystemTime> {
        assert_ne!(self.0, Check::Expiry, "the source panics");
        None
    }
}

#[tokio::test]
async fn a_panicking_session_source_is_not_reported_as_a_store_error() {
    for (check, loads) in [(Check::Cookie, 0), (Check::Record, 1), (Check::Expiry, 1)] {
        let world = logged_in();
        let builder = Authorizer::builder()
            .source(PanickingSource(check))
            .store(world.store.clone())
            .deserialize_user(async |key: Value| Ok::<_, BoxError>(Some(key)));
        let world = World { builder, ..world };
        let expected = Expected { loads, ..Expected::error("source_panicked", "try_again") };
        let failure = world.refuses(signed(), &expected).await;
        assert_eq!(failure.check(), check);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_times_out_after_2_s_or_the_configured_time() {
    let expected = Expected::error("store_timeout", "try_again");
    let refused = |world: World| took(world.refuses(signed(), &expected));
    let by_default = refused(World::new(Fake::NeverAnswers)).await;
    assert_eq!(by_default.as_secs(), 2);
    let patient = World::new(Fake::NeverAnswers)
        .with(|builder| builder.store_timeout(Duration::from_secs(30)));
    assert_eq!(refused(patient).await.as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_deserializer_times_out_after_5_s_or_the_configured_time() {
    let expected = Expected::error("deserializer_timeout", "try_again");
    let refused = |world: World| took(world.refuses(signed(), &expected));
    let stuck = || {
        logged_in().with(|builder| {
            builder.deserialize_user(async |_: Value| pending::<Result<_, BoxError>>().await)
        })
    };
    assert_eq!(refused(stuck()).await.as_secs(), 5);
    let patient = stuck().with(|builder| builder.deserializer_timeout(Duration::from_secs(30)));
    assert_eq!(refused(patient).await.as_secs(), 30);
}

async fn took(future: impl Future<Output = Failure>) -> Duration {
    let start = Instant::now();
    future.await;
    start.elapsed()
}

#[tokio::test]
async fn a_record_that_express_session_could_not_read_is_corrupt() {
    let deep = format!(r#"{{"cookie":{{}},"x":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    let large = format!(r#"{{"cookie":{{}},"x":"{}"}}"#, "y".repeat(1024 * 1024));
    for json in [
        "",
        "{canary-key-51de",
        r#"{"cookie":{},"passport":{"user":"canary-key-51de"}} x"#,
        r#"{"passport":{"user":"canary-key-51de"}}"#,
        r#"{"cookie":null,"passport":{"user":"canary-key-51de"}}"#,
        r#""canary-key-51de""#,
        r#"{"cookie":{},"passport":{"user":"canary-key-51de\ud800"}}"#,
        &deep,
        &large,
    ] {
        let failure = holding(json).refuses(signed(), &CORRUPT).await;
        assert!(failure.source().is_some_and(<dyn StdError>::is::<CorruptRecord>), "{failure:?}");
    }
}

#[tokio::test]
async fn a_record_larger_than_1_mib_or_deeper_than_64_levels_is_corrupt() {
    let around =
        |inner: &str| format!(r#"{{"cookie":{{}},"passport":{{"user":"{KEY}"}},"x":{inner}}}"#);
    let padding = |bytes| "y".repeat(bytes - around(r#""""#).len());
    let large = |bytes| around(&format!(r#""{}""#, padding(bytes)));
    holding(large(1 << 20)).grants(signed()).await;
    holding(large((1 << 20) + 1)).refuses(signed(), &CORRUPT).await;
    let deep = |levels: usize| around(&("[".repeat(levels - 1) + &"]".repeat(levels - 1)));
    holding(deep(64)).grants(signed()).await;
    holding(deep(65)).refuses(signed(), &CORRUPT).await;
}

#[tokio::test]
async fn the_limits_of_a_record_can_be_set() {
    let json = session(&json!(KEY));
    let limited = |max_bytes, max_depth| {
        holding(json.clone())
            .with(|builder| builder.record_limits(RecordLimits { max_bytes, max_depth }))
    };
    limited(json.len(), 2).grants(signed()).await;
    limited(json.len() - 1, 2).refuses(signed(), &CORRUPT).await;
    limited(json.len(), 1).refuses(signed(), &CORRUPT).await;
}

#[tokio::test]
async fn the_error_of_a_deserializer_is_only_logged() {
    let world = logged_in().with(|builder| {
        builder.deserialize_user(async |_: Value| Err::<Option<Value>, _>("the database is down"))
    });
    let failure = world.refuses(signed(), &FAILED).await;
    assert!(!failure.message().contains("database"));
    let source = failure.source().unwrap();
    assert_eq!(source.to_string(), "the database is down");
}

#[tokio::test]
async fn a_panicking_deserializer_is_reported_as_panicked() {
    let expected = Expected::error("deserializer_panicked", "try_again");
    let later = logged_in().with(|builder| {
        builder.deserialize_user(async |key: Value| {
            assert!(key.is_null(), "it panics later");
            Ok::<_, BoxError>(None)
        })
    });
    later.refuses(signed(), &expected).await;

    let at_once = |_: Value| -> std::future::Ready<Result<Option<Value>, BoxError>> {
        panic!("it panics at once")
    };
    let at_once = logged_in().with(|builder| builder.deserialize_user(at_once));
    at_once.refuses(signed(), &expected).await;
}

#[tokio::test]
async fn a_user_key_of_another_type_is_an_error_that_does_not_quote_it() {
    for key in [json!(KEY), json!({"id": KEY}), json!([KEY])] {
        let world = holding(session(&key)).with(|builder| {
            builder.deserialize_user(async |id: i64| Ok::<_, BoxError>(Some(id.into())))
        });
        let failure = world.refuses(signed(), &FAILED).await;
        let source = failure.source().unwrap().to_string();
        assert!(source.ends_with("and the deserializer takes i64"), "{source}");
    }
}

#[tokio::test]
async fn a_panic_in_user_id_is_not_reported_as_a_deserializer_error() {
    let broken = |_: &Value| -> i64 { panic!("user_id panics") };
    let world = logged_in().with(|builder| builder.user_id(broken));
    let expected = Expected::error("user_id_panicked", "try_again");
    world.refuses(signed(), &expected).await;
}
