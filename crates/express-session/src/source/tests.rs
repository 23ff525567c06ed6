//! Cookies that the real packages made, in every kind but express-session's own.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use super::*;
use crate::cookie::{Keygrip, KeygripHash};

fn locate(source: &impl SessionSource, cookies: &str) -> Result<Located, CookieFault> {
    source.locate(&SessionRequest::from_cookie_header(cookies))
}

/// The user at a pointer of the session that the cookie carries.
fn user(source: &impl SessionSource, cookies: &str, pointer: &str) -> Option<Value> {
    let Ok(Located::Carried(carried)) = locate(source, cookies) else {
        panic!("{cookies}");
    };
    let record = source.read(carried.payload(), &RecordLimits::default()).unwrap()?;
    record.pointer(pointer).unwrap()
}

mod cookie_session {
    use super::*;

    const VALUE: &str = "eyJwYXNzcG9ydCI6eyJ1c2VyIjoidTEifX0=";

    fn source(hash: KeygripHash) -> CookieSessionSource {
        CookieSessionSource::new("session", ["key1", "key2"], hash).unwrap()
    }

    #[test]
    fn reads_what_cookie_session_wrote_under_either_hash() {
        for (hash, sig) in [
            (KeygripHash::Sha1, "4VqMWF_AJ3NteWgiGaep13B5Q4E"),
            (KeygripHash::Sha256, "vXxBTHpv5Or3DLLIi4P5_tfFnZUcxJCGOmKhKjwaDWo"),
        ] {
            let cookies = format!("session={VALUE}; session.sig={sig}");
            assert_eq!(user(&source(hash), &cookies, "/passport/user"), Some("u1".into()));
        }
    }

    #[test]
    fn an_older_key_verifies_and_a_foreign_one_does_not() {
        let signed = |key: &str| {
            let keys = Keygrip::new([key], KeygripHash::Sha1).unwrap();
            let sig = keys.sign(&format!("session={VALUE}"));
            locate(&source(KeygripHash::Sha1), &format!("session={VALUE}; session.sig={sig}"))
        };
        assert!(signed("key2").is_ok());
        assert_eq!(signed("key3"), Err(CookieFault::BadSignature));
    }

    #[test]
    fn a_cookie_without_its_own_signature_is_refused() {
        let source = source(KeygripHash::Sha1);
        let sig = "4VqMWF_AJ3NteWgiGaep13B5Q4E";
        assert_eq!(locate(&source, &format!("session.sig={sig}")), Err(CookieFault::Missing));
        for cookies in [format!("session={VALUE}"), format!("session={VALUE}; session.sig=")] {
            assert!(matches!(locate(&source, &cookies), Err(CookieFault::Malformed(_))));
        }
        for cookies in [
            format!("session={VALUE} ; session.sig={sig}"),
            format!("session={VALUE}; session.sig={sig}="),
            format!("session=other; session={VALUE}; session.sig={sig}"),
            format!("session={}; session.sig={sig}", VALUE.trim_end_matches('=')),
        ] {
            assert_eq!(locate(&source, &cookies), Err(CookieFault::BadSignature), "{cookies}");
        }
    }

    #[test]
    fn the_default_name_of_version_1_is_accepted() {
        let source = |name| CookieSessionSource::new(name, ["k"], KeygripHash::Sha1);
        assert!(source("express:sess").is_ok());
        assert_eq!(source("express;session").unwrap_err(), SourceError::CookieName);
    }

    #[test]
    fn a_payload_that_is_no_object_is_no_session_and_no_error() {
        let source = source(KeygripHash::Sha1);
        for payload in ["", "{", "5", "\"x\"", "null", "[]"] {
            assert_eq!(source.read(payload.as_bytes(), &RecordLimits::default()), Ok(None));
        }
        let deep = "[".repeat(65);
        assert!(source.read(deep.as_bytes(), &RecordLimits::default()).is_err());
    }

    #[test]
    fn each_state_of_the_session_has_another_id() {
        let id = |value: &str| CarriedSession::new(value, Vec::new()).id().clone();
        assert_eq!(id(VALUE), id(VALUE));
        assert_ne!(id(VALUE), id("eyJ9"));
        assert!(!id(VALUE).as_str().contains(VALUE));
    }
}

mod koa {
    use super::*;

