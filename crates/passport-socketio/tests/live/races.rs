#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! A session that changes during a handshake.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::common::world::{Scripted, User, auth_over, ignore, store, user_session};
use crate::common::{Client, eventually};
use async_trait::async_trait;
use axum::Router;
use express_session::SessionId;
use passport_socketio::store::{Life, SessionStore, StoreError, StoredSession};
use passport_socketio::{Authorizer, Candidate, Live};
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use testkit::CountingStore;

type DuringLoad = Box<dyn Fn(&SessionId, &CountingStore<Scripted>) + Send + Sync>;

/// A store that runs the test's code between a load and its answer.
#[derive(Clone)]
struct HookedStore(Arc<Inner>);

struct Inner {
    store: Arc<CountingStore<Scripted>>,
    during_load_hook: OnceLock<DuringLoad>,
}

impl fmt::Debug for HookedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookedStore")
    }
}

#[async_trait]
impl SessionStore for HookedStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let loaded = self.0.store.load(sid).await;
        if let Some(during_load_hook) = self.0.during_load_hook.get() {
            during_load_hook(sid, &self.0.store);
        }
        loaded
    }
}

struct Race {
    app: Router,
    live: Live<User>,
    store: HookedStore,
    asked: Arc<AtomicUsize>,
}

impl Race {
    fn new(layer: bool) -> Self {
        let inner = Inner { store: store(), during_load_hook: OnceLock::new() };
        let store = HookedStore(Arc::new(inner));
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let success = async move |_: Candidate<User>| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let auth: Authorizer<User> = auth_over(store.clone()).success(success).build().unwrap();
        let (host, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        let mut app = Router::new().layer(host);
        if layer {
            app = app.layer(auth.layer());
        }
        Self { app, live: auth.attach(&io).unwrap(), store, asked }
    }

    /// What happens during the nth load, from 1.
    fn during_load(
        &self,
        during_load_hook: impl Fn(usize, &Live<User>, &SessionId, &Scripted) + Send + Sync + 'static,
    ) {
        let live = self.live.clone();
        let during_load_hook: DuringLoad =
            Box::new(move |sid, store| during_load_hook(store.loads(), &live, sid, store.inner()));
        assert!(self.store.0.during_load_hook.set(during_load_hook).is_ok());
    }

    async fn connect(&self, who: &str) -> Result<(), String> {
        let mut client = Client::of(&self.app, who).await;
        let connected = client.connect("/").await;
        let sockets = self.live.user(42).sockets().len() + self.live.user(7).sockets().len();
        assert_eq!(sockets, usize::from(connected.is_ok()));
        connected
    }

    fn loads(&self) -> usize {
        self.store.0.store.loads()
    }
}

fn remove(sid: &SessionId, store: &Scripted) {
    store.0.set(sid.clone(), "null", Life::Forever);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_changes_during_its_load_is_loaded_again() {
    for layer in [false, true] {
        let race = Race::new(layer);
        race.during_load(|load, live, sid, _| {
            if load == 1 {
                live.session_changed(sid);
            }
        });
        race.connect("ann").await.unwrap();
        assert_eq!(race.loads(), 2);
    }
}

// In real time: there is always a load to make, and paused time goes on only while there is nothing to do.
#[tokio::test]
async fn a_session_that_changes_for_5_seconds_is_refused() {
    for layer in [false, true] {
        let race = Race::new(layer);
        race.during_load(|_, live, sid, _| live.session_changed(sid));
        assert_eq!(race.connect("ann").await, Err("try_again".into()));
        assert!(race.loads() > 100, "{}", race.loads());
        let said = || format!("{:?}", race.live);
        eventually("nobody is left", || said().contains("sessions: 0")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_during_its_load_is_refused() {
    for layer in [false, true] {
        let race = Race::new(layer);
        race.during_load(|_, live, sid, store| {
            remove(sid, store);
            live.session_changed(sid);
        });
        assert_eq!(race.connect("ann").await, Err("unauthorized".into()));
        assert_eq!(race.loads(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_user_changes_during_its_load_has_the_new_user() {
    for layer in [false, true] {
        let race = Race::new(layer);
        race.during_load(|load, live, sid, store| {
            if load == 1 {
                let bobs = r#"{"cookie":{},"passport":{"user":7}}"#;
                store.0.set(sid.clone(), bobs, Life::Forever);
                live.session_changed(sid);
            }
        });
        let mut client = Client::of(&race.app, "ann").await;
        client.connect("/").await.unwrap();
        assert!(race.live.user(42).sockets().is_empty());
        assert_eq!(race.live.user(7).sockets().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_another_session_causes_no_further_load() {
    let race = Race::new(false);
    race.during_load(|_, live, _, _| live.session_changed(&"bob".into()));
    race.connect("ann").await.unwrap();
    assert_eq!(race.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_between_handshake_and_connect_is_refused() {
    let race = Race::new(true);
    let mut client = Client::of(&race.app, "ann").await;
    assert_eq!(race.loads(), 1);
    remove(&"ann".into(), race.store.0.store.inner());
    race.live.session_changed(&"ann".into());
    assert_eq!(client.connect("/").await, Err("unauthorized".into()));
    assert_eq!(race.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn success_is_called_again_for_a_session_that_changed_before_it() {
    for layer in [false, true] {
        let race = Race::new(layer);
        race.during_load(|load, live, sid, store| {
            if load == 1 {
                let promoted = r#"{"cookie":{},"passport":{"user":42},"role":"admin"}"#;
                store.0.set(sid.clone(), promoted, Life::Forever);
                live.session_changed(sid);
            }
        });
        race.connect("ann").await.unwrap();
        // Once for the session as it was, and once for what it had become.
        assert_eq!(race.asked.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_often_touched_admits_its_user_and_loads_them_once() {
    for layer in [false, true] {
        let race = Race::new(layer);
        race.during_load(|load, live, sid, store| {
            if load <= 20 {
                let touched = user_session(42).replace("{}", &format!(r#"{{"expires":"{load}"}}"#));
                store.0.set(sid.clone(), touched, Life::Forever);
                live.session_changed(sid);
            }
        });
        race.connect("ann").await.unwrap();
        assert_eq!(race.loads(), 21);
        assert_eq!(race.asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_during_success_is_refused() {
    for layer in [false, true] {
        let store = store();
        let live = Arc::new(OnceLock::<Live<User>>::new());
        let success = {
            let (store, live) = (store.clone(), live.clone());
            async move |candidate: Candidate<User>| {
                let sid = candidate.session().id();
                remove(sid, store.inner());
                live.get().unwrap().session_changed(sid);
                Ok(())
            }
        };
        let auth = auth_over(store.clone()).success(success).build().unwrap();
        let (host, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        assert!(live.set(auth.attach(&io).unwrap()).is_ok());
        let mut app = Router::new().layer(host);
        if layer {
            app = app.layer(auth.layer());
        }
        let mut client = Client::of(&app, "ann").await;
        assert_eq!(client.connect("/").await, Err("unauthorized".into()));
        assert_eq!(store.loads(), 2);
        assert!(io.sockets().is_empty());
    }
}
