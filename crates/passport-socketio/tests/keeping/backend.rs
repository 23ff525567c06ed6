//! A store that fails when it is told to, its feed, and a server whose ends are noted.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use express_session::SessionId;
use express_session::watch::{Change, Changes, SessionWatch, WatchError};
use passport_socketio::live::{EndReason, Ended};
use passport_socketio::store::{
    DestroySession as _, Life, MemoryStore, SessionStore, StoreError, StoredSession,
};
use passport_socketio::{AuthorizerBuilder, Live};
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use socketioxide::layer::SocketIoLayer;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::common::Client;
use crate::common::world::{User, auth_over, ignore};

pub(crate) const MAX_STALE: Duration = Duration::from_secs(30);
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// A store that can be away, can fail for one session, and counts round trips.
#[derive(Debug)]
pub(crate) struct Backend {
    sessions: MemoryStore,
    away: AtomicBool,
    pub(crate) trips: AtomicUsize,
    changes: Mutex<Option<Changes>>,
    pub(crate) listening: Notify,
}

impl Backend {
    pub(crate) fn new() -> Arc<Self> {
        let backend = Self {
            sessions: MemoryStore::for_tests(),
            away: AtomicBool::new(false),
            trips: AtomicUsize::new(0),
            changes: Mutex::default(),
            listening: Notify::new(),
        };
        for (sid, user) in [("ann", 42), ("ann-too", 42), ("bob", 7)] {
            backend.log_in(sid, user, Life::Forever);
        }
        Arc::new(backend)
    }

    pub(crate) fn log_in(&self, sid: &str, user: i64, life: Life) {
        self.put(sid, &format!(r#"{{"cookie":{{}},"passport":{{"user":{user}}}}}"#), life);
    }

    pub(crate) fn put(&self, sid: &str, json: &str, life: Life) {
        self.sessions.set(sid, json, life);
    }

    pub(crate) async fn destroy(&self, sid: &str) {
        assert!(self.sessions.destroy(&sid.into()).await.unwrap());
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn answer(
        &self,
        sid: &SessionId,
        found: Option<StoredSession>,
    ) -> Result<Option<StoredSession>, StoreError> {
        if self.away.load(Ordering::SeqCst)
            || (sid.as_str() == "ann"
                && found.as_ref().is_some_and(|session| session.payload() == b"fail"))
        {
            return Err(StoreError::message("GET"));
        }
        Ok(found)
    }

    pub(crate) fn tell(&self, change: Change) {
        self.changes.lock().unwrap().as_ref().unwrap().report(change);
    }
}

#[async_trait]
impl SessionStore for Backend {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.trips.fetch_add(1, Ordering::SeqCst);
        self.answer(sid, self.sessions.load(sid).await?)
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        self.trips.fetch_add(1, Ordering::SeqCst);
        let found = self.sessions.load_many(sids).await?;
        sids.iter().zip(found).map(|(sid, found)| self.answer(sid, found)).collect()
    }
}

/// The backend's feed of changes.
#[derive(Debug)]
pub(crate) struct Feed(pub(crate) Arc<Backend>);

#[async_trait]
impl SessionWatch for Feed {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        *self.0.changes.lock().unwrap() = Some(changes.clone());
        changes.report(Change::Unknown);
        self.0.listening.notify_one();
        std::future::pending().await
    }
}

/// A host that does not mind clients which are not heard of for hours.
pub(crate) fn patient_host() -> (SocketIoLayer, SocketIo) {
    SocketIo::builder().ping_interval(Duration::from_secs(24 * 3600)).build_layer()
}

pub(crate) struct Server {
    pub(crate) app: Router,
    pub(crate) io: SocketIo,
    pub(crate) live: Live<User>,
    ends: Arc<Mutex<Vec<(EndReason, Instant)>>>,
}

impl Server {
    pub(crate) fn new(backend: &Arc<Backend>) -> Self {
        Self::with(backend, |builder| builder)
    }

    pub(crate) fn with(
        backend: &Arc<Backend>,
        set: impl FnOnce(AuthorizerBuilder<User>) -> AuthorizerBuilder<User>,
    ) -> Self {
        let ends = Arc::new(Mutex::new(Vec::new()));
        let note = ends.clone();
        let note =
            move |ended: &Ended<'_>| note.lock().unwrap().push((ended.reason, Instant::now()));
        let auth = set(auth_over(backend.clone()).on_session_end(note)).build().unwrap();
        let (host, io) = patient_host();
        io.ns("/", ignore.with(auth.required()));
        Self { app: Router::new().layer(host), live: auth.attach(&io), io, ends }
    }

    pub(crate) async fn connected(&self, who: &str) -> Client {
        let mut client = Client::of(&self.app, who).await;
        client.connect("/").await.unwrap();
        client
    }

    /// How many ends there have been, and why.
    pub(crate) fn ended(&self) -> Vec<EndReason> {
        self.ends.lock().unwrap().iter().map(|(reason, _)| *reason).collect()
    }

    /// Lets time pass until there is an end, for `at_most`.
    pub(crate) async fn ends_within(&self, at_most: Duration) -> EndReason {
        let since = Instant::now();
        loop {
            if let Some((reason, at)) = self.ends.lock().unwrap().pop() {
                assert!(at - since <= at_most, "{:?} instead of {at_most:?}", at - since);
                return reason;
            }
            assert!(since.elapsed() <= at_most + Duration::from_secs(1), "it never ends");
            sleep(Duration::from_millis(10)).await;
        }
    }
}
