//! A request with several faults is refused for the first of them.

use super::*;

/// Everything is wrong with it that can be, from the check after the cookie on.
fn hopeless(store: Fake) -> World {
    World::new(store).with(|builder| {
        builder
            .deserialize_user(async |_: Value| Ok::<Option<Value>, BoxError>(None))
            .success(async |_| Err(Reject::new("never")))
    })
}

fn stored(json: &str, life: Life) -> Fake {
    let store = MemoryStore::for_tests();
    store.set(SID, json, life);
    Fake::Holds(store)
}

fn over() -> Life {
    Life::Until(FakeClock::default().now())
}

async fn code(world: World, request: Parts) -> (&'static str, usize) {
    let store = world.store.clone();
    let failure = world.decide(request).await.unwrap_err();
    (failure.code(), store.loads())
}

#[tokio::test]
async fn the_request_is_checked_in_order_before_the_store_is_asked() {
    let foreign = ("origin", "https://evil.example");
    let malformed_and_forged = "connect.sid=s%3A..%2Fcanary.forged";
    let forged = "connect.sid=s%3Acanary.forged";
    for (headers, expected) in [
        (&[foreign, ("cookie", "a=1")][..], "origin_not_allowed"),
        (&[foreign, ("cookie", malformed_and_forged)], "origin_not_allowed"),
        (&[foreign, ("cookie", forged)], "origin_not_allowed"),
        (&[("cookie", "a=1")], "no_session_cookie"),
        (&[("cookie", malformed_and_forged)], "malformed_cookie"),
        (&[("cookie", forged)], "bad_signature"),
    ] {
        let found = code(hopeless(Fake::Fails), request(headers)).await;
        assert_eq!(found, (expected, 0));
    }
}

#[tokio::test]
async fn the_session_is_checked_in_order() {
    let anonymous = r#"{"cookie":{},"passport":{}}"#;
    let user = &*session(&json!(KEY));
    for (store, expected) in [
        (Fake::Fails, "store_unavailable"),
        (stored("null", over()), "session_not_found"),
        (stored("{", over()), "corrupt_session"),
        (stored(r#"{"passport":{}}"#, over()), "corrupt_session"),
        (stored(anonymous, over()), "session_expired"),
        (stored(user, over()), "session_expired"),
        (stored(anonymous, Life::Forever), "not_logged_in"),
        (stored(user, Life::Forever), "user_not_found"),
    ] {
        assert_eq!(code(hopeless(store), signed()).await, (expected, 1));
    }
}

#[tokio::test]
async fn the_deserializer_runs_before_success() {
    let broken = hopeless(stored(&session(&json!(KEY)), Life::Forever))
        .with(|builder| builder.deserialize_user(async |_: i64| Ok::<_, BoxError>(None)));
    assert_eq!(code(broken, signed()).await.0, "deserializer_failed");
    let known = hopeless(stored(&session(&json!(KEY)), Life::Forever))
        .with(|builder| builder.deserialize_user(async |key: Value| Ok::<_, BoxError>(Some(key))));
    assert_eq!(code(known, signed()).await.0, "rejected");
}

#[tokio::test]
async fn hooks_are_not_called_for_expired_or_anonymous_sessions() {
    let unasked = |json: &str, life| {
        World::new(stored(json, life)).with(|builder| {
            builder
                .deserialize_user(async |_: Value| -> Result<Option<Value>, BoxError> {
                    panic!("asked")
                })
                .success(async |_| panic!("asked"))
        })
    };
    let user = session(&json!(KEY));
    let expired = code(unasked(&user, over()), signed()).await;
    assert_eq!(expired.0, "session_expired");
    let anonymous = code(unasked(r#"{"cookie":{}}"#, Life::Forever), signed()).await;
    assert_eq!(anonymous.0, "not_logged_in");
}
