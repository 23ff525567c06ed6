//! A login that ends in the store ends its sockets, whoever ended it.
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

mod common;

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use common::world::{User, auth_over, ignore};
use common::{Client, eventually};
use express_session::SessionId;
use express_session::watch::{Change, Changes, SessionWatch, WatchError};
use passport_socketio::live::{EndReason, Ended};
use passport_socketio::store::{
    DestroySession as _, Life, MemoryStore, SessionStore, StoreError, StoredSession,
};
use passport_socketio::{Auth, AuthorizerBuilder, Live, MaybeAuth, Session};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::ConnectHandler as _;
use socketioxide::layer::SocketIoLayer;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

const MAX_STALE: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(60);

/// A store that can be away, can fail for one session, and counts round trips.
#[derive(Debug)]
struct Backend {
    sessions: MemoryStore,
    away: AtomicBool,
    trips: AtomicUsize,
    changes: Mutex<Option<Changes>>,
    listening: Notify,
}

impl Backend {
    fn new() -> Arc<Self> {
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

    fn log_in(&self, sid: &str, user: i64, life: Life) {
        self.put(sid, &format!(r#"{{"cookie":{{}},"passport":{{"user":{user}}}}}"#), life);
    }

    fn put(&self, sid: &str, json: &str, life: Life) {
        self.sessions.set(sid, json, life);
    }

    async fn destroy(&self, sid: &str) {
        assert!(self.sessions.destroy(&sid.into()).await.unwrap());
    }

    fn set_away(&self, away: bool) {
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

    fn tell(&self, change: Change) {
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
struct Feed(Arc<Backend>);

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
fn patient_host() -> (SocketIoLayer, SocketIo) {
    SocketIo::builder().ping_interval(Duration::from_secs(24 * 3600)).build_layer()
}

struct Server {
    app: Router,
    io: SocketIo,
    live: Live<User>,
    ends: Arc<Mutex<Vec<(EndReason, Instant)>>>,
}

impl Server {
    fn new(backend: &Arc<Backend>) -> Self {
        Self::with(backend, |builder| builder)
    }

    fn with(
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

    async fn connected(&self, who: &str) -> Client {
        let mut client = Client::of(&self.app, who).await;
        client.connect("/").await.unwrap();
        client
    }

    /// How many ends there have been, and why.
    fn ended(&self) -> Vec<EndReason> {
        self.ends.lock().unwrap().iter().map(|(reason, _)| *reason).collect()
    }

    /// Lets time pass until there is an end, for `at_most`.
    async fn ends_within(&self, at_most: Duration) -> EndReason {
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

#[tokio::test(start_paused = true)]
async fn a_session_that_is_gone_from_the_store_takes_its_sockets_and_no_others() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let mut ann = server.connected("ann").await;
    let _ann_too = server.connected("ann-too").await;
    let _bob = server.connected("bob").await;
    sleep(10 * MAX_STALE).await;
    assert_eq!(server.io.sockets().len(), 3);

    backend.destroy("ann").await;
    assert_eq!(server.ends_within(MAX_STALE).await, EndReason::LoggedOut);
    let notice = json!({"code": "logged_out", "reconnect": false});
    assert_eq!(ann.event("/").await, json!(["session_ended", notice]));
    assert_eq!(ann.receive().await, "1");
    sleep(10 * MAX_STALE).await;
    assert_eq!((server.io.sockets().len(), server.ended().len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_reason_says_what_became_of_the_login() {
    let past = Life::Until(std::time::UNIX_EPOCH);
    for (json, life, reason) in [
        (r#"{"cookie":{}}"#, Life::Forever, EndReason::LoggedOut),
        (r#"{"cookie":{},"passport":{}}"#, Life::Forever, EndReason::LoggedOut),
        ("null", Life::Forever, EndReason::LoggedOut),
        (r#"{"cookie":{},"passport":{"user":42}}"#, past, EndReason::Expired),
        (r#"{"cookie":{},"passport":{"user":7}}"#, Life::Forever, EndReason::UserChanged),
    ] {
        let backend = Backend::new();
        let server = Server::new(&backend);
        let _ann = server.connected("ann").await;
        backend.put("ann", json, life);
        assert_eq!(server.ends_within(MAX_STALE).await, reason, "{json}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_is_over_when_its_life_is_and_a_touch_prolongs_it() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let two_seconds = Life::For(Duration::from_secs(2));
    backend.log_in("ann", 42, two_seconds);
    let _ann = server.connected("ann").await;
    // What counts is what the store says at the end of it: it still says 2 s.
    sleep(Duration::from_secs(20)).await;
    assert!(server.ended().is_empty());
    backend.destroy("ann").await;
    let at_most = Duration::from_millis(2100);
    assert_eq!(server.ends_within(at_most).await, EndReason::Expired);
}

#[tokio::test(start_paused = true)]
async fn handlers_are_given_the_session_as_it_was_last_loaded() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let _ann = server.connected("ann").await;
    let socket = server.io.sockets().pop().unwrap();
    let views = || {
        let session = passport_socketio::MaybeSession::of(&socket).0.unwrap();
        session.get::<u32>("/views")
    };
    assert_eq!(views(), None);
    backend.put("ann", r#"{"cookie":{},"passport":{"user":42},"views":5}"#, Life::Forever);
    sleep(MAX_STALE).await;
    assert_eq!(views(), Some(5));
    let member = MaybeAuth::<User>::of(&socket);
    assert_eq!(member.identity().unwrap().session().get::<u32>("/views"), Some(5));
}

#[tokio::test(start_paused = true)]
async fn many_sessions_are_looked_at_in_few_round_trips_spread_over_the_time() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let mut clients = Vec::new();
    for n in 0..300 {
        let sid = format!("many-{n}");
        backend.log_in(&sid, 42, Life::Forever);
        clients.push(server.connected(&sid).await);
    }
    backend.trips.store(0, Ordering::SeqCst);
    sleep(MAX_STALE).await;
    let trips = backend.trips.load(Ordering::SeqCst);
    assert!(trips > 10, "{trips}: not all at once");
    for n in 0..300 {
        backend.destroy(&format!("many-{n}")).await;
    }
    sleep(MAX_STALE).await;
    assert_eq!(server.ended().len(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_told_is_looked_at_at_once() {
    let backend = Backend::new();
    let server = Server::with(&backend, |builder| builder.watch(Feed(backend.clone())));
    let soon = Duration::from_millis(200);
    for (n, change) in
        [Change::Session("ann".into()), Change::Hashed(SessionId::from("ann").hash())]
            .into_iter()
            .enumerate()
    {
        let _ann = server.connected("ann").await;
        let _bob = server.connected("bob").await;
        if n == 0 {
            backend.listening.notified().await;
        }
        backend.tell(Change::Session("bob".into()));
        backend.tell(Change::Session("nobody".into()));
        backend.destroy("ann").await;
        backend.tell(change);
        assert_eq!(server.ends_within(soon).await, EndReason::LoggedOut);
        backend.log_in("ann", 42, Life::Forever);
        assert!(server.ended().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_may_have_missed_something_lets_everybody_be_looked_at() {
    let backend = Backend::new();
    let server = Server::with(&backend, |builder| builder.watch(Feed(backend.clone())));
    let _ann = server.connected("ann").await;
    let _bob = server.connected("bob").await;
    backend.listening.notified().await;
    backend.destroy("ann").await;
    backend.tell(Change::Unknown);
    assert_eq!(server.ends_within(MAX_STALE / 3).await, EndReason::LoggedOut);
}

/// A feed of somebody's own that panics when it is first asked.
#[derive(Debug)]
struct Panicky(Feed, AtomicBool);

#[async_trait]
impl SessionWatch for Panicky {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        assert!(self.1.swap(true, Ordering::SeqCst), "in a feed");
        self.0.watch(changes).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_panics_is_listened_to_again() {
    let backend = Backend::new();
    let feed = Panicky(Feed(backend.clone()), AtomicBool::new(false));
    let server = Server::with(&backend, |builder| builder.watch(feed));
    let _ann = server.connected("ann").await;
    backend.listening.notified().await;
    backend.destroy("ann").await;
    backend.tell(Change::Session("ann".into()));
    assert_eq!(server.ends_within(Duration::from_millis(200)).await, EndReason::LoggedOut);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_keeps_sockets_for_a_grace_and_nobody_comes_in() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let mut ann = server.connected("ann").await;
    let _bob = server.connected("bob").await;
    backend.set_away(true);
    sleep(GRACE).await;
    assert!(server.ended().is_empty());
    let mut late = Client::of(&server.app, "ann-too").await;
    assert_eq!(late.connect("/").await, Err("try_again".into()));
    sleep(MAX_STALE + Duration::from_secs(5)).await;
    assert_eq!(server.ended(), [EndReason::StoreUnavailable, EndReason::StoreUnavailable]);
    let notice = json!({"code": "store_unavailable", "reconnect": true});
    assert_eq!(ann.event("/").await, json!(["session_ended", notice]));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_back_ends_what_ended_meanwhile_and_nothing_else() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let _ann = server.connected("ann").await;
    let _bob = server.connected("bob").await;
    backend.set_away(true);
    sleep(GRACE / 2).await;
    backend.destroy("ann").await;
    backend.set_away(false);
    assert_eq!(server.ends_within(MAX_STALE).await, EndReason::LoggedOut);
    sleep(3 * GRACE).await;
    assert!(server.ended().is_empty());
    assert_eq!(server.live.user(7).sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_short_max_stale_holds_after_a_long_outage_too() {
    let max_stale = Duration::from_secs(1);
    // The pauses are random.
    for _ in 0..20 {
        let backend = Backend::new();
        let server = Server::with(&backend, |builder| builder.max_stale(max_stale));
        let _ann = server.connected("ann").await;
        backend.set_away(true);
        sleep(GRACE / 2).await;
        backend.destroy("ann").await;
        backend.set_away(false);
        assert_eq!(server.ends_within(max_stale).await, EndReason::LoggedOut);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_can_not_be_read_ends_after_the_grace_and_alone() {
    for json in ["{corrupt", "fail"] {
        let backend = Backend::new();
        let server = Server::new(&backend);
        let _ann = server.connected("ann").await;
        let _ann_too = server.connected("ann-too").await;
        let _bob = server.connected("bob").await;
        backend.put("ann", json, Life::Forever);
        sleep(GRACE).await;
        assert!(server.ended().is_empty());
        assert_eq!(server.ends_within(2 * MAX_STALE).await, EndReason::StoreUnavailable);
        sleep(5 * GRACE).await;
        assert_eq!(server.io.sockets().len(), 2, "{json}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_whose_disconnect_handler_panics_is_forgotten_nevertheless() {
    let backend = Backend::new();
    let auth = auth_over(backend.clone()).build().unwrap();
    let (host, io) = patient_host();
    let listen = async |socket: SocketRef| {
        socket.on_disconnect(async || panic!("in a disconnect handler"));
        Ok::<_, std::fmt::Error>(())
    };
    io.ns("/", ignore.with(listen).with(auth.required()));
    let live = auth.attach(&io);
    let app = Router::new().layer(host);
    let mut client = Client::of(&app, "ann").await;
    client.connect("/").await.unwrap();
    sleep(MAX_STALE).await;
    client.close().await;
    tokio::task::yield_now().await;
    assert_eq!(io.sockets().len(), 1, "the host remembers it: if not, this test is for nothing");
    sleep(2 * MAX_STALE).await;
    assert!(io.sockets().is_empty());
    assert!(format!("{live:?}").contains("sockets: 0"));
}

/// The session is destroyed, and made anew under its id, while it is being looked at.
#[tokio::test(start_paused = true)]
async fn who_logs_in_again_with_the_same_id_is_not_taken_for_who_logged_out() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let _ann = server.connected("ann").await;
    for _ in 0..20 {
        backend.destroy("ann").await;
        server.live.session_changed(&"ann".into());
        backend.log_in("ann", 42, Life::Forever);
        let _again = server.connected("ann").await;
        sleep(MAX_STALE).await;
        assert!(server.ended().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_looked_at_any_more_when_the_server_is_gone() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let ann = server.connected("ann").await;
    ann.close().await;
    drop(server);
    eventually("everything is dropped", || Arc::strong_count(&backend) == 1).await;
}

#[tokio::test]
async fn a_handler_that_was_called_before_knows_that_the_login_ended_meanwhile() {
    let backend = Backend::new();
    let auth = auth_over(backend.clone()).build().unwrap();
    let (host, io) = SocketIo::new_layer();
    let (began, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let said = Arc::new(Mutex::new(None));
    let slow = {
        let (began, go, said) = (began.clone(), go.clone(), said.clone());
        async move |user: Auth<User>, _: Session, _: AckSender| {
            began.notify_one();
            go.notified().await;
            *said.lock().unwrap() = Some(user.is_live());
        }
    };
    let listen = async move |socket: SocketRef| {
        socket.on("slow", slow);
        Ok::<_, std::fmt::Error>(())
    };
    io.ns("/", ignore.with(listen).with(auth.required()));
    let live = auth.attach(&io);
    let mut client = Client::of(&Router::new().layer(host), "ann").await;
    client.connect("/").await.unwrap();
    client.emit("/", "slow").await;
    began.notified().await;
    live.end_session(&"ann".into(), EndReason::Revoked);
    go.notify_one();
    eventually("it ran to its end", || said.lock().unwrap().is_some()).await;
    assert_eq!(*said.lock().unwrap(), Some(false));
}
