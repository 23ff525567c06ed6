//! What an operator can do to users and sessions.
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::common::world::{ignore, user_session};
use crate::common::{Client, eventually, world};
use async_trait::async_trait;
use axum::Router;
use express_session::SessionId;
use futures_util::poll;
use passport_socketio::live::OverLimit;
use passport_socketio::store::{
    DestroySession, Life, MemoryStore, SessionStore, StoreError, StoredSession,
};
use passport_socketio::{Authorizer, Candidate, Live, MaybeAuth, Reject};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use tokio::time::{Instant, advance, sleep};

/// A store whose destroy can be made to fail.
#[derive(Debug)]
struct Store {
    sessions: MemoryStore,
    away: AtomicBool,
    /// How many seconds a destroy takes.
    slowness: AtomicU64,
}

#[async_trait]
impl SessionStore for Store {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.sessions.load(sid).await
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }
}

#[async_trait]
impl DestroySession for Store {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::message("DEL"));
        }
        match self.slowness.load(Ordering::SeqCst) {
            0 => {}
            slowness => sleep(Duration::from_secs(slowness)).await,
        }
        self.sessions.destroy(sid).await
    }
}

struct User {
    admin: bool,
}

struct Server {
    app: Router,
    io: SocketIo,
    live: Live<User>,
    store: Arc<Store>,
    /// What the app's own database says of user 42.
    admin: Arc<AtomicBool>,
    known: Arc<AtomicBool>,
}

impl Server {
    fn new() -> Self {
        Self::with_limit(None)
    }

