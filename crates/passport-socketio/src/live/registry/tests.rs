use express_session::store::Life;
use express_session::{RecordLimits, SessionRecord};

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::authorizer::{LoadLimits, StoreAccess};
use crate::live::{NotEntered, SocketHandle};
use crate::model::{Identity, Session, SocketId};
use crate::observe::Observer;

struct Connected;

impl SocketHandle for Connected {
    fn is_connected(&self) -> bool {
        true
    }

    fn is_in_its_namespace(&self) -> bool {
        true
    }

    fn end(&self, _: EndReason) {}

    fn spawn(&self, _: futures_util::future::BoxFuture<'static, ()>) {}

    fn remove(&self) {}
}

fn socket(user: i64, sid: &SessionId) -> LiveSocket<i64> {
    let record = SessionRecord::parse(b"{}", &RecordLimits::default()).unwrap().unwrap();
    let key = Some(user.into());
    let session = Session::new(sid.clone(), record, Life::Forever, UNIX_EPOCH, key);
    let identity = Identity::new(Arc::new(user), user.into(), session);
    LiveSocket::new(
        &identity,
        "/",
        SocketId::of(&fastrand::u64(..).to_string()),
        Connected,
        None,
        Observer::default(),
    )
}

fn registry() -> Arc<Registry<i64>> {
    Registry::new(Loads::new(StoreAccess::new(None, Duration::from_secs(2)), LoadLimits::default()))
}

fn now() -> Instant {
    Instant::now()
}

fn is_empty(registry: &Registry<i64>) -> bool {
    format!("{registry:?}") == "Registry { users: 0, sessions: 0, sockets: 0 }"
}

#[test]
fn a_socket_is_found_by_its_user_until_it_leaves() {
    let registry = registry();
    let (phone, laptop) = (SessionId::from("phone"), SessionId::from("laptop"));
    let first = registry
        .register(&phone)
        .activate(&registry.begin_handshake(), socket(42, &phone), now(), None)
        .unwrap();
    let second = registry
        .register(&phone)
        .activate(&registry.begin_handshake(), socket(42, &phone), now(), None)
        .unwrap();
    let third = registry
        .register(&laptop)
        .activate(&registry.begin_handshake(), socket(42, &laptop), now(), None)
        .unwrap();
    let other = registry
        .register(&"other".into())
        .activate(&registry.begin_handshake(), socket(7, &"other".into()), now(), None)
        .unwrap();

    assert_eq!(registry.sockets_of(&42.into()).len(), 3);
    assert_eq!(registry.sessions_of(&42.into()).len(), 2);
    drop(first);
    assert_eq!(
        (registry.sockets_of(&42.into()).len(), registry.sessions_of(&42.into()).len()),
        (2, 2)
    );
    drop(second);
    assert_eq!(
        (registry.sockets_of(&42.into()).len(), registry.sessions_of(&42.into()).len()),
        (1, 1)
    );
    drop(third);
    assert_eq!(registry.users(), [7.into()]);
    drop(other);
    assert!(is_empty(&registry));
}

#[test]
fn a_change_between_register_and_activate_makes_the_handshake_stale() {
    let registry = registry();
    let sid = SessionId::from("sid");
    let registration = registry.register(&sid);
    registry.session_changed(&sid);
    assert!(matches!(
        registration.activate(&registry.begin_handshake(), socket(42, &sid), now(), None),
        Err(NotEntered::Stale)
    ));

    let again = registry.register(&sid);
    assert!(again.activate(&registry.begin_handshake(), socket(42, &sid), now(), None).is_ok());
}

#[test]
fn other_or_earlier_changes_do_not_make_the_handshake_stale() {
    let registry = registry();
    let sid = SessionId::from("sid");
    registry.session_changed(&sid);
    let registration = registry.register(&sid);
    registry.session_changed(&"other".into());
    assert!(
        registration.activate(&registry.begin_handshake(), socket(42, &sid), now(), None).is_ok()
    );
}

#[test]
fn an_abandoned_handshake_leaves_nothing_behind() {
    let registry = registry();
    let (first, second) = (registry.register(&"sid".into()), registry.register(&"sid".into()));
    drop(first);
    assert!(!is_empty(&registry));
    drop(second);
    assert!(is_empty(&registry));
}

#[test]
fn a_session_belongs_to_each_user_that_has_sockets_with_it() {
    let registry = registry();
    let sid = SessionId::from("sid");
    let ann = registry
        .register(&sid)
        .activate(&registry.begin_handshake(), socket(42, &sid), now(), None)
        .unwrap();
    let bob = registry
        .register(&sid)
        .activate(&registry.begin_handshake(), socket(7, &sid), now(), None)
        .unwrap();
    assert_eq!(registry.sockets_of(&42.into()).len(), 1);
    drop(ann);
    assert!(registry.sockets_of(&42.into()).is_empty());
    assert_eq!(registry.sessions_of(&42.into()).len(), 0);
    assert_eq!(registry.sockets_of(&7.into()).len(), 1);
    drop(bob);
    assert!(is_empty(&registry));
}

#[test]
fn a_socket_that_has_left_is_not_live() {
    let registry = registry();
    let sid = SessionId::from("sid");
    let membership = registry
        .register(&sid)
        .activate(&registry.begin_handshake(), socket(42, &sid), now(), None)
        .unwrap();
    let socket = membership.socket().clone();
    assert!(socket.is_live());
    drop(membership);
    assert!(socket.has_ended() && !socket.is_live());
}

#[test]
fn ending_a_session_ends_each_of_its_sockets_once_and_no_others() {
    let registry = registry();
    let (ours, other) = (SessionId::from("ours"), SessionId::from("other"));
    let first = registry
        .register(&ours)
        .activate(&registry.begin_handshake(), socket(42, &ours), now(), None)
        .unwrap();
    let second = registry
        .register(&ours)
        .activate(&registry.begin_handshake(), socket(42, &ours), now(), None)
        .unwrap();
    let bystander = registry
        .register(&other)
        .activate(&registry.begin_handshake(), socket(42, &other), now(), None)
        .unwrap();
    let ongoing = registry.register(&ours);

    assert_eq!(registry.end_session(&ours, EndReason::LoggedOut), 2);
    assert!(first.socket().has_ended() && second.socket().has_ended());
    assert!(bystander.socket().is_live());
    assert!(ongoing.activate(&registry.begin_handshake(), socket(42, &ours), now(), None).is_err());
    assert_eq!(registry.end_session(&ours, EndReason::LoggedOut), 0);
    assert_eq!(registry.end_session(&"never there".into(), EndReason::LoggedOut), 0);
}

#[test]
fn a_revoked_user_is_remembered_until_earlier_handshakes_have_ended() {
    let registry = registry();
    let sid = SessionId::from("sid");
    let handshake = registry.begin_handshake();
    registry.deny_handshakes_of(&42.into());
    for other in 1000..3000 {
        registry.deny_handshakes_of(&other.into());
    }
    // However late its session is looked up.
    let refused = registry.register(&sid).activate(&handshake, socket(42, &sid), now(), None);
    assert!(matches!(refused, Err(NotEntered::Revoked)));
    let later = registry.begin_handshake();
    assert!(registry.register(&sid).activate(&later, socket(42, &sid), now(), None).is_ok());

    drop(handshake);
    for other in 3000..6000 {
        registry.deny_handshakes_of(&other.into());
    }
    assert!(registry.revoked_users() <= 3000, "{}", registry.revoked_users());
    drop(later);
    for other in 6000..20000 {
        registry.deny_handshakes_of(&other.into());
    }
    assert!(registry.revoked_users() <= 64, "{}", registry.revoked_users());
}

#[test]
fn a_refresh_after_an_earlier_lookup_loads_the_user_again() {
    let registry = registry();
    let sid = SessionId::from("sid");
    let handshake = registry.begin_handshake();
    let first = registry.register(&sid);
    registry.renew_handshakes_of(&42.into());
    let mut second = registry.register(&sid);
    second.has_user_of(&first);
    let refused = second.activate(&handshake, socket(42, &sid), now(), None);
    assert!(matches!(refused, Err(NotEntered::OldUser)));
    let third = registry.register(&sid);
    assert!(third.activate(&handshake, socket(42, &sid), now(), None).is_ok());
}
