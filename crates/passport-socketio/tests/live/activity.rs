//! Events of a client: they prolong its session if the app wants that, and no guarded handler runs for them
//! after the login has ended.
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::world::{self, User, auth_over, ignore};
use crate::common::{Client, eventually};
use async_trait::async_trait;
use axum::Router;
use express_session::SessionId;
use passport_socketio::live::EndReason;
use passport_socketio::store::{
    Life, MemoryStore, SessionStore, StoreError, StoredSession, TouchSession,
};
use passport_socketio::{Auth, Authorizer, ConfigError, Live};
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use tokio::sync::Mutex;
use tokio::time::sleep;

const MINUTE: Duration = Duration::from_secs(60);

/// Notes how sessions are touched.
#[derive(Debug)]
struct Touched {
    sessions: MemoryStore,
    lives: Mutex<Vec<Duration>>,
}

impl Touched {
    fn new() -> Arc<Self> {
        let sessions = MemoryStore::for_tests();
        let json = r#"{"cookie":{"originalMaxAge":7200000},"passport":{"user":42}}"#;
        let hour = Life::For(Duration::from_secs(3600));
        sessions.set("ann", json, hour);
        sessions.set("ann-too", world::user_session(42), hour);
        sessions.set("endless", json, Life::Forever);
        Arc::new(Self { sessions, lives: Mutex::default() })
    }
}

#[async_trait]
impl SessionStore for Touched {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.sessions.load(sid).await
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        Some(self)
    }
}

#[async_trait]
impl TouchSession for Touched {
    async fn touch(&self, _: &SessionId, life: Duration) -> Result<bool, StoreError> {
        self.lives.lock().await.push(life);
        Ok(true)
    }
}

/// Answers `auth` with a handler that takes the user, `guarded` and `free` with ones that do not.
fn server(auth: &Authorizer<User>) -> (Router, Live<User>, Arc<AtomicUsize>) {
    let (host, io) =
        SocketIo::builder().ping_interval(Duration::from_secs(24 * 3600)).build_layer();
    let ran = Arc::new(AtomicUsize::new(0));
    let listen = {
        let (auth, ran) = (auth.clone(), ran.clone());
        async move |socket: SocketRef| {
            let count = |by: usize| {
                let ran = ran.clone();
                move || _ = ran.fetch_add(by, Ordering::SeqCst)
            };
            let (by_auth, by_guard, by_all) = (count(1), count(100), count(10_000));
            socket.on("auth", async move |_: Auth<User>| by_auth());
            socket.on("guarded", auth.guard(async move || by_guard()));
            socket.on("free", async move || by_all());
            Ok::<_, std::fmt::Error>(())
        }
    };
    io.ns("/", ignore.with(listen.clone()).with(auth.required()));
    io.ns("/lobby", ignore.with(listen).with(auth.optional()));
    (Router::new().layer(host), auth.attach(&io).unwrap(), ran)
}

async fn emit_and_wait(client: &mut Client, ns: &str, event: &str, ran: &AtomicUsize) {
    let before = ran.load(Ordering::SeqCst);
    client.emit(ns, event).await;
    eventually("a handler runs", || ran.load(Ordering::SeqCst) > before).await;
}

#[tokio::test(start_paused = true)]
async fn events_touch_the_session_at_most_once_per_interval() {
    let store = Touched::new();
    let auth = auth_over(store.clone()).touch_on_events(MINUTE).build().unwrap();
    let (app, _, ran) = server(&auth);
    let mut ann = Client::of(&app, "ann").await;
    ann.connect("/").await.unwrap();
    sleep(10 * MINUTE).await;
    assert!(store.lives.lock().await.is_empty(), "no event came");

    for event in ["auth", "guarded"] {
        for _ in 0..5 {
            emit_and_wait(&mut ann, "/", event, &ran).await;
        }
        eventually("it is touched", || !store.lives.try_lock().unwrap().is_empty()).await;
        let lives = std::mem::take(&mut *store.lives.lock().await);
        assert_eq!(lives, [Duration::from_secs(7200)], "{event}");
        sleep(MINUTE).await;
    }
    emit_and_wait(&mut ann, "/", "free", &ran).await;
    sleep(MINUTE).await;
    assert!(store.lives.lock().await.is_empty(), "no handler took the user");
}

#[tokio::test(start_paused = true)]
async fn a_touch_without_max_age_uses_the_stores_life_and_skips_endless_ones() {
    let store = Touched::new();
    let auth = auth_over(store.clone()).touch_on_events(MINUTE).build().unwrap();
    let (app, _, ran) = server(&auth);
    let mut ann = Client::of(&app, "ann-too").await;
    ann.connect("/").await.unwrap();
    sleep(MINUTE).await;
    emit_and_wait(&mut ann, "/", "auth", &ran).await;
    let mut endless = Client::of(&app, "endless").await;
    endless.connect("/").await.unwrap();
    sleep(MINUTE).await;
    emit_and_wait(&mut endless, "/", "auth", &ran).await;
    sleep(MINUTE).await;
    let lives = store.lives.lock().await;
    let [life] = lives[..] else { unreachable!("touched {} times", lives.len()) };
    assert!(life > Duration::from_secs(3590) && life <= Duration::from_secs(3600), "{life:?}");
}

#[tokio::test(start_paused = true)]
async fn touch_on_events_with_a_store_that_can_not_touch_is_a_config_error() {
    let without_touch = auth_over(world::store()).touch_on_events(MINUTE).build();
    assert_eq!(without_touch.err(), Some(ConfigError::StoreCantTouch));
}

/// The client reads nothing, so the disconnect has to wait; no guarded handler runs for what it sends meanwhile.
#[tokio::test(start_paused = true)]
async fn a_guarded_handler_runs_until_the_login_has_ended() {
    let auth = auth_over(world::store()).build().unwrap();
    let (app, live, ran) = server(&auth);
    let mut guest = Client::of(&app, "anonymous").await;
    guest.connect("/lobby").await.unwrap();
    emit_and_wait(&mut guest, "/lobby", "guarded", &ran).await;
    let mut ann = Client::of(&app, "ann").await;
    ann.connect("/").await.unwrap();
    emit_and_wait(&mut ann, "/", "guarded", &ran).await;

    let socket = live.user(42).sockets().pop().unwrap();
    while socket.emit("flood", "").is_ok() {}
    live.end_session(&"ann".into(), EndReason::LoggedOut);
    assert!(socket.connected());
    ran.store(0, Ordering::SeqCst);
    ann.emit("/", "guarded").await;
    ann.emit("/", "auth").await;
    emit_and_wait(&mut ann, "/", "free", &ran).await;
    assert_eq!(ran.load(Ordering::SeqCst), 10_000);
}
