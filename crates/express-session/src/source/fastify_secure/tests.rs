//! Cookies that the real package made, and payloads that end or break their session.

use std::time::UNIX_EPOCH;

use serde_json::Value;

use super::*;

const SEALED: &str = "gpKSDf99+9D6GghKRgXxsXiPdTueuNEmJW88LL2YQea3TJw4K3Pt1oNT1tcu7m6RuA==;ET/4CjzHOmReNsxWgLROnG7w1rSbdhCz";

fn locate(source: &SecureSessionSource, cookies: &str) -> Result<Located, CookieFault> {
    source.locate(&SessionRequest::from_cookie_header(cookies))
}

fn user(source: &SecureSessionSource, cookies: &str, pointer: &str) -> Option<Value> {
    let Ok(Located::Carried(carried)) = locate(source, cookies) else {
        panic!("{cookies}");
    };
    let record = source.read(carried.payload(), &RecordLimits::default()).unwrap()?;
    record.pointer(pointer).unwrap()
}

fn cookies(value: &str) -> String {
    format!("session={}", value.replace(';', "%3B").replace('+', "%2B").replace('/', "%2F"))
}

#[test]
fn opens_a_cookie_of_secure_session_and_reads_its_expiry() {
    let source = SecureSessionSource::with_keys("session", [[1; 32], [7; 32]]).unwrap();
    assert_eq!(user(&source, &cookies(SEALED), "/passport"), Some(42.into()));
    let Ok(Located::Carried(carried)) = locate(&source, &cookies(SEALED)) else { panic!() };
    let record = source.read(carried.payload(), &RecordLimits::default()).unwrap().unwrap();
    let end = UNIX_EPOCH + Duration::from_secs(1_795_401_405 + 86_401);
    assert_eq!(source.expiry(&record), Some(end));
    let shorter = source.with_expiry(Duration::from_secs(60));
    assert_eq!(shorter.expiry(&record), Some(end - Duration::from_secs(86_401 - 60)));
}

/// Made by secure-session 8.4.0 with `secret`, and without `salt`.
#[test]
fn a_key_is_derived_from_a_secret_as_libsodium_does() {
    let sealed = "g8rXTFaKI9O2mWkEBT60w+etJ6qqwrkXk1X6/SxAECptdGKS3sxanaQb3fGWjUD1;CyrTQPfw/eGwGid0Fq9ksePTENg4OPnB";
    let secret = "averylogphrasebiggerthanthirtytwochars";
    let source = SecureSessionSource::with_secret("session", secret, None).unwrap();
    assert_eq!(user(&source, &cookies(sealed), "/passport"), Some(7.into()));
}

/// Node 20 takes the low byte of each UTF-16 unit: one of these is a digit there, and one an end.
#[test]
fn characters_beyond_latin1_are_refused() {
    let source = SecureSessionSource::with_keys("session", [[7; 32]]).unwrap();
    for character in ["%F0%90%8D%88", "%F0%9F%98%80", "%E2%98%83"] {
        let value = cookies(SEALED).replace("gpKS", &format!("gpKS{character}"));
        assert!(matches!(locate(&source, &value), Err(CookieFault::Malformed(_))), "{character}");
    }
    let skipped = cookies(SEALED).replace("gpKS", "gpKS%C3%A9");
    assert_eq!(user(&source, &skipped, "/passport"), Some(42.into()));
}

#[test]
fn a_box_that_no_key_opens_is_refused() {
    let source = SecureSessionSource::with_keys("session", [[7; 32]]).unwrap();
    let other = SecureSessionSource::with_keys("session", [[8; 32]]).unwrap();
    assert_eq!(locate(&other, &cookies(SEALED)), Err(CookieFault::BadSignature));
    let tampered = cookies(&SEALED.replace("gpKS", "gpKT"));
    assert_eq!(locate(&source, &tampered), Err(CookieFault::BadSignature));
    for malformed in ["x", "x%3By", "", "%3B"] {
        let fault = locate(&source, &format!("session={malformed}"));
        assert!(matches!(fault, Err(CookieFault::Malformed(_))), "{malformed}");
    }
    let short = locate(&source, "session=QQ%3BET%2F4CjzHOmReNsxWgLROnG7w1rSbdhCz");
    assert_eq!(short, Err(CookieFault::BadSignature));
}

fn read(json: &str) -> Result<Option<SessionRecord>, CorruptRecord> {
    source().read(json.as_bytes(), &RecordLimits::default())
}

fn source() -> SecureSessionSource {
    SecureSessionSource::with_keys("session", [[7; 32]]).unwrap()
}

#[test]
fn a_session_ends_at_the_millisecond_of_its_end() {
    let expiry = |ts: &str| {
        let source = source().with_expiry(Duration::from_secs(60));
        source.expiry(&read(&format!(r#"{{"__ts":{ts}}}"#)).unwrap().unwrap())
    };
    let at = |ms| Some(UNIX_EPOCH + Duration::from_millis(ms));
    assert_eq!(expiry("1000"), at(1_060_000));
    assert_eq!(expiry("1000.0005"), at(1_060_001));
    assert_eq!(expiry("-5000"), at(0));
    assert!(expiry("1e300") > at(u64::from(u32::MAX) * 1000));
}

#[test]
fn without_a_time_a_session_never_ends() {
    assert_eq!(source().expiry(&read("{}").unwrap().unwrap()), None);
}

/// There it is what JavaScript makes of a sum, which is an end long ago for some of these.
#[test]
fn a_time_that_is_no_number_is_corrupt() {
    for ts in ["null", "true", "false", "\"5\"", "[]", "{}", "1e999", "\"\\ud800\""] {
        assert!(read(&format!(r#"{{"__ts":{ts}}}"#)).is_err(), "{ts}");
    }
}

#[test]
fn json_that_is_no_object_is_corrupt() {
    for json in ["null", "false", "0", "\"\"", "5", "[]", "", "{"] {
        assert!(read(json).is_err(), "{json}");
    }
}

#[test]
fn an_expiry_of_zero_is_the_default_as_in_node() {
    let record = read(r#"{"__ts":0}"#).unwrap().unwrap();
    let end = UNIX_EPOCH + EXPIRY;
    assert_eq!(source().with_expiry(Duration::ZERO).expiry(&record), Some(end));
}
