//! Sessions that are there, gone, expired or odd.

use std::time::Duration;

use express_session::SessionId;
use express_session::store::{Life, SessionStore as _};
use tokio::time::{Instant, sleep};

use super::{HOUR, J, Payload, Subject, alive, assert_payload, left, load, now};

pub(super) async fn run(subject: &impl Subject) {
    finds_existing_sessions(subject).await;
    finds_no_missing_sessions(subject).await;
    reports_expired_sessions(subject).await;
    knows_when_it_will_expire(subject).await;
    keeps_the_payload(subject).await;
    keeps_large_payloads(subject).await;
    keeps_odd_ids_apart(subject).await;
    answers_many_at_once(subject).await;
    loads_many_in_order_with_gaps(subject).await;
}

async fn finds_existing_sessions(subject: &impl Subject) {
    subject.put("found", J.as_bytes(), now() + HOUR).await;
    let session = load(subject, "found").await.expect("it was just put there");
    assert_payload(subject, &session, J);
    let left = left(session.life()).expect("it has an expiry");
    let most = HOUR + Duration::from_secs(1) + subject.limits().resolution;
    assert!(left <= most && left > HOUR - Duration::from_secs(30), "{left:?}");
}

async fn finds_no_missing_sessions(subject: &impl Subject) {
    for sid in ["missing", "", "%", "fou_d", "FOUND", "found ", "'; DROP TABLE sessions; --", "é😀"]
    {
        assert!(alive(load(subject, sid).await).is_none(), "{sid:?}");
    }
    let long = "x".repeat(4000);
    assert!(alive(load(subject, &long).await).is_none());
}

async fn reports_expired_sessions(subject: &impl Subject) {
    let ago = Duration::from_secs(2) + subject.limits().resolution;
    subject.put("expired", J.as_bytes(), now() - ago).await;
    assert!(alive(load(subject, "expired").await).is_none());
}

/// It says beforehand when a session will be over, and then it is.
async fn knows_when_it_will_expire(subject: &impl Subject) {
    let life = Duration::from_millis(1500) + subject.limits().resolution;
    let put = Instant::now();
    subject.put("short", J.as_bytes(), now() + life).await;
    let held = load(subject, "short").await.expect("it was just put there");
    let said = put.elapsed() + left(held.life()).expect("it has an expiry");
    while alive(load(subject, "short").await).is_some() {
        assert!(put.elapsed() < life + Duration::from_secs(10), "it expires");
        sleep(Duration::from_millis(20)).await;
    }
    let lived = put.elapsed();
    let inexact = subject.limits().resolution + Duration::from_millis(500);
    assert!(lived + inexact >= life, "{lived:?} instead of {life:?}");
    assert!(said.abs_diff(lived) <= inexact, "it said {said:?}, and lived {lived:?}");
    if !matches!(held.life(), Life::For(_)) {
        assert!(alive(Some(held)).is_none(), "a held session shows that it is over");
    }
}

async fn keeps_the_payload(subject: &impl Subject) {
    let unicode = r#"{"cookie":{},"name":"żółw \u00e9 😀","x":" spaced "}"#;
    let numbers = r#"{"cookie":{},"big":9007199254740993,"small":-0.5,"list":[1,[],{}],"no":null}"#;
    let mut payloads = vec![("unicode", unicode), ("numbers", numbers)];
    if subject.limits().payload == Payload::Bytes {
        payloads.push(("broken", "{broken"));
    }
    for (sid, json) in payloads {
        subject.put(sid, json.as_bytes(), now() + HOUR).await;
        let session = load(subject, sid).await.expect("it was just put there");
        assert_payload(subject, &session, json);
    }
}

/// Whether a record is too large is for its reader to say.
async fn keeps_large_payloads(subject: &impl Subject) {
    let size = subject.limits().max_payload.min(2 * 1024 * 1024) - 64;
    let large = format!(r#"{{"cookie":{{}},"x":"{}"}}"#, "y".repeat(size));
    subject.put("large", large.as_bytes(), now() + HOUR).await;
    assert_payload(subject, &load(subject, "large").await.expect("it was just put there"), &large);
}

async fn keeps_odd_ids_apart(subject: &impl Subject) {
    let limits = subject.limits();
    let long = "l".repeat(limits.max_sid.min(250));
    let mut sids = vec!["a-b_C", &long];
    if limits.case_sensitive_sids {
        sids.push("A-B_c");
    }
    if limits.any_sid {
        sids.extend(["a.b.c", "sid:with/odd+chars=é", "100%", "😀", "' OR 1=1 --", "$where"]);
    }
    for (n, sid) in sids.iter().enumerate() {
        let json = format!(r#"{{"cookie":{{}},"passport":{{"user":{n}}}}}"#);
        subject.put(sid, json.as_bytes(), now() + HOUR).await;
    }
    for (n, sid) in sids.iter().enumerate() {
        let session = load(subject, sid).await.expect("it was just put there");
        let json = format!(r#"{{"cookie":{{}},"passport":{{"user":{n}}}}}"#);
        assert_payload(subject, &session, &json);
    }
}

async fn answers_many_at_once(subject: &impl Subject) {
    for n in 0..20 {
        subject.put(&format!("many-{n}"), user(n).as_bytes(), now() + HOUR).await;
    }
    let loads = (0..20).map(|n| async move {
        let session = load(subject, &format!("many-{n}")).await.expect("it is there");
        assert_payload(subject, &session, &user(n));
    });
    futures_util::future::join_all(loads).await;
}

async fn loads_many_in_order_with_gaps(subject: &impl Subject) {
    for n in 0..3 {
        subject.put(&format!("batch-{n}"), user(n).as_bytes(), now() + HOUR).await;
    }
    let asked = [Some(2), None, Some(0), Some(2), None, Some(1)];
    let sids: Vec<SessionId> = asked
        .iter()
        .map(|n| n.map_or("batch-none".into(), |n| SessionId::new(format!("batch-{n}"))))
        .collect();
    let answers = subject.store().load_many(&sids).await.expect("the store answers");
    assert_eq!(answers.len(), asked.len(), "one answer each");
    for (asked, answer) in asked.iter().zip(answers) {
        let answer = alive(answer);
        assert_eq!(asked.is_some(), answer.is_some(), "a hole stays a hole");
        if let (Some(n), Some(session)) = (asked, answer) {
            assert_payload(subject, &session, &user(*n));
            assert!(left(session.life()).is_some_and(|left| left > HOUR / 2), "with its life");
        }
    }
    let none = subject.store().load_many(&[]).await.expect("the store answers");
    assert!(none.is_empty());
    // More than one statement or packet of any backend takes.
    let sids: Vec<SessionId> = (0..5000).map(|n| SessionId::new(format!("missing-{n}"))).collect();
    let answers = subject.store().load_many(&sids).await.expect("the store answers");
    assert_eq!((answers.len(), answers.iter().flatten().count()), (5000, 0));
}

fn user(n: usize) -> String {
    format!(r#"{{"cookie":{{}},"passport":{{"user":{n}}}}}"#)
}
