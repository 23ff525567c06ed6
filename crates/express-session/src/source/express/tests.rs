use super::*;

const GOOD: &str =
    "s%3AfMPzKu0tTbq0cXx6vWnRr-9_Hg3pY7Ld.VmhlJ%2F4qdhEpwTtqewz1qdvbZu%2B3PMNO29SIKM9YEUw";
const SID: &str = "fMPzKu0tTbq0cXx6vWnRr-9_Hg3pY7Ld";

fn source() -> ExpressSource {
    ExpressSource::new("connect.sid", ["keyboard cat"]).unwrap()
}

fn locate(cookies: &str) -> Result<String, CookieFault> {
    let sid = source().locate(&SessionRequest::from_cookie_header(cookies))?;
    Ok(sid.id().as_str().to_owned())
}

#[test]
fn accepts_every_spelling_that_express_session_accepts() {
    let undecoded = GOOD.replace("%3A", ":").replace("%2F", "/").replace("%2B", "+");
    for cookies in [
        format!("connect.sid={GOOD}"),
        format!("connect.sid={undecoded}"),
        format!("connect.sid=\"{GOOD}\""),
        format!("connect.sid={GOOD}; connect.sid=bad"),
        format!("a=1;connect.sid = {GOOD} ;b=2"),
        format!("connect.sid={}", GOOD.replace("%2F", "%2f").replace("%2B", "%2b")),
        format!("connect.sid={}", GOOD.replace("%2B", "+").replace("%2F", "/")),
    ] {
        assert_eq!(locate(&cookies).as_deref(), Ok(SID), "{cookies}");
    }
}

#[test]
fn refuses_what_express_session_refuses() {
    let bare = SID.to_owned();
    let unsigned = GOOD.replace("s%3A", "");
    let malformed = [
        format!("connect.sid=; connect.sid={GOOD}"),
        format!("connect.sid={bare}"),
        format!("connect.sid={unsigned}"),
        format!("connect.sid={GOOD}%"),
        "connect.sid=s%3A".to_owned(),
        "connect.sid=s%3Anodot".to_owned(),
        // Signed, but Node's `if (val)` finds it empty.
        "connect.sid=s%3A.aJcKKTu8Uv0mRiw7LTI435t%2BpOa%2BgiU%2FWLAuLCKGEFc".to_owned(),
    ];
    for cookies in malformed {
        assert!(matches!(locate(&cookies), Err(CookieFault::Malformed(_))), "{cookies}");
    }
    for cookies in [
        format!("connect.sid=s%3Abad.bad; connect.sid={GOOD}"),
        format!("connect.sid={GOOD}="),
        format!("connect.sid={}", GOOD.replace("%2F", "_").replace("%2B", "-")),
        format!("connect.sid={}", GOOD.replace("fMPz", "fMPy")),
    ] {
        assert_eq!(locate(&cookies), Err(CookieFault::BadSignature), "{cookies}");
    }
    for cookies in ["", "Connect.Sid=s%3Aa.b", &format!("a=1,connect.sid={GOOD}")] {
        assert_eq!(locate(cookies), Err(CookieFault::Missing), "{cookies}");
    }
}

#[test]
fn signed_ids_with_unsafe_characters_are_malformed() {
    for sid in ["a\0b", "a\r\nb", "*", "../a", "a/../../b", "a\u{85}b"] {
        let cookies = source().signer().cookie_pair("connect.sid", sid);
        assert!(matches!(locate(&cookies), Err(CookieFault::Malformed(_))), "{sid:?}");
    }
    for sid in ["user:1/+=é", "a.b.c", "{1}"] {
        let cookies = source().signer().cookie_pair("connect.sid", sid);
        assert_eq!(locate(&cookies).as_deref(), Ok(sid));
    }
}

#[test]
fn the_query_is_read_only_if_enabled_signed_and_given_once() {
    let allowed = source().with_insecure_query_param("session_id");
    let ask = |source: &ExpressSource, cookies: Option<&str>, query: &str| {
        let request =
            cookies.map_or_else(SessionRequest::default, SessionRequest::from_cookie_header);
        let sid = source.locate(&request.with_query(Some(query)))?;
        Ok(sid.id().as_str().to_owned())
    };
    let value = GOOD;
    let twice = GOOD.replace('%', "%25");
    let raw = "s:fMPzKu0tTbq0cXx6vWnRr-9_Hg3pY7Ld.VmhlJ/4qdhEpwTtqewz1qdvbZu+3PMNO29SIKM9YEUw";

    for signed in [value, &twice, raw] {
        let query = format!("EIO=4&session_id={signed}&transport=websocket");
        assert_eq!(ask(&allowed, None, &query).as_deref(), Ok(SID), "{signed}");
        assert_eq!(ask(&source(), None, &query), Err(CookieFault::Missing));
    }
    let bare = format!("session_id={SID}");
    assert!(matches!(ask(&allowed, None, &bare), Err(CookieFault::Malformed(_))));
    let repeated = format!("session_id={value}&session_id={value}");
    assert!(matches!(ask(&allowed, None, &repeated), Err(CookieFault::Malformed(_))));
    let cookie_first = ask(&allowed, Some("connect.sid=s:x.bad"), &format!("session_id={value}"));
    assert_eq!(cookie_first, Err(CookieFault::BadSignature));
}

#[test]
fn reads_only_records_that_create_session_accepts() {
    let read = |json: &str| source().read(json.as_bytes(), &RecordLimits::default());
    for session in [
        r#"{"cookie":{}}"#,
        r#"{"cookie":{"maxAge":60000}}"#,
        r#"{"cookie":{"maxAge":null}}"#,
        r#"{"cookie":[]}"#,
        r#"{"cookie":0}"#,
        r#"{"cookie":""}"#,
        r#"{"cookie":false}"#,
    ] {
        assert!(read(session).unwrap().is_some(), "{session}");
    }
    assert_eq!(read("null"), Ok(None));
    for corrupt in [
        "{}",
        r#"{"cookie":null}"#,
        r#"{"cookie":{},"cookie":null}"#,
        r#"{"cookie":true}"#,
        r#"{"cookie":"x"}"#,
        r#"{"cookie":5}"#,
        r#"{"cookie":{"maxAge":"1h"}}"#,
        "[]",
        "5",
    ] {
        assert!(matches!(read(corrupt), Err(CorruptRecord::NotASession(_))), "{corrupt}");
    }
}

#[test]
fn invalid_cookie_names_are_refused() {
    for name in ["", "a b", "a;b", "a=b", "é"] {
        assert!(matches!(ExpressSource::new(name, ["s"]), Err(SourceError::CookieName)), "{name}");
    }
    assert!(matches!(ExpressSource::new("n", [""]), Err(SourceError::EmptySecret(_))));
}
