#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! What can't be configured, and what no `Debug` prints.

use std::time::Duration;

use passport_socketio::source::ExpressSource;
use passport_socketio::store::{Life, MemoryStore};
use passport_socketio::{Authorizer, AuthorizerBuilder, ConfigError, RateLimit};
use socketioxide::SocketIo;
use tower::Layer as _;

const SECRET: &str = "canary-secret-7f3a";
const SID: &str = "canary-sid-9c1b";
const KEY: &str = "canary-key-51de";

type Builder = AuthorizerBuilder<i64>;

fn bare() -> Builder {
    Authorizer::builder()
}

fn with_store(builder: Builder) -> Builder {
    let store = MemoryStore::for_tests();
    let json = format!(r#"{{"cookie":{{}},"passport":{{"user":"{KEY}"}}}}"#);
    store.set(SID, json, Life::Forever);
    builder.store(store)
}

fn with_deserializer(builder: Builder) -> Builder {
    builder.deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)))
}

fn without_secret() -> Builder {
    with_deserializer(with_store(bare()))
}

fn complete() -> Builder {
    without_secret().secret(SECRET)
}

fn error(builder: Builder) -> ConfigError {
    builder.build().unwrap_err()
}

#[test]
fn a_builder_needs_only_a_secret_a_store_and_a_deserializer() {
    assert!(complete().build().is_ok());
    assert_eq!(error(without_secret()), ConfigError::MissingSecret);
    let without_store = with_deserializer(bare().secret(SECRET));
    assert_eq!(error(without_store), ConfigError::MissingStore);
    let without_deserializer = with_store(bare().secret(SECRET));
    assert_eq!(error(without_deserializer), ConfigError::MissingDeserializer);
}

#[test]
fn no_secret_may_be_empty() {
    assert_eq!(error(without_secret().secret("")), ConfigError::MissingSecret);
    assert_eq!(error(without_secret().secrets(["", SECRET])), ConfigError::MissingSecret);
    assert_eq!(error(without_secret().secrets([SECRET, ""])), ConfigError::MissingSecret);
    let none: [&str; 0] = [];
    assert_eq!(error(without_secret().secrets(none)), ConfigError::MissingSecret);
    assert!(without_secret().secrets([SECRET, "old"]).build().is_ok());
}

#[test]
fn an_invalid_cookie_name_is_refused() {
    for name in ["", "connect sid", "sid;", "a=b", "sid\n", "ß"] {
        assert_eq!(error(complete().key(name)), ConfigError::CookieName(name.into()));
    }
    assert!(complete().key("sessionId").build().is_ok());
}

#[test]
fn a_custom_source_can_not_be_combined_with_settings_of_the_default() {
    let source = || ExpressSource::new("connect.sid", [SECRET]).unwrap();
    assert!(without_secret().source(source()).build().is_ok());
    for both in [
        complete().source(source()),
        without_secret().source(source()).key("connect.sid"),
        without_secret().source(source()).insecure_session_id_query(),
    ] {
        assert_eq!(error(both), ConfigError::SourceAndSecret);
    }
}

#[test]
fn an_allowed_origin_must_be_written_as_browsers_write_it() {
    for origin in [
        "https://app.example.com",
        "http://localhost:3000",
        "http://[::1]:3000",
        "wss://app.example.com",
        "ws://localhost:3000",
        "https://*.example.com",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    ] {
        assert!(complete().origin(origin).build().is_ok(), "{origin}");
    }
    for origin in [
        "",
        "app.example.com",
        "//app.example.com",
        "https://",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://app.example.com?",
        "https://app.example.com:",
        "https://app.example.com:99999",
        "https://ann@app.example.com",
        "https://żółw.example",
        "https://app.example.com https://b.example.com",
        "htps://app.example.com",
        "HTTPS://app.example.com",
    ] {
        let builder = complete().origin("https://ok.example").origin(origin);
        let error = builder.build().err();
        assert_eq!(error, Some(ConfigError::Origin(origin.into())), "{origin}");
    }
}

