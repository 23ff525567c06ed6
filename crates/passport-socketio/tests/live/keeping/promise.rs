//! A login that ended keeps no socket for longer than `max_stale`, however slow the store is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use express_session::SessionId;
use passport_socketio::live::EndReason;
use passport_socketio::store::{
    DestroySession as _, Life, MemoryStore, SessionStore, StoreError, StoredSession,
};
use socketioxide::handler::ConnectHandler as _;
use tokio::time::{Instant, sleep};

use super::backend::{Backend, Server, patient_host};
use crate::common::Client;
use crate::common::world::{auth_over, ignore, user_session};

/// A store that has no way to load many sessions at once.
#[derive(Debug)]
struct OneByOne {
    sessions: MemoryStore,
    takes: Mutex<Duration>,
}

impl OneByOne {
    fn new(takes: Duration) -> Arc<Self> {
        Arc::new(Self { sessions: MemoryStore::for_tests(), takes: Mutex::new(takes) })
    }

    fn set_takes(&self, takes: Duration) {
        *self.takes.lock().unwrap() = takes;
    }
}

#[async_trait]
impl SessionStore for OneByOne {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let takes = *self.takes.lock().unwrap();
        sleep(takes).await;
        self.sessions.load(sid).await
    }
}

#[tokio::test(start_paused = true)]
async fn max_stale_holds_with_a_store_that_loads_one_by_one() {
    let max_stale = Duration::from_secs(5);
    let store = OneByOne::new(Duration::from_millis(50));
    let sids: Vec<String> = (0..400).map(|n| format!("sid-{n}")).collect();
    for sid in &sids {
        store.sessions.set(sid.as_str(), user_session(42), Life::Forever);
    }
    let ends = Arc::new(Mutex::new(Vec::new()));
    let note = ends.clone();
    let auth = auth_over(store.clone())
        .max_stale(max_stale)
        .store_timeout(Duration::from_secs(60))
        .on_session_end(move |_| note.lock().unwrap().push(Instant::now()))
        .build()
        .unwrap();
    let (host, io) = patient_host();
    io.ns("/", ignore.with(auth.required()));
    let app = axum::Router::new().layer(host);
    let mut clients = Vec::new();
    for sid in &sids {
        let mut client = Client::of(&app, sid).await;
        client.connect("/").await.unwrap();
        clients.push(client);
    }
    sleep(2 * max_stale).await;
    let logout = Instant::now();
    for sid in &sids {
        assert!(store.sessions.destroy(&sid.as_str().into()).await.unwrap());
    }
    sleep(4 * max_stale).await;
    let ends = ends.lock().unwrap();
    assert_eq!(ends.len(), sids.len());
    let late = ends.iter().filter(|end| **end - logout > max_stale).count();
    assert_eq!(late, 0, "of {}", sids.len());
}

#[cfg(feature = "metrics")]
#[tokio::test(start_paused = true)]
async fn late_lookups_are_logged_and_counted() {
    let told = crate::common::recorder::Recorded::default();
    let _installed = metrics::set_default_local_recorder(&told);
    let max_stale = Duration::from_secs(2);
    let store = OneByOne::new(Duration::from_millis(1));
    store.sessions.set("ann", user_session(42), Life::Forever);
    let auth = auth_over(store.clone()).max_stale(max_stale).build().unwrap();
    let (host, io) = patient_host();
    io.ns("/", ignore.with(auth.required()));
    let mut ann = Client::of(&axum::Router::new().layer(host), "ann").await;
    ann.connect("/").await.unwrap();
    sleep(10 * max_stale).await;
    assert_eq!(told.value("late_lookups_total"), 0);

    store.set_takes(max_stale.mul_f64(0.6));
    sleep(10 * max_stale).await;
    let late = told.value("late_lookups_total");
    assert!(late > 0);
    let logged = |text: &str| testkit::secrecy::logged().matches(text).count();
    assert_eq!(logged("later than max_stale promises"), 1);

    store.set_takes(Duration::from_millis(1));
    sleep(2 * max_stale).await;
    let late = told.value("late_lookups_total");
    sleep(10 * max_stale).await;
    assert_eq!(told.value("late_lookups_total"), late);
    assert_eq!(logged("are looked up in time again"), 1);
}

#[tokio::test(start_paused = true)]
async fn sessions_whose_loads_hang_do_not_make_other_lookups_late() {
    let max_stale = Duration::from_secs(10);
    let backend = Backend::new();
    let server = Server::with(&backend, |builder| {
        builder.max_stale(max_stale).outage_grace(Duration::from_secs(24 * 3600))
    });
    let mut clients = Vec::new();
    for n in 0..30 {
        let sid = format!("hung-{n}");
        backend.log_in(&sid, 42, Life::Forever);
        clients.push(server.connected(&sid).await);
        backend.put(&sid, "hang", Life::Forever);
        sleep(max_stale / 30).await;
    }
    sleep(3 * max_stale).await;
    for n in 0..50 {
        let sid = format!("well-{n}");
        backend.log_in(&sid, 7, Life::Forever);
        let _well = server.connected(&sid).await;
        sleep(Duration::from_millis(20 * n)).await;
        backend.destroy(&sid).await;
        assert_eq!(server.ends_within(max_stale).await, EndReason::LoggedOut);
    }
    assert_eq!(server.live.user(42).sockets().len(), 30);
}
