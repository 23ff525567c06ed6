//! The app's own say: `success` and `fail`.

use std::sync::Mutex;

use express_session::SessionRecord;

use super::*;

/// A failure of every code, in the order of the checks, and whether it may become a guest.
fn every_failure() -> Vec<(Failure, bool)> {
    let now = FakeClock::default().now();
    let after = Duration::from_secs(2);
    let record = SessionRecord::parse(b"{}", &RecordLimits::default());
    let session = Session::new(SID.into(), record.unwrap().unwrap(), Life::Forever, now, None);
    let denied = |denial: Denial, guest| (Failure::from(denial), guest);
    let error = |error: AuthorizeError| (Failure::from(error), false);
    let down = || Arc::from(BoxError::from("down"));
    vec![
        denied(Denial::OriginNotAllowed { origin: None, own: None }, false),
        error(AuthorizeError::OriginPanicked),
        denied(Denial::NoSessionCookie { cross_origin: true }, true),
        denied(Denial::MalformedCookie("why"), true),
        denied(Denial::BadSignature, true),
        error(AuthorizeError::StoreUnavailable(StoreError::message("GET"))),
        error(AuthorizeError::StoreTimeout { after }),
        error(AuthorizeError::StorePanicked),
        error(AuthorizeError::Overloaded),
        error(AuthorizeError::LoadAbandoned),
        error(AuthorizeError::NoStore),
        denied(Denial::RateLimited { what: "CONNECT packets", retry_after: after }, false),
        denied(Denial::Revoked, true),
        denied(Denial::SessionNotFound, true),
        error(AuthorizeError::SessionKeepsChanging),
        error(AuthorizeError::AnswerTooOld),
        error(AuthorizeError::CutOff),
        error(AuthorizeError::SourcePanicked { check: Check::Record }),
        error(AuthorizeError::CorruptSession(CorruptRecord::NotASession("why"))),
        denied(Denial::SessionExpired { at: now, now }, true),
        denied(Denial::NotLoggedIn { session }, true),
        error(AuthorizeError::DeserializerFailed(down())),
        error(AuthorizeError::DeserializerTimeout { after }),
        error(AuthorizeError::DeserializerPanicked),
        denied(Denial::UserNotFound, true),
        error(AuthorizeError::UserIdPanicked),
        denied(Denial::Rejected(Reject::new("banned")), false),
        error(AuthorizeError::SuccessTimeout { after }),
        error(AuthorizeError::SuccessPanicked),
        denied(Denial::OtherSession, false),
        denied(Denial::TooManyConnections, false),
        denied(Denial::LoginEnded { end: "logged_out" }, false),
    ]
}

#[test]
fn these_tests_cover_every_reason() {
    let mut ours: Vec<_> = every_failure().iter().map(|(failure, _)| failure.reason()).collect();
    ours.sort_unstable();
    let mut all = Reason::ALL.to_vec();
    all.sort_unstable();
    assert_eq!(ours, all);
}

#[test]
fn a_failure_says_the_same_as_its_reason() {
    for (failure, _) in every_failure() {
        let reason = failure.reason();
        assert_eq!(failure.code(), reason.code());
        assert_eq!(failure.is_error(), reason.is_error(), "{reason:?}");
        let word = reason.client_message().unwrap_or("banned");
        assert_eq!(failure.client_message(), word, "{reason:?}");
        assert_eq!(matches!(failure, Failure::Error(_)), reason.is_error(), "{reason:?}");
    }
}

fn with_fail(hook: impl Fn(&Failure) -> Verdict + Send + Sync + 'static) -> Authorizer<Value> {
    logged_in().with(|b| b.fail(hook)).builder.build().unwrap()
}

#[test]
fn errors_foreign_origins_and_rejections_never_become_guests() {
    let auth = with_fail(Failure::guest);
    for (failure, guest) in every_failure() {
        let expected = if guest { Answer::Guest } else { Answer::Refuse };
        let code = failure.code();
        assert_eq!(auth.lookup().decider().verdict(&failure).0, expected, "{code}");
        assert_eq!(failure.allows_guest(), guest, "{code}");
    }
}

#[test]
fn every_failure_is_refused_without_a_fail_hook_or_if_it_panics() {
    let without = logged_in().builder.build().unwrap();
    let panicking = with_fail(|_| panic!("the fail hook panics"));
    for (failure, _) in every_failure() {
        assert_eq!(without.lookup().decider().verdict(&failure).0, Answer::Refuse);
        assert_eq!(panicking.lookup().decider().verdict(&failure).0, Answer::Refuse);
    }
}

#[test]
fn the_fail_hook_sees_the_code_and_can_set_the_clients_text() {
    let auth = with_fail(|failure| failure.refuse_with(failure.code()));
    for (failure, _) in every_failure() {
        let text = Answer::RefuseWith(failure.code().into());
        assert_eq!(auth.lookup().decider().verdict(&failure).0, text);
    }
}

#[tokio::test]
async fn the_client_reads_the_text_of_a_rejection() {
    let world = logged_in()
        .with(|builder| builder.success(async |_| Err(Reject::new("come back tomorrow"))));
    let expected =
        Expected { client: "come back tomorrow", guest: false, ..Expected::denied("rejected", 1) };
    let failure = world.refuses(signed(), &expected).await;
    assert_eq!(failure.message(), "rejected by the app: come back tomorrow");
}

#[tokio::test]
async fn a_panicking_success_hook_is_an_error_and_not_a_rejection() {
    let expected = Expected::error("success_panicked", "try_again");
    let later = logged_in().with(|builder| {
        builder.success(async |candidate: Candidate<Value>| {
            assert!(candidate.user().is_null(), "it panics later");
            Ok(())
        })
    });
    later.refuses(signed(), &expected).await;
    let at_once = |_: Candidate<Value>| -> std::future::Ready<Result<(), Reject>> {
        panic!("it panics at once")
    };
    let at_once = logged_in().with(|builder| builder.success(at_once));
    at_once.refuses(signed(), &expected).await;
}

#[tokio::test(start_paused = true)]
async fn a_success_hook_that_times_out_is_an_error_and_not_a_rejection() {
    let expected = Expected::error("success_timeout", "try_again");
    let stuck = logged_in().with(|builder| builder.success(async |_| pending().await));
    stuck.refuses(signed(), &expected).await;
}

#[tokio::test]
async fn success_receives_the_user_the_session_and_the_namespace() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let world = logged_in().with(|builder| {
        builder.success(async move |candidate: Candidate<Value>| {
            let said = format!("{candidate:?}");
            assert!(!said.contains(KEY) && !said.contains(SID), "{said}");
            let session = candidate.session().id().as_str().to_owned();
            let entry = (candidate.user().clone(), session, candidate.namespace().to_owned());
            log.lock().unwrap().push(entry);
            Ok(())
        })
    });
    world.grants(signed()).await;
    let expected = (json!(KEY), SID.to_owned(), "/".to_owned());
    assert_eq!(*seen.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn authorize_calls_no_hook() {
    let auth = logged_in()
        .with(|builder| builder.success(async |_| Err(Reject::new("never"))).fail(Failure::guest))
        .builder
        .build()
        .unwrap();
    let granted = auth.authorize(&signed()).await.unwrap();
    assert!(matches!(granted, Decision::Granted(_)));
    let denied = auth.authorize(&request(&[])).await.unwrap();
    assert!(matches!(denied, Decision::Denied(Denial::NoSessionCookie { .. })));
}
