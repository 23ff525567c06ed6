//! A logout at each await of a handshake in turn: no live socket is left.
//!
//! The store, the deserializer, `success`, the app's own middleware and the client each pass a
//! numbered point before and after what they do. The test runs the handshake again and again, and
//! logs out at the first point, then at the second, until there are no more.
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::Client;
use crate::common::world::{self, User, ignore};
use async_trait::async_trait;
use axum::Router;
use express_session::SessionId;
use passport_socketio::store::{
    DestroySession as _, Life, MemoryStore, SessionStore, StoreError, StoredSession,
};
use passport_socketio::{Auth, Authorizer, Candidate, Live};
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use tokio::time::sleep;

const MAX_STALE: Duration = Duration::from_secs(30);

/// Counts points, and acts at one of them.
struct Points {
    passed: AtomicUsize,
    log_out_at: usize,
    act: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Points {
    async fn pass(&self) {
        // What runs at the same time gets its turn on either side.
        tokio::task::yield_now().await;
        if self.passed.fetch_add(1, Ordering::SeqCst) == self.log_out_at
            && let Some(act) = self.act.lock().unwrap().take()
        {
            act();
        }
        tokio::task::yield_now().await;
    }
}

#[derive(Clone)]
struct Store(Arc<MemoryStore>, Arc<Points>);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

#[async_trait]
impl SessionStore for Store {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.1.pass().await;
        let found = self.0.load(sid).await;
        self.1.pass().await;
        found
    }
}

/// How a login ends, and whether the end is reported.
#[derive(Clone, Copy, Debug)]
enum Logout {
    /// The session is destroyed, and a feed reports it.
    Destroyed,
    /// The session stays, without its user; a feed reports it.
    UserGone,
    /// The session is destroyed, and no feed reports it.
    Silent,
    /// An operator revokes it.
    Revoked,
}

/// One handshake with a logout at this point. How many points there were.
async fn handshake(layer: bool, logout: Logout, log_out_at: usize) -> usize {
    let sessions = Arc::new(MemoryStore::for_tests());
    sessions.set("ann", world::user_session(42), Life::Forever);
    let points =
        Arc::new(Points { passed: AtomicUsize::new(0), log_out_at, act: Mutex::default() });
    let (at_user, at_success, at_middleware) = (points.clone(), points.clone(), points.clone());
    let auth = Authorizer::builder()
        .secret(world::SECRET)
        .store(Store(sessions.clone(), points.clone()))
        .deserialize_user(async move |id: i64| {
            at_user.pass().await;
            Ok::<_, std::io::Error>(Some(User { id, name: "ann" }))
        })
        .success(async move |_: Candidate<User>| {
            at_success.pass().await;
            Ok(())
        })
        .max_stale(MAX_STALE)
        .build()
        .unwrap();
    let behind = async move || {
        at_middleware.pass().await;
        Ok::<_, std::fmt::Error>(())
    };
    let patience = Duration::from_secs(24 * 3600);
    let (host, io) = SocketIo::builder().ping_interval(patience).build_layer();
    let on_connect = async |_: SocketRef, _: Auth<User>| {};
    io.ns("/", on_connect.with(behind).with(auth.required()));
    io.ns("/other", ignore.with(auth.required()));
    let live = auth.attach(&io).unwrap();
    *points.act.lock().unwrap() = Some(log_out(logout, sessions, live.clone()));
    let mut app = Router::new().layer(host);
    if layer {
        app = app.layer(auth.layer());
    }

    let mut client = Client::of(&app, "ann").await;
    points.pass().await;
    for ns in ["/", "/other"] {
        client.send(if ns == "/" { "0" } else { "0/other," }).await;
        points.pass().await;
    }
    // A reported logout must not wait for the sweep, whose earliest turn is at half of `max_stale`.
    sleep(if matches!(logout, Logout::Silent) { 2 * MAX_STALE } else { MAX_STALE / 6 }).await;
    let passed = points.passed.load(Ordering::SeqCst);
    if log_out_at < passed {
        let left: usize = io.nsps().into_iter().map(|ns| ns.sockets().len()).sum();
        assert_eq!(left, 0, "{logout:?} at point {log_out_at}, layer: {layer}");
        assert!(live.online().is_empty());
    }
    passed
}

fn log_out(
    logout: Logout,
    sessions: Arc<MemoryStore>,
    live: Live<User>,
) -> Box<dyn FnOnce() + Send> {
    Box::new(move || {
        let sid = SessionId::from("ann");
        let destroy = async move |sessions: Arc<MemoryStore>| {
            sessions.destroy(&"ann".into()).await.unwrap();
        };
        match logout {
            Logout::UserGone => {
                sessions.set("ann", r#"{"cookie":{}}"#, Life::Forever);
                live.session_changed(&sid);
            }
            Logout::Destroyed | Logout::Silent => {
                // In memory: done at once.
                futures_util::FutureExt::now_or_never(destroy(sessions)).unwrap();
                if matches!(logout, Logout::Destroyed) {
                    live.session_changed(&sid);
                }
            }
            Logout::Revoked => {
                tokio::spawn(async move { live.revoke_session(&sid).await });
            }
        }
    })
}

async fn at_every_point(layer: bool, logout: Logout) {
    let mut point = 0;
    while point < handshake(layer, logout, point).await {
        point += 1;
    }
    assert!(point >= 12, "{point}: where are the points?");
}

#[tokio::test(start_paused = true)]
async fn a_session_destroyed_at_any_await_leaves_no_live_socket() {
    for layer in [false, true] {
        at_every_point(layer, Logout::Destroyed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_removed_from_the_session_at_any_await_leaves_no_live_socket() {
    for layer in [false, true] {
        at_every_point(layer, Logout::UserGone).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreported_logout_at_any_await_is_found_by_the_sweep() {
    for layer in [false, true] {
        at_every_point(layer, Logout::Silent).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_revoked_at_any_await_leaves_no_live_socket() {
    for layer in [false, true] {
        at_every_point(layer, Logout::Revoked).await;
    }
}
