//! "No", for a reason.

use super::*;

const FORBIDDEN: Expected =
    Expected { client: "forbidden", guest: false, ..Expected::denied("origin_not_allowed", 0) };
const NO_COOKIE: Expected = Expected::denied("no_session_cookie", 0);
const MALFORMED: Expected = Expected::denied("malformed_cookie", 0);
const BAD_SIGNATURE: Expected = Expected::denied("bad_signature", 0);
const NOT_FOUND: Expected = Expected::denied("session_not_found", 1);
const EXPIRED: Expected = Expected::denied("session_expired", 1);
const NOT_LOGGED_IN: Expected = Expected::denied("not_logged_in", 1);

#[tokio::test]
async fn an_origin_that_is_not_allowed_is_refused_before_the_store_is_asked() {
    let cookie = &*cookie(SECRET);
    for foreign in
        [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        let request = request(&[("host", "app.example"), ("cookie", cookie), foreign]);
        logged_in().refuses(request, &FORBIDDEN).await;
    }
}

#[tokio::test]
async fn the_refused_origin_is_logged_shortened() {
    let long = format!("https://{}\\.example", "e".repeat(200));
    let host = format!("{}.example", "h".repeat(200));
    let both = request(&[("origin", &long), ("host", &host)]);
    let shown = logged_in().refuses(both, &FORBIDDEN).await.to_string();
    assert!(shown.contains("https://eee") && shown.contains("http://hhh"), "{shown}");
    assert!(shown.len() < 260, "{shown}");
}

#[tokio::test]
async fn the_no_cookie_reason_says_whether_the_request_was_cross_origin() {
    let allowed = "http://app.example";
    let world = || logged_in().with(|builder| builder.origin(allowed));
    let host = ("host", "rt.example");
    let others = ("cookie", "theme=dark; Connect.Sid=s%3Ax.y");
    for (headers, expected) in [
        (&[host][..], false),
        (&[host, others], false),
        (&[host, ("origin", "http://rt.example")], false),
        (&[host, ("origin", allowed)], true),
        (&[host, ("origin", allowed), others], true),
    ] {
        let failure = world().refuses(request(headers), &NO_COOKIE).await;
        let Failure::Denied(Denial::NoSessionCookie { cross_origin }) = failure else {
            panic!("{failure:?}");
        };
        assert_eq!(cross_origin, expected, "{headers:?}");
        assert_eq!(failure.to_string().contains("withCredentials"), expected);
    }
}

#[tokio::test]
async fn a_cookie_without_a_signed_session_id_is_malformed() {
    let signer = Signer::new([SECRET]).unwrap();
    let cookie_of = |sid: &str| signer.cookie_pair("connect.sid", sid);
    for cookie in [
        "connect.sid=".to_owned(),
        format!("connect.sid={SID}"),
        format!("connect.sid={SID}.{KEY}"),
        format!("connect.sid=s%3A{SID}"),
        format!("connect.sid=j%3A%7B%22sid%22%3A%22{SID}%22%7D"),
        format!("connect.sid={SID}; {}", cookie_of(SID)),
        cookie_of(""),
        cookie_of("../canary-sid-9c1b"),
        cookie_of("canary-sid-*"),
        cookie_of("canary-sid\r\n"),
    ] {
        logged_in().refuses(with_cookie(&cookie), &MALFORMED).await;
    }
}

#[tokio::test]
async fn a_cookie_header_of_8_kib_is_read_and_one_byte_more_is_malformed() {
    // Bytes, not characters: Node's latin1 makes two bytes of UTF-8 out of each of these.
    for filler in [b'x', 0xe9] {
        let header = |len: usize| {
            let mut header = format!("{}; pad=", cookie(SECRET)).into_bytes();
            header.resize(len, filler);
            http::HeaderValue::from_bytes(&header).unwrap()
        };
        let mut request = request(&[]);
        request.headers.insert("cookie", header(8 * 1024));
        logged_in().grants(request.clone()).await;
        request.headers.insert("cookie", header(8 * 1024 + 1));
        logged_in().refuses(request, &MALFORMED).await;
    }
}