    fn with_limit(limit: Option<(usize, OverLimit)>) -> Self {
        let store = Arc::new(Store {
            sessions: MemoryStore::for_tests(),
            away: AtomicBool::new(false),
            slowness: AtomicU64::new(0),
        });
        for (sid, user) in [("ann", 42), ("ann-too", 42), ("ann-three", 42), ("bob", 7)] {
            store.sessions.set(sid, user_session(user), Life::Forever);
        }
        let (admin, known) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
        let database = (admin.clone(), known.clone());
        let mut builder = Authorizer::builder()
            .secret(world::SECRET)
            .store(store.clone())
            .deserialize_user(async move |_: i64| {
                let (admin, known) = database;
                let user = User { admin: admin.load(Ordering::SeqCst) };
                Ok::<_, std::io::Error>(known.load(Ordering::SeqCst).then_some(user))
            })
            .success(async |candidate: Candidate<User>| {
                let allowed = candidate.namespace() != "/admin" || candidate.user().admin;
                if allowed { Ok(()) } else { Err(Reject::new("no admin")) }
            });
        if let Some((most, over)) = limit {
            builder = builder.max_connections_per_user(most, over);
        }
        let auth = builder.build().unwrap();
        let (host, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        io.ns("/admin", ignore.with(auth.required()));
        io.ns("/lobby", ignore.with(auth.optional()));
        let live = auth.attach(&io).unwrap();
        Self { app: Router::new().layer(host), io, live, store, admin, known }
    }

    async fn connected(&self, who: &str, namespaces: &[&str]) -> Client {
        let mut client = Client::of(&self.app, who).await;
        for ns in namespaces {
            client.connect(ns).await.unwrap();
        }
        client
    }

    async fn try_connect(&self, who: &str) -> Result<Client, String> {
        let mut client = Client::of(&self.app, who).await;
        client.connect("/").await.map(|()| client)
    }
}

fn ended(code: &str) -> serde_json::Value {
    json!(["session_ended", {"code": code, "reconnect": false}])
}

#[tokio::test(start_paused = true)]
async fn disconnecting_a_user_closes_their_sockets_and_leaves_their_sessions() {
    let server = Server::new();
    let mut ann = server.connected("ann", &["/", "/admin"]).await;
    let _bob = server.connected("bob", &["/"]).await;
    assert_eq!(server.live.disconnect_user(42), 2);
    assert_eq!(server.live.disconnect_user(42), 0);
    let mut packets =
        [ann.receive().await, ann.receive().await, ann.receive().await, ann.receive().await];
    packets.sort();
    let notice = r#"["session_ended",{"code":"evicted","reconnect":false}]"#;
    assert_eq!(
        packets,
        ["1".to_owned(), "1/admin,".into(), format!("2/admin,{notice}"), format!("2{notice}")]
    );
    server.connected("ann", &["/"]).await;
    assert_eq!(server.live.user(7).sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_session_is_refused_although_it_is_written_again() {
    let server = Server::new();
    let mut ann = server.connected("ann", &["/"]).await;
    let _ann_too = server.connected("ann-too", &["/"]).await;
    let revoked = server.live.revoke_session(&"ann".into()).await;
    assert_eq!((revoked.sockets, revoked.sessions, revoked.destroyed), (1, 1, 1));
    assert!(revoked.is_final());
    assert_eq!(ann.event("/").await, ended("revoked"));
    assert!(server.store.load(&"ann".into()).await.unwrap().is_none());
    server.store.sessions.set("ann", user_session(42), Life::Forever);
    assert_eq!(server.try_connect("ann").await.err(), Some("unauthorized".into()));
    server.connected("ann-too", &["/"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_revoked_session_is_refused_although_the_store_kept_it() {
    let server = Server::new();
    let mut ann = server.connected("ann", &["/"]).await;
    server.store.away.store(true, Ordering::SeqCst);
    let revoked = server.live.revoke_session(&"ann".into()).await;
    assert_eq!((revoked.sockets, revoked.destroyed, revoked.is_final()), (1, 0, false));
    assert_eq!(ann.event("/").await, ended("revoked"));
    assert_eq!(server.try_connect("ann").await.err(), Some("unauthorized".into()));
}

/// Passport up to 0.5 keeps the session's id at a login.
#[tokio::test(start_paused = true)]
async fn a_revoked_session_id_is_accepted_again_after_five_minutes() {
    let server = Server::new();
    assert!(server.live.revoke_session(&"ann".into()).await.is_final());
    server.store.sessions.set("ann", user_session(42), Life::Forever);
    // A revoked id is refused for five minutes.
    advance(Duration::from_secs(299)).await;
    assert_eq!(server.try_connect("ann").await.err(), Some("unauthorized".into()));
    advance(Duration::from_secs(2)).await;
    server.connected("ann", &["/"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_revoked_session_id_that_was_not_destroyed_is_refused_for_good() {
    let server = Server::new();
    server.store.away.store(true, Ordering::SeqCst);
    assert!(!server.live.revoke_session(&"ann".into()).await.is_final());
    server.store.away.store(false, Ordering::SeqCst);
    advance(Duration::from_secs(7 * 24 * 3600)).await;
    assert_eq!(server.try_connect("ann").await.err(), Some("unauthorized".into()));
    // To revoke it once more, with a store that answers, is final.
    assert!(server.live.revoke_session(&"ann".into()).await.is_final());
    assert!(server.store.load(&"ann".into()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_revoked_session_is_a_guest_only_in_an_optional_namespace() {
    let server = Server::new();
    let _before = server.connected("ann", &["/", "/lobby"]).await;
    assert_eq!(server.live.revoke_session(&"ann".into()).await.sockets, 2);
    server.store.sessions.set("ann", user_session(42), Life::Forever);
    let mut again = server.connected("ann", &["/lobby"]).await;
    assert_eq!(again.connect("/").await, Err("unauthorized".into()));
    assert_eq!(server.live.user(42).sockets().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn revoking_a_user_revokes_all_their_connected_sessions() {
    let server = Server::new();
    let _one = server.connected("ann", &["/", "/admin"]).await;
    let _two = server.connected("ann-too", &["/"]).await;
    let _bob = server.connected("bob", &["/"]).await;
    let revoked = server.live.revoke_user(42).await;
    assert_eq!((revoked.sockets, revoked.sessions, revoked.destroyed), (3, 2, 2));
    for who in ["ann", "ann-too"] {
        assert_eq!(server.try_connect(who).await.err(), Some("unauthorized".into()));
    }
    eventually("bob alone is online", || server.live.online() == [7.into()]).await;
}

/// The sessions of user 42.
const SESSIONS: [&str; 3] = ["ann", "ann-too", "ann-three"];

#[tokio::test(start_paused = true)]
async fn revoke_user_refuses_every_session_before_the_store_answers() {
    let server = Server::new();
    let mut clients = Vec::new();
    for who in SESSIONS {
        clients.push(server.connected(who, &["/"]).await);
    }
    // Longer than the store's timeout of 2 s.
    server.store.slowness.store(3600, Ordering::SeqCst);
    let began = Instant::now();
    let mut revoking = std::pin::pin!(server.live.revoke_user(42));
    assert!(poll!(revoking.as_mut()).is_pending(), "the store does not answer");
    assert_eq!(server.live.user(42).sockets().len(), 0);
    for who in SESSIONS {
        assert_eq!(server.try_connect(who).await.err(), Some("unauthorized".into()), "{who}");
    }
    for client in &mut clients {
        assert_eq!(client.event("/").await, ended("revoked"));
    }
    let revoked = revoking.await;
    assert_eq!((revoked.sockets, revoked.sessions, revoked.destroyed), (3, 3, 0));
    // The store is asked about all at once: one timeout, and not three.
    assert!(began.elapsed() < Duration::from_secs(4), "it took {:?}", began.elapsed());
}

/// As a web framework drops a handler whose HTTP client has gone.
#[tokio::test(start_paused = true)]
async fn a_revocation_whose_future_is_dropped_destroys_every_session() {
    for one in [false, true] {
        let server = Server::new();
        for who in SESSIONS {
            server.connected(who, &["/"]).await;
        }
        server.store.slowness.store(1, Ordering::SeqCst);
        if one {
            let sid = "ann".into();
            let mut revoking = Box::pin(server.live.revoke_session(&sid));
            assert!(poll!(revoking.as_mut()).is_pending());
        } else {
            let mut revoking = Box::pin(server.live.revoke_user(42));
            assert!(poll!(revoking.as_mut()).is_pending());
        }
        sleep(Duration::from_secs(4)).await;
        for who in SESSIONS.iter().take(if one { 1 } else { 3 }) {
            let session = server.store.load(&(*who).into()).await.unwrap();
            assert!(session.is_none(), "{who} is left, one session: {one}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_updates_the_user_and_ends_sockets_no_longer_allowed() {
    let server = Server::new();
    let mut ann = server.connected("ann", &["/", "/admin"]).await;
    let refreshed = server.live.refresh_user(42).await.unwrap();
    assert_eq!((refreshed.kept.len(), refreshed.ended), (2, 0));

    server.admin.store(false, Ordering::SeqCst);
    let refreshed = server.live.refresh_user(42).await.unwrap();
    assert_eq!((refreshed.kept.len(), refreshed.ended), (1, 1));
    let kept = refreshed.kept.first().unwrap();
    assert_eq!(kept.ns(), "/");
    assert!(!MaybeAuth::<User>::of(kept).user().unwrap().admin);
    assert_eq!(ann.event("/admin").await, ended("rejected"));
    assert_eq!(ann.receive().await, "1/admin,");

    server.known.store(false, Ordering::SeqCst);
    let refreshed = server.live.refresh_user(42).await.unwrap();
    assert_eq!((refreshed.kept.len(), refreshed.ended), (0, 1));
    assert_eq!(ann.event("/").await, ended("rejected"));
}

#[tokio::test(start_paused = true)]
async fn a_users_sockets_can_receive_events_and_join_and_leave_rooms() {
    let server = Server::new();
    let mut ann = server.connected("ann", &["/", "/admin"]).await;
    let mut bob = server.connected("bob", &["/"]).await;
    let user = server.live.user(42);
    user.emit("news", "for ann").await.unwrap();
    let mut events = [ann.receive().await, ann.receive().await];
    events.sort();
    assert_eq!(events, [r#"2/admin,["news","for ann"]"#, r#"2["news","for ann"]"#]);
    user.join(["vip"]).await.unwrap();
    server.io.to("vip").emit("vip", "only").await.unwrap();
    assert_eq!(ann.event("/").await, json!(["vip", "only"]));
    user.leave(["vip"]).await.unwrap();
    server.io.to("vip").emit("vip", "nobody").await.unwrap();
    server.io.emit("all", "").await.unwrap();
    assert_eq!(ann.event("/").await, json!(["all", ""]));
    assert_eq!(bob.event("/").await, json!(["all", ""]));
}

#[tokio::test(start_paused = true)]
async fn the_connection_limit_counts_connections_and_not_namespaces() {
    let server = Server::with_limit(Some((2, OverLimit::Refuse)));
    let first = server.connected("ann", &["/", "/admin"]).await;
    let _second = server.connected("ann-too", &["/", "/admin"]).await;
    let mut third = Client::of(&server.app, "ann").await;
    assert_eq!(third.connect("/").await, Err("too_many_connections".into()));
    server.connected("bob", &["/"]).await;
    first.close().await;
    eventually("one is gone", || server.live.user(42).sockets().len() == 2).await;
    third.connect("/").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn evict_oldest_closes_the_oldest_connection() {
    let server = Server::with_limit(Some((2, OverLimit::EvictOldest)));
    // So that each is older than the next.
    let a_moment = || advance(Duration::from_millis(1));
    let mut first = server.connected("ann", &["/"]).await;
    a_moment().await;
    let mut second = server.connected("ann-too", &["/"]).await;
    a_moment().await;
    let mut third = server.connected("ann", &["/", "/admin"]).await;
    assert_eq!(first.event("/").await, ended("evicted"));
    let _fourth = server.connected("ann", &["/"]).await;
    assert_eq!(second.event("/").await, ended("evicted"));
    server.live.user(42).emit("still", "here").await.unwrap();
    let mut events = [third.receive().await, third.receive().await];
    events.sort();
    assert_eq!(events, [r#"2/admin,["still","here"]"#, r#"2["still","here"]"#]);
}

/// Fifty at once, all in the middle of their handshakes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_connects_never_exceed_the_connection_limit() {
    let server = Arc::new(Server::with_limit(Some((5, OverLimit::Refuse))));
    let connecting = (0..50).map(|_| {
        let server = server.clone();
        tokio::spawn(async move { server.try_connect("ann").await })
    });
    let connected = futures_util::future::join_all(connecting).await;
    let inside: Vec<_> = connected.into_iter().filter_map(|client| client.unwrap().ok()).collect();
    assert_eq!(inside.len(), 5);
    assert_eq!(server.live.user(42).sockets().len(), 5);
}
