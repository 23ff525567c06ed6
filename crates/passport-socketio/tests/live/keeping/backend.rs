//! A store that can be made to fail, its feed, and a server that records its ends.

use std::convert::Infallible;
use std::future::pending;
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
use passport_socketio::{Authorizer, AuthorizerBuilder, Live};
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use socketioxide::layer::SocketIoLayer;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::common::Client;
use crate::common::world::{User, auth_over, ignore};

/// These are paused time.
pub(crate) const MAX_STALE: Duration = Duration::from_secs(30);
pub(crate) const GRACE: Duration = Duration::from_secs(60);

/// A store that can be away, can fail for one session, and counts round trips.
#[derive(Debug)]
pub(crate) struct Backend {
    sessions: MemoryStore,
    away: AtomicBool,
    /// How many loads are answered although it is away.
    answers_left: AtomicUsize,
    pub(crate) trips: AtomicUsize,
    last_trip: Mutex<Option<Instant>>,
    changes: Mutex<Option<Changes>>,
    pub(crate) listening: Notify,
}

impl Backend {
    pub(crate) fn new() -> Arc<Self> {
        let backend = Self {
            sessions: MemoryStore::for_tests(),
            away: AtomicBool::new(false),
            answers_left: AtomicUsize::new(0),
            trips: AtomicUsize::new(0),
            last_trip: Mutex::default(),
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

    fn count_trip(&self) {
        self.trips.fetch_add(1, Ordering::SeqCst);
        *self.last_trip.lock().unwrap() = Some(Instant::now());
    }

    /// When it was last asked.
    pub(crate) fn last_trip(&self) -> Instant {
        self.last_trip.lock().unwrap().unwrap()
    }

    /// Answers one more question although it is away, and no other.
    pub(crate) fn answer_one_question(&self) {
        self.answers_left.store(1, Ordering::SeqCst);
    }

    pub(crate) fn has_answered(&self) -> bool {
        self.answers_left.load(Ordering::SeqCst) == 0
    }

    fn does_not_answer(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        self.away.load(Ordering::SeqCst)
            && self.answers_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err()
    }

    /// The answer about one session: an error if its record is `fail`, none at all if it is `hang`.
    async fn answer(
        &self,
        found: Option<StoredSession>,
    ) -> Result<Option<StoredSession>, StoreError> {
        match found.as_ref().map(StoredSession::payload) {
            Some(b"fail") => Err(StoreError::message("GET")),
            Some(b"hang") => pending().await,
            _ => Ok(found),
        }
    }

    pub(crate) fn report(&self, change: Change) {
        self.changes.lock().unwrap().as_ref().unwrap().report(change);
    }
}

#[async_trait]
impl SessionStore for Backend {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.count_trip();
        if self.does_not_answer() {
            return Err(StoreError::message("GET"));
        }
        self.answer(self.sessions.load(sid).await?).await
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        self.count_trip();
        if self.does_not_answer() {
            return Err(StoreError::message("MGET"));
        }
        let mut answers = Vec::new();
        for found in self.sessions.load_many(sids).await? {
            answers.push(self.answer(found).await?);
        }
        Ok(answers)
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
        pending().await
    }
}

/// A socketioxide that keeps clients which send nothing for hours of paused time.
pub(crate) fn patient_host() -> (SocketIoLayer, SocketIo) {
    let never = Duration::from_secs(24 * 3600);
    let host = SocketIo::builder().ping_interval(never).ping_timeout(never);
    host.connect_timeout(never).build_layer()
}

pub(crate) struct Server {
    pub(crate) app: Router,
    pub(crate) io: SocketIo,
    pub(crate) live: Live<User>,
    pub(crate) auth: Authorizer<User>,
    ends: Arc<Mutex<Vec<(EndReason, Instant)>>>,
    last_end: Arc<Mutex<Option<Instant>>>,
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
        let last_end = Arc::new(Mutex::new(None));
        let (note, note_last) = (ends.clone(), last_end.clone());
        let note = move |ended: &Ended<'_>| {
            note.lock().unwrap().push((ended.reason, Instant::now()));
            *note_last.lock().unwrap() = Some(Instant::now());
        };
        let auth = set(auth_over(backend.clone()).on_session_end(note)).build().unwrap();
        let (host, io) = patient_host();
        io.ns("/", ignore.with(auth.required()));
        let live = auth.attach(&io).unwrap();
        Self { app: Router::new().layer(host), live, io, auth, ends, last_end }
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

    /// The same, each once.
    pub(crate) fn take_ends(&self) -> Vec<EndReason> {
        self.ends.lock().unwrap().drain(..).map(|(reason, _)| reason).collect()
    }

    /// When the last end was.
    pub(crate) fn last_end(&self) -> Instant {
        self.last_end.lock().unwrap().unwrap()
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