#[tokio::test]
async fn a_request_with_more_than_256_cookies_is_malformed() {
    let among = |others: usize| with_cookie(&format!("{}{}", "a=;".repeat(others), cookie(SECRET)));
    logged_in().grants(among(255)).await;
    let refused =
        |world: World, others| async move { world.refuses(among(others), &MALFORMED).await };
    let failure = refused(logged_in(), 256).await;
    assert_eq!(failure.to_string(), "the session cookie is malformed: there are too many cookies");
    let ten = || logged_in().with(|builder| builder.max_cookies(10));
    ten().grants(among(9)).await;
    refused(ten(), 10).await;
    // However long the header may be.
    let long = || logged_in().with(|builder| builder.max_cookie_header(1 << 20));
    refused(long(), 10_000).await;
    long().with(|builder| builder.max_cookies(10_001)).grants(among(10_000)).await;
}

#[tokio::test]
async fn several_cookie_headers_count_together() {
    let pad = format!("pad={}", "x".repeat(5000));
    let cookie = cookie(SECRET);
    let once = request(&[("cookie", &pad), ("cookie", &cookie)]);
    logged_in().grants(once).await;
    let twice = request(&[("cookie", &pad), ("cookie", &cookie), ("cookie", &pad)]);
    logged_in().refuses(twice, &MALFORMED).await;
}

#[tokio::test]
async fn the_limit_of_the_cookie_header_can_be_set() {
    let len = cookie(SECRET).len();
    let world = |limit| logged_in().with(|builder| builder.max_cookie_header(limit));
    world(len).grants(signed()).await;
    world(len - 1).refuses(signed(), &MALFORMED).await;
}

#[tokio::test]
async fn a_signature_of_another_secret_is_bad() {
    for bad in [
        cookie("another secret"),
        cookie(SECRET).replace("canary-sid", "canary-sie"),
        format!("{}x", cookie(SECRET)),
        format!("{}; {}", cookie("another secret"), cookie(SECRET)),
    ] {
        logged_in().refuses(with_cookie(&bad), &BAD_SIGNATURE).await;
    }
}

#[tokio::test]
async fn a_session_missing_from_the_store_is_not_found() {
    let empty = World::new(Fake::Holds(MemoryStore::for_tests()));
    empty.refuses(signed(), &NOT_FOUND).await;
    for nothing in ["null", "false", "0", "\"\""] {
        holding(nothing).refuses(signed(), &NOT_FOUND).await;
    }
}

#[tokio::test]
async fn a_session_expires_exactly_when_its_store_says() {
    let nanosecond = Duration::from_nanos(1);
    let end = FakeClock::default().now() + Duration::from_secs(60);
    let at = async |now: Duration| {
        let world = holding_for(session(&json!(KEY)), Life::Until(end));
        world.clock.advance(now);
        world
    };
    let minute = Duration::from_secs(60);
    at(minute - nanosecond).await.grants(signed()).await;
    for late in [Duration::ZERO, nanosecond, minute] {
        let failure = at(minute + late).await.refuses(signed(), &EXPIRED).await;
        let Failure::Denied(Denial::SessionExpired { at, now }) = failure else {
            panic!("{failure:?}");
        };
        assert_eq!((at, now), (end, end + late));
    }
}

#[tokio::test]
async fn a_session_without_a_user_is_not_logged_in() {
    for json in [
        r#"{"cookie":{}}"#,
        r#"{"cookie":{},"passport":null}"#,
        // Passport 0.2 leaves this in every session that it has seen.
        r#"{"cookie":{},"passport":{}}"#,
        r#"{"cookie":{},"passport":"canary-key-51de"}"#,
        r#"{"cookie":{},"passport":{"user":null},"other":"canary-key-51de"}"#,
        r#"{"cookie":{},"passport":{"user":false}}"#,
        r#"{"cookie":{},"passport":{"user":""}}"#,
        r#"{"cookie":{},"passport":{"user":"canary-key-51de"},"passport":{}}"#,
    ] {
        let failure = holding(json).refuses(signed(), &NOT_LOGGED_IN).await;
        let Failure::Denied(Denial::NotLoggedIn { session }) = failure else {
            panic!("{failure:?}");
        };
        assert_eq!((session.id().as_str(), session.json()), (SID, json));
    }
}

#[tokio::test]
async fn a_user_unknown_to_the_deserializer_is_not_found() {
    let nobody = async |_: Value| Ok::<_, BoxError>(None);
    let world = logged_in().with(|builder| builder.deserialize_user(nobody));
    let expected = Expected::denied("user_not_found", 1);
    world.refuses(signed(), &expected).await;
}