#[test]
fn an_origin_that_can_not_be_listed_is_refused_with_advice() {
    type Why = fn(String) -> ConfigError;
    let cases: [(&str, Why, &str); 7] = [
        ("*", ConfigError::OriginPattern, "https://*.example.com"),
        ("http://*.example.com", ConfigError::OriginPattern, ".origin_if(…)"),
        ("https://*", ConfigError::OriginPublicSuffix, "name each origin of yours"),
        ("https://*.vercel.app", ConfigError::OriginPublicSuffix, ".origin_if(…)"),
        ("https://*.co.uk", ConfigError::OriginPublicSuffix, ".origin_if(…)"),
        ("null", ConfigError::OriginOpaque, ".insecure_null_origin()"),
        ("file://", ConfigError::OriginOpaque, ".insecure_null_origin()"),
    ];
    for (origin, why, says) in cases {
        let error = error(complete().origin(origin));
        assert_eq!(error, why(origin.into()));
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_proxy_is_an_address_or_a_network() {
    for proxy in ["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"] {
        assert!(complete().trust_proxy([proxy]).build().is_ok(), "{proxy}");
    }
    for proxy in ["", "10.0.0.0/33", "10.0.0", "proxy.example.com", "10.0.0.1:80", "*"] {
        let builder = complete().trust_proxy(["127.0.0.1", proxy]);
        assert_eq!(error(builder), ConfigError::Proxy(proxy.into()), "{proxy}");
    }
}

#[test]
fn a_user_pointer_begins_with_a_slash() {
    // The empty one is the whole session, which every visitor has.
    for pointer in ["", "passport/user", "passport.user", " /passport", "#/passport"] {
        let builder = complete().user_pointer(pointer);
        assert_eq!(error(builder), ConfigError::UserPointer(pointer.into()));
    }
    assert!(complete().user_pointer("/passport").build().is_ok());
}

#[test]
fn sessions_are_cached_for_a_tenth_of_max_stale_at_most() {
    let seconds = Duration::from_secs;
    let too_long = |at_most| ConfigError::CachedForTooLong { at_most: seconds(at_most) };
    assert!(complete().cache_sessions_for(seconds(3)).build().is_ok());
    assert!(complete().cache_sessions_for(seconds(6)).max_stale(seconds(60)).build().is_ok());
    assert_eq!(error(complete().cache_sessions_for(seconds(4))), too_long(3));
    let shorter = complete().cache_sessions_for(seconds(3)).max_stale(seconds(20));
    assert_eq!(error(shorter), too_long(2));
}

#[test]
fn max_store_loads_must_not_be_zero() {
    assert_eq!(error(complete().max_store_loads(0)), ConfigError::NoStoreLoads);
    assert!(complete().max_store_loads(1).max_queued_loads(0).build().is_ok());
}

#[test]
fn a_rate_limit_must_not_be_zero() {
    for limit in [RateLimit::per_second(0), RateLimit::per_minute(1).burst(0)] {
        for builder in [
            complete().limit_handshakes_per_ip(limit),
            complete().limit_connects_per_ip(limit),
            complete().limit_connects_per_session(limit),
        ] {
            assert_eq!(error(builder), ConfigError::RateLimit(limit));
        }
    }
}

#[test]
fn config_errors_give_advice_and_never_contain_the_secret() {
    for error in [
        error(complete().limit_connects_per_ip(RateLimit::per_hour(0))),
        error(complete().max_store_loads(0)),
        error(complete().cache_sessions_for(Duration::from_secs(60))),
        error(without_secret()),
        error(with_deserializer(bare().secret(SECRET))),
        error(with_store(bare().secret(SECRET))),
        error(complete().key("a b")),
        error(complete().source(ExpressSource::new("n", [SECRET]).unwrap())),
        error(complete().origin("x")),
        error(complete().trust_proxy(["x"])),
        error(complete().user_pointer("x")),
    ] {
        let said = error.to_string();
        assert!(said.contains(':') || said.contains('`'), "{said}");
        assert!(!said.contains(SECRET) && !format!("{error:?}").contains(SECRET));
    }
}

#[tokio::test(start_paused = true)]
async fn no_debug_output_contains_a_secret_a_session_id_or_a_user_key() {
    let builder = || complete().secrets([SECRET, "canary-secret-old"]);
    let auth = builder().build().unwrap();
    let source = ExpressSource::new("connect.sid", [SECRET]).unwrap();
    let own_source = without_secret().source(source.clone());
    let (_host, io) = SocketIo::new_layer();
    io.ns("/", async || {});
    let live = auth.attach(&io).unwrap();
    let service = auth.layer().layer(());
    for said in [
        format!("{:?} {:#?}", builder(), builder()),
        format!("{own_source:?} {source:?} {:?}", source.signer()),
        format!("{auth:?} {auth:#?}"),
        format!("{:?} {:?}", auth.required(), auth.optional()),
        format!("{:?} {service:?}", auth.layer()),
        format!("{live:?} {:?}", live.user("canary-user-key")),
    ] {
        assert!(!said.contains("canary"), "{said}");
    }
    assert!(format!("{auth:?}").contains("3 secrets"), "{auth:?}");
}