    const COOKIES: &str = "koa.sess=eyJwYXNzcG9ydCI6eyJ1c2VyIjo0Mn0sIl9leHBpcmUiOjE3OTU0ODc3ODUzODYsIl9tYXhBZ2UiOjg2NDAwMDAwfQ==; koa.sess.sig=6SyB0CLLHQJTnN3P8ue-7J5_dZ8";

    #[test]
    fn reads_a_cookie_of_koa_session_and_its_expiry() {
        let source = KoaSource::in_cookie("koa.sess", ["kk1", "kk2"], KeygripHash::Sha1).unwrap();
        assert!(!source.needs_store());
        assert_eq!(user(&source, COOKIES, "/passport/user"), Some(42.into()));
        let Ok(Located::Carried(carried)) = locate(&source, COOKIES) else { panic!() };
        let record = source.read(carried.payload(), &RecordLimits::default()).unwrap().unwrap();
        let end = UNIX_EPOCH + Duration::from_millis(1_795_487_785_387);
        assert_eq!(source.expiry(&record), Some(end));
    }

    #[test]
    fn only_a_number_ends_a_session() {
        let source = KoaSource::in_store("koa.sess", ["k"], KeygripHash::Sha1).unwrap();
        let expiry = |json: &str| {
            let record = source.read(json.as_bytes(), &RecordLimits::default()).unwrap().unwrap();
            source.expiry(&record)
        };
        assert_eq!(expiry("{}"), None);
        assert_eq!(expiry(r#"{"_expire":"5"}"#), None);
        assert_eq!(expiry(r#"{"_expire":5.5}"#), Some(UNIX_EPOCH + Duration::from_millis(6)));
        assert_eq!(expiry(r#"{"_expire":-5}"#), Some(UNIX_EPOCH + Duration::from_millis(1)));
    }

    #[test]
    fn numbers_that_overflow_are_infinite_as_in_javascript() {
        let source = KoaSource::in_store("koa.sess", ["k"], KeygripHash::Sha1).unwrap();
        let expiry = |json: &str| {
            let record = source.read(json.as_bytes(), &RecordLimits::default()).unwrap().unwrap();
            source.expiry(&record)
        };
        assert_eq!(expiry(r#"{"_expire":1e999}"#), None);
        assert_eq!(expiry(r#"{"_expire":-1e999}"#), Some(UNIX_EPOCH));
        assert_eq!(expiry(r#"{"_expire":"\ud800"}"#), None);
    }

    #[test]
    fn a_record_that_hides_to_json_is_corrupt_since_koa_session_throws() {
        let source = KoaSource::in_store("koa.sess", ["k"], KeygripHash::Sha1).unwrap();
        let read = |json: &str| source.read(json.as_bytes(), &RecordLimits::default());
        for json in [
            r#"{"toJSON":null}"#,
            r#"{"toJSON":"\ud800"}"#,
            r#"{"__proto__":{}}"#,
            r#"{"__proto__":[]}"#,
            r#"{"__proto__":null}"#,
            r#"{"__proto__":{"toJSON":1e999}}"#,
            r#"{"__proto__":5,"__proto__":{}}"#,
        ] {
            assert!(matches!(read(json), Err(CorruptRecord::NotASession(_))), "{json}");
        }
        // No setter of a prototype takes these.
        for json in [r#"{"__proto__":5}"#, r#"{"__proto__":{},"__proto__":"null"}"#, "{}"] {
            assert!(read(json).unwrap().is_some(), "{json}");
        }
    }

    #[test]
    fn the_cookie_value_is_the_key_of_a_stored_koa_session() {
        let source = KoaSource::in_store("koa:sess", ["k"], KeygripHash::Sha1).unwrap();
        assert!(source.needs_store());
        let keys = Keygrip::new(["k"], KeygripHash::Sha1).unwrap();
        let cookies = |key: &str| {
            format!("koa:sess={key}; koa:sess.sig={}", keys.sign(&format!("koa:sess={key}")))
        };
        let key = "app-f2a95ea7-cbea-40fc-9ca7-433c4399dc18";
        assert_eq!(locate(&source, &cookies(key)).unwrap().id().as_str(), key);
        assert!(matches!(locate(&source, &cookies("../x")), Err(CookieFault::Malformed(_))));
    }
}
