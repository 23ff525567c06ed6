//! Cookies that the real packages made, and records that end or break their session.

use std::time::Duration;

use super::*;

const SECRET: &str = "a secret with minimum length of 32 characters";
const SIGNED: &str = "akH_lIVypdA-pMAB0UA4_7a0qflvOr2N.LQMPwSNUts46Y0M7uJwESsOKh+U32rlVpkn0eOZlEwU";

fn source() -> FastifySource {
    FastifySource::new("sessionId", [SECRET]).unwrap()
}

fn locate(source: &FastifySource, cookies: &str) -> Result<Located, CookieFault> {
    source.locate(&SessionRequest::from_cookie_header(cookies))
}

fn read(json: &str) -> Result<Option<SessionRecord>, CorruptRecord> {
    source().read(json.as_bytes(), &RecordLimits::default())
}

fn expiry(cookie: &str) -> Option<SystemTime> {
    let record = read(&format!(r#"{{"cookie":{cookie},"passport":1}}"#)).unwrap().unwrap();
    source().expiry(&record)
}

#[test]
fn reads_what_fastify_session_wrote_encoded_or_not() {
    for value in [SIGNED.to_owned(), SIGNED.replace('+', "%2B")] {
        let located = locate(&source(), &format!("sessionId={value}")).unwrap();
        assert_eq!(located.id().as_str(), "akH_lIVypdA-pMAB0UA4_7a0qflvOr2N");
    }
    let another_id = locate(&source(), &format!("sessionId=s:{SIGNED}"));
    assert_eq!(another_id, Err(CookieFault::BadSignature));
}

/// npm cookie 0.7, which Express has, drops them.
#[test]
fn quotes_are_part_of_the_value() {
    let quoted = locate(&source(), &format!("sessionId=\"{SIGNED}\""));
    assert_eq!(quoted, Err(CookieFault::BadSignature));
}

#[test]
fn a_cookie_prefix_must_match_that_of_the_app() {
    let source = source().with_cookie_prefix("s:");
    assert!(locate(&source, &format!("sessionId=s%3A{SIGNED}")).is_ok());
    let without = locate(&source, &format!("sessionId={SIGNED}"));
    assert!(matches!(without, Err(CookieFault::Malformed(_))));
}

#[test]
fn a_session_ends_at_the_date_in_its_record() {
    let end = UNIX_EPOCH + Duration::from_millis(1_795_401_605_979);
    assert_eq!(expiry(r#"{"expires":"2026-11-23T02:40:05.979Z"}"#), Some(end));
    assert_eq!(expiry(r#"{"expires":1795401605979.9}"#), Some(end));
    assert_eq!(expiry(r#"{"expires":1795401605979,"originalMaxAge":60000}"#), Some(end));
    for long_ago in
        [r#""1969-12-31T23:59:59.999Z""#, r#""-000001-01-01T00:00:00.000Z""#, "-5", "true", "0.1"]
    {
        let expires = format!(r#"{{"expires":{long_ago}}}"#);
        assert!(expiry(&expires) <= Some(UNIX_EPOCH + Duration::from_millis(1)), "{expires}");
        assert!(expiry(&expires).is_some(), "{expires}");
    }
}

#[test]
fn a_session_without_a_date_ends_by_a_negative_max_age() {
    for cookie in [
        r#"{"originalMaxAge":-1}"#,
        r#"{"maxAge":-60000}"#,
        r#"{"expires":null,"originalMaxAge":0,"maxAge":0.5}"#,
    ] {
        assert_eq!(expiry(cookie), Some(UNIX_EPOCH), "{cookie}");
    }
}

#[test]
fn a_cookie_without_a_valid_date_ends_no_session() {
    for cookie in [
        r#"{"expires":null}"#,
        r#"{"expires":0}"#,
        r#"{"expires":""}"#,
        r#"{"expires":-1e16}"#,
        r#"{"expires":"+012026-01-01T00:00:00.000Z"}"#,
        r#"{"originalMaxAge":60000}"#,
        r#"{"originalMaxAge":-1e17}"#,
        "{}",
        "null",
        "5",
        "[]",
    ] {
        assert_eq!(expiry(cookie), None, "{cookie}");
    }
    let without_cookie = read(r#"{"passport":1}"#).unwrap().unwrap();
    assert_eq!(source().expiry(&without_cookie), None);
}

/// Such a `cookie` once made a session endless.
#[test]
fn a_date_that_cannot_be_read_is_corrupt() {
    for cookie in [
        r#"{"expires":"2001-01-01T00:00:00.000Z","domain":"\ud800"}"#,
        r#"{"expires":"Mon, 01 Jan 2001 00:00:00 GMT"}"#,
        r#"{"expires":"2001-01-01"}"#,
        r#"{"expires":"2001-02-30T00:00:00.000Z"}"#,
        r#"{"expires":"2001-01-01T00:00:60.000Z"}"#,
        r#"{"expires":"never"}"#,
        r#"{"expires":[]}"#,
        r#"{"originalMaxAge":"1h"}"#,
        r#"{"expires":"2099-01-01T00:00:00.000Z","originalMaxAge":{"toString":1}}"#,
    ] {
        assert!(read(&format!(r#"{{"cookie":{cookie},"passport":1}}"#)).is_err(), "{cookie}");
    }
}

/// There `session.get('passport')` throws.
#[test]
fn a_record_that_overrides_methods_of_the_session_is_corrupt() {
    for json in [
        r#"{"get":1,"passport":1}"#,
        r#"{"g\u0065t":null,"passport":1}"#,
        r#"{"__proto__":{},"passport":1}"#,
        r#"{"__proto__":null,"passport":1}"#,
        r#"{"__proto__":[],"passport":1}"#,
    ] {
        assert!(read(json).is_err(), "{json}");
    }
    for json in [r#"{"__proto__":5,"passport":1}"#, r#"{"set":1,"cookie":{"get":1},"passport":1}"#]
    {
        assert!(matches!(read(json), Ok(Some(_))), "{json}");
    }
}
