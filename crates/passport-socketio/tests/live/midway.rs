#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! Orders of an operator during a handshake.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::world::{self, ignore, user_session};
use crate::common::{Client, eventually};
use axum::Router;
use passport_socketio::live::OverLimit;
use passport_socketio::store::{Life, MemoryStore};
use passport_socketio::{Authorizer, AuthorizerBuilder, Candidate, Live, MaybeAuth, Reject};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use tokio::sync::Notify;

struct User {
    admin: bool,
}

/// A point at which a handshake waits until the test releases it.
#[derive(Clone, Default)]
struct Checkpoint(Arc<(Notify, Notify)>);

impl Checkpoint {
    async fn pass(&self) {
        self.0.0.notify_one();
        self.0.1.notified().await;
    }

    async fn is_reached(&self) {
        self.0.0.notified().await;
    }

    fn release(&self) {
        self.0.1.notify_one();
    }
}

/// A server with a checkpoint in `success`, for admins, and one in a middleware after the gate.
struct Server {
    app: Router,
    io: SocketIo,
    live: Live<User>,
    success: Checkpoint,
    middleware: Checkpoint,
    /// What the app's own database says.
    admin: Arc<AtomicBool>,
}

impl Server {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl FnOnce(AuthorizerBuilder<User>) -> AuthorizerBuilder<User>) -> Self {
        let store = MemoryStore::for_tests();
        store.set("ann", user_session(42), Life::Forever);
        let (success, middleware) = (Checkpoint::default(), Checkpoint::default());
        let admin = Arc::new(AtomicBool::new(true));
        let (database, checkpoint) = (admin.clone(), success.clone());
        let builder = Authorizer::builder()
            .secret(world::SECRET)
            .store(store)
            .deserialize_user(async move |_: i64| {
                Ok::<_, std::io::Error>(Some(User { admin: database.load(Ordering::SeqCst) }))
            })
            .success(async move |candidate: Candidate<User>| {
                if candidate.user().admin {
                    checkpoint.pass().await;
                }
                Ok(())
            });
        let auth = change(builder).build().unwrap();
        // Without heartbeats, since these clients hardly poll.
        let never = Duration::from_secs(24 * 60 * 60);
        let host = SocketIo::builder().ping_interval(never).ping_timeout(never);
        let (host, io) = host.connect_timeout(never).build_layer();
        let checkpoint = middleware.clone();
        let wait = async move || {
            checkpoint.pass().await;
            Ok::<_, fmt::Error>(())
        };
        io.ns("/", ignore.with(auth.required()));
        io.ns("/slow", ignore.with(wait).with(auth.required()));
        let live = auth.attach(&io).unwrap();
        Self { app: Router::new().layer(host), io, live, success, middleware, admin }
    }

    /// Ann, while `success` runs.
    async fn ann_before_success(&self, connect: &str) -> Client {
        let mut client = Client::of(&self.app, "ann").await;
        client.send(connect).await;
        self.success.is_reached().await;
        client
    }

    /// Ann, after the gate and before her connect handler.
    async fn ann_after_the_gate(&self) -> Client {
        let client = self.ann_before_success("0/slow,").await;
        self.success.release();
        self.middleware.is_reached().await;
        client
    }

    fn users(&self) -> Vec<bool> {
        let sockets = self.io.sockets();
        sockets.iter().filter_map(|it| Some(MaybeAuth::<User>::of(it).user()?.admin)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_revoked_during_success_is_refused() {
    let server = Server::new();
    let mut client = server.ann_before_success("0").await;
    assert_eq!(server.live.revoke_user(42).await.sockets, 0);
    server.success.release();
    assert_eq!(client.connected("/").await, Err("unauthorized".into()));
    // The session was not registered for the user, so it is still valid for a new handshake.
    server.success.release();
    client.connect("/").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_user_revoked_after_the_gate_gets_a_notice_and_is_disconnected() {
    let server = Server::new();
    let mut client = server.ann_after_the_gate().await;
    let revoked = server.live.revoke_user(42).await;
    assert_eq!((revoked.sockets, revoked.sessions), (1, 1));
    server.middleware.release();
    client.connected("/slow").await.unwrap();
    let notice = json!({"code": "revoked", "reconnect": false});
    assert_eq!(client.event("/slow").await, json!(["session_ended", notice]));
    assert_eq!(client.receive().await, "1/slow,");
    eventually("nobody is left", || server.io.sockets().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_user_who_waits_after_the_gate_is_registered_and_can_be_revoked() {
    let server = Server::new();
    let mut client = server.ann_after_the_gate().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    server.middleware.release();
    client.connected("/slow").await.unwrap();
    eventually("she is online", || server.live.online() == [42.into()]).await;
    assert_eq!(server.live.revoke_user(42).await.sockets, 1);
    assert_eq!(client.event("/slow").await[1]["code"], "revoked");
}

#[tokio::test(start_paused = true)]
async fn a_user_disconnected_after_the_gate_can_connect_again() {
    let server = Server::new();
    let mut client = server.ann_after_the_gate().await;
    assert_eq!(server.live.disconnect_user(42), 1);
    server.middleware.release();
    client.connected("/slow").await.unwrap();
    assert_eq!(client.event("/slow").await[1]["code"], "evicted");
    assert_eq!(client.receive().await, "1/slow,");
    // A later socket has the same id, and is not taken for the one that was closed.
    server.success.release();
    client.connect("/").await.unwrap();
    eventually("she is back", || server.live.user(42).sockets().len() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_user_refreshed_during_success_is_admitted_with_the_new_data() {
    let server = Server::new();
    let mut client = server.ann_before_success("0").await;
    server.admin.store(false, Ordering::SeqCst);
    let refreshed = server.live.refresh_user(42).await.unwrap();
    assert_eq!((refreshed.kept.len(), refreshed.ended), (0, 0));
    server.success.release();
    client.connected("/").await.unwrap();
    assert_eq!(server.users(), [false]);
}

/// Ann, whose session was touched and is about to be loaded again.
async fn ann_between_lookups(server: &Server) -> Client {
    let client = server.ann_before_success("0").await;
    server.live.session_changed(&"ann".into());
    server.success.release();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    client
}

#[tokio::test(start_paused = true)]
async fn a_user_refreshed_between_lookups_is_admitted_with_the_new_data() {
    let server = Server::new();
    let mut client = ann_between_lookups(&server).await;
    server.admin.store(false, Ordering::SeqCst);
    server.live.refresh_user(42).await.unwrap();
    client.connected("/").await.unwrap();
    assert_eq!(server.users(), [false]);
}

#[tokio::test(start_paused = true)]
async fn a_user_revoked_between_lookups_is_refused() {
    let server = Server::new();
    let mut client = ann_between_lookups(&server).await;
    assert_eq!(server.live.revoke_user(42).await.sockets, 0);
    assert_eq!(client.connected("/").await, Err("unauthorized".into()));
}

#[tokio::test(start_paused = true)]
async fn a_user_revoked_during_the_delay_after_refusals_is_refused() {
    let server = world::Server::new(true);
    server.io.ns("/", ignore.with(server.auth.required()));
    let mut ann = Client::of(&server.app, "anonymous").await;
    for _ in 0..5 {
        assert_eq!(ann.connect("/").await, Err("unauthorized".into()));
    }
    server.store.inner().0.set("anonymous", user_session(42), Life::Forever);
    let loads = server.store.loads();
    ann.send("0").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.store.loads(), loads, "it waits before the store is asked");
    server.live.revoke_user(42).await;
    assert_eq!(ann.connected("/").await, Err("unauthorized".into()));
    // The session was not registered for the user, so it is still valid for a new handshake.
    ann.connect("/").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_user_revoked_between_handshake_and_connect_is_refused() {
    let server = world::Server::new(true);
    server.io.ns("/", ignore.with(server.auth.required()));
    // With the layer's answer while it is fresh, and when it is too old.
    for waits in [Duration::from_millis(10), Duration::from_secs(5)] {
        let mut ann = Client::of(&server.app, "ann").await;
        server.live.revoke_user(42).await;
        tokio::time::sleep(waits).await;
        assert_eq!(ann.connect("/").await, Err("unauthorized".into()), "{waits:?}");
        ann.connect("/").await.unwrap();
        ann.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_later_of_two_refreshes_wins_although_it_ends_first() {
    let server = Server::new();
    server.success.release();
    let mut client = Client::of(&server.app, "ann").await;
    client.connect("/").await.unwrap();
    server.success.is_reached().await;

    let live = server.live.clone();
    let slow = tokio::spawn(async move { live.refresh_user(42).await.map(|done| done.kept.len()) });
    // It has loaded her as she was, and waits for `success`.
    server.success.is_reached().await;
    server.admin.store(false, Ordering::SeqCst);
    assert_eq!(server.live.refresh_user(42).await.unwrap().kept.len(), 1);
    server.success.release();
    assert_eq!(slow.await.unwrap().unwrap(), 1);
    assert_eq!(server.users(), [false]);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_leaves_during_a_refresh_is_no_longer_counted() {
    let server = Server::with(|auth| auth.max_connections_per_user(1, OverLimit::Refuse));
    let mut client = server.ann_before_success("0").await;
    server.success.release();
    client.connected("/").await.unwrap();
    let live = server.live.clone();
    let refresh = tokio::spawn(async move { live.refresh_user(42).await });
    server.success.is_reached().await;
    assert_eq!(server.live.user(42).sessions(), 1);
    client.send("1").await;
    eventually("she has left", || server.live.user(42).sessions() == 0).await;
    assert_eq!(server.live.disconnect_user(42), 0);
    // As the only connection that she may have.
    server.admin.store(false, Ordering::SeqCst);
    let mut again = Client::of(&server.app, "ann").await;
    again.connect("/").await.unwrap();
    server.success.release();
    assert_eq!(refresh.await.unwrap().unwrap().ended, 0);
    assert_eq!(server.live.user(42).sockets().len(), 1);
}

/// As a handler of the app holds a socket that has left.
#[tokio::test(start_paused = true)]
async fn a_refresh_neither_keeps_nor_ends_sockets_that_left_meanwhile() {
    let ends = Arc::new(AtomicUsize::new(0));
    let count = ends.clone();
    let server = Server::with(|auth| {
        auth.on_session_end(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        })
    });
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = server.ann_before_success("0").await;
        server.success.release();
        client.connected("/").await.unwrap();
        clients.push(client);
    }
    let _held = server.io.sockets();
    assert_eq!(server.live.user(42).sockets().len(), 2);
    let live = server.live.clone();
    let refresh = tokio::spawn(async move { live.refresh_user(42).await });
    server.success.is_reached().await;
    for client in &mut clients {
        client.send("1").await;
    }
    eventually("both have left", || server.io.sockets().is_empty()).await;
    for _ in 0..2 {
        server.success.release();
        tokio::task::yield_now().await;
    }
    let refreshed = refresh.await.unwrap().unwrap();
    assert_eq!((refreshed.kept.len(), refreshed.ended), (0, 0));
    assert_eq!(ends.load(Ordering::SeqCst), 0, "no login has ended");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_does_not_wait_for_one_socket_before_it_asks_for_another() {
    const GRACE: Duration = Duration::from_secs(20);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let server = Server::with(|auth| {
        auth.outage_grace(GRACE).success(async move |candidate: Candidate<User>| {
            if candidate.user().admin {
                return Ok(());
            }
            // For the first of the two there is no answer.
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                std::future::pending::<()>().await;
            }
            Err(Reject::new("no admin"))
        })
    });
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::of(&server.app, "ann").await;
        client.connect("/").await.unwrap();
        clients.push(client);
    }
    server.admin.store(false, Ordering::SeqCst);
    let live = server.live.clone();
    let refresh = tokio::spawn(async move { live.refresh_user(42).await.map(|done| done.ended) });
    eventually("one is closed", || server.live.user(42).sockets().len() == 1).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // The grace of the other one has begun with the call, whenever the hook is given up.
    tokio::time::sleep(GRACE + Duration::from_secs(1)).await;
    assert_eq!(server.live.user(42).sockets().len(), 0);
    assert!(refresh.await.unwrap().is_err());
}
