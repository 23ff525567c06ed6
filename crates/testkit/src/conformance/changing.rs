//! Touch and destroy: neither ever creates a session.

use std::time::Duration;

use express_session::store::SessionStore as _;

use super::{HOUR, J, Subject, alive, assert_payload, left, load, now};

pub(super) async fn run(subject: &impl Subject) {
    touches_only_existing_sessions(subject).await;
    destroys(subject).await;
}

async fn touches_only_existing_sessions(subject: &impl Subject) {
    let Some(store) = subject.store().as_touch() else {
        return;
    };
    let touch = async |sid: &str| store.touch(&sid.into(), HOUR).await.expect("the store answers");
    subject.put("touched", J.as_bytes(), now() + Duration::from_secs(20)).await;
    assert!(touch("touched").await);
    let session = load(subject, "touched").await.expect("it was just touched");
    assert_payload(subject, &session, J);
    assert!(left(session.life()).is_some_and(|left| left > HOUR / 2), "a touch prolongs");

    assert!(!touch("never-there").await);
    assert!(alive(load(subject, "never-there").await).is_none(), "a touch creates nothing");
    subject.put("over", J.as_bytes(), over(subject)).await;
    assert!(!touch("over").await);
    assert!(alive(load(subject, "over").await).is_none(), "a touch brings nothing back");
}

async fn destroys(subject: &impl Subject) {
    let Some(store) = subject.store().as_destroy() else {
        return;
    };
    let destroy = async |sid: &str| store.destroy(&sid.into()).await.expect("the store answers");
    subject.put("destroyed", J.as_bytes(), now() + HOUR).await;
    subject.put("neighbour", J.as_bytes(), now() + HOUR).await;
    assert!(destroy("destroyed").await);
    assert!(load(subject, "destroyed").await.is_none());
    assert!(!destroy("destroyed").await);
    assert!(load(subject, "neighbour").await.is_some());
}

fn over(subject: &impl Subject) -> std::time::SystemTime {
    now() - Duration::from_secs(2) - subject.limits().resolution
}
