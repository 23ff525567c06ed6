#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! Many clients connect at once: one load for each session, a bounded number at a time, and no stale answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::world::{User, auth_over, ignore, user_session};
use crate::common::{Client, eventually, soon};
use async_trait::async_trait;
use axum::Router;
use express_session::SessionId;
use futures_util::future::join_all;
use passport_socketio::live::EndReason;
use passport_socketio::store::{
    DestroySession as _, Life, MemoryStore, SessionStore, StoreError, StoredSession,
};
use passport_socketio::{Authorizer, AuthorizerBuilder, Live};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// A store that reads when it is asked, and answers a handshake once for each permit. The sweep, which
/// asks for many, is answered at once.
#[derive(Debug)]
struct Slow {
    sessions: MemoryStore,
    answers: Semaphore,
    asked: AtomicUsize,
}

#[async_trait]
impl SessionStore for Slow {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let found = self.sessions.load(sid).await;
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.unwrap().forget();
        found
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        self.sessions.load_many(sids).await
    }
}

impl Slow {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn is_asked(&self, times: usize) {
        eventually("the store is asked", || self.asked() == times).await;
    }
}

struct Server {
    app: Router,
    auth: Authorizer<User>,
    live: Live<User>,
    store: Arc<Slow>,
}

impl Server {
    fn new(set: impl FnOnce(AuthorizerBuilder<User>) -> AuthorizerBuilder<User>) -> Self {
        let sessions = MemoryStore::for_tests();
        sessions.set("ann", user_session(42), Life::Forever);
        sessions.set("bob", user_session(7), Life::Forever);
        let answers = Semaphore::new(0);
        let store = Arc::new(Slow { sessions, answers, asked: AtomicUsize::new(0) });
        let auth = set(auth_over(store.clone())).build().unwrap();
        let (host, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        io.ns("/lobby", ignore.with(auth.optional()));
        Self { app: Router::new().layer(host), live: auth.attach(&io).unwrap(), auth, store }
    }

    async fn log_out(&self, who: &str) {
        assert!(self.store.sessions.destroy(&who.into()).await.unwrap());
    }

    /// The outcomes of so many concurrent connects.
    async fn connect_many(&self, who: &str, many: usize) -> Vec<(Client, Result<(), String>)> {
        let one = async || {
            let mut client = Client::of(&self.app, who).await;
            let outcome = client.connect("/").await;
            (client, outcome)
        };
        join_all((0..many).map(|_| one())).await
    }
}

#[tokio::test(start_paused = true)]
async fn many_connects_with_one_session_share_one_load() {
    let server = Server::new(|builder| builder);
    let (connect_many, ()) = tokio::join!(server.connect_many("ann", 200), async {
        eventually("all have registered", || format!("{:?}", server.live).contains("sessions: 1"))
            .await;
        server.store.is_asked(1).await;
        server.store.answers.add_permits(2);
    });
    assert!(connect_many.iter().all(|(_, outcome)| outcome.is_ok()));
    assert_eq!(server.live.user(42).sockets().len(), 200);
    assert!(server.store.asked() <= 2, "{} loads", server.store.asked());
}

#[tokio::test(start_paused = true)]
async fn many_connects_are_refused_if_the_login_ends_during_their_load() {
    for reported in [true, false] {
        let server = Server::new(|builder| builder);
        let (connect_many, ()) = tokio::join!(server.connect_many("ann", 20), async {
            server.store.is_asked(1).await;
            let early = server.store.asked();
            // The answer that is under way still says that ann is logged in.
            server.log_out("ann").await;
            if reported {
                server.live.end_session(&"ann".into(), EndReason::LoggedOut);
            }
            let mut late = Client::of(&server.app, "ann").await;
            late.send("0").await;
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            assert_eq!(server.store.asked(), early, "the late client waits for the next load");
            server.store.answers.add_permits(100);
            let late = late.connected("/").await;
            assert_eq!(late, Err("unauthorized".into()), "asked after the logout");
        });
        let came_in = connect_many.iter().filter(|(_, outcome)| outcome.is_ok()).count();
        assert!(!reported || came_in == 0, "{came_in} were admitted after the reported end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_over_the_load_limit_gets_try_again_in_every_namespace() {
    for ns in ["/", "/lobby"] {
        let server = Server::new(|builder| builder.max_store_loads(1).max_queued_loads(0));
        let mut ann = Client::of(&server.app, "ann").await;
        let mut bob = Client::of(&server.app, "bob").await;
        let (outcome, ()) = tokio::join!(ann.connect(ns), async {
            server.store.is_asked(1).await;
            assert_eq!(bob.connect(ns).await, Err("try_again".into()));
            server.store.answers.add_permits(2);
        });
        assert_eq!(outcome, Ok(()));
        bob.connect(ns).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_connection_waits_for_a_place_among_the_loads() {
    let server = Server::new(|builder| {
        let builder = builder.max_store_loads(1).max_queued_loads(0);
        builder.store_timeout(Duration::from_secs(3600))
    });
    let app = server.app.clone().layer(server.auth.layer());
    server.store.answers.add_permits(1);
    let mut ann = Client::of(&app, "ann").await;
    // By now the layer's lookup is too old to be used.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (outcome, _bob, ()) = tokio::join!(ann.connect("/"), Client::of(&app, "bob"), async {
        server.store.is_asked(2).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(server.store.asked(), 2, "there is no place for another load");
        server.store.answers.add_permits(2);
    });
    assert_eq!(outcome, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_user_revoked_while_waiting_for_a_load_is_refused() {
    let server = Server::new(|builder| {
        let builder = builder.max_store_loads(1).max_queued_loads(0);
        builder.store_timeout(Duration::from_secs(3600))
    });
    let app = server.app.clone().layer(server.auth.layer());
    server.store.answers.add_permits(1);
    let mut ann = Client::of(&app, "ann").await;
    // By now the layer's lookup is too old to be used.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (outcome, _bob, ()) = tokio::join!(ann.connect("/"), Client::of(&app, "bob"), async {
        server.store.is_asked(2).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        server.live.revoke_user(42).await;
        server.store.answers.add_permits(2);
    });
    assert_eq!(outcome, Err("unauthorized".into()));
}

#[tokio::test(start_paused = true)]
async fn the_layers_lookup_ages_from_when_the_store_was_asked() {
    let server = Server::new(|builder| builder);
    let app = server.app.clone().layer(server.auth.layer());
    let (mut ann, ()) = tokio::join!(Client::of(&app, "ann"), async {
        server.store.is_asked(1).await;
        server.log_out("ann").await;
        tokio::time::sleep(Duration::from_millis(900)).await;
        server.store.answers.add_permits(2);
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(ann.connect("/").await, Err("unauthorized".into()));
}

#[tokio::test(start_paused = true)]
async fn max_stale_counts_from_when_the_store_was_asked() {
    let max_stale = Duration::from_secs(2);
    let server = Server::new(|builder| builder.max_stale(max_stale));
    // The time of the next lookup is random.
    for n in 1..=20 {
        server.store.sessions.set("ann", user_session(42), Life::Forever);
        let mut ann = Client::of(&server.app, "ann").await;
        ann.send("0").await;
        server.store.is_asked(n).await;
        let logout = Instant::now();
        server.log_out("ann").await;
        tokio::time::sleep(Duration::from_millis(900)).await;
        server.store.answers.add_permits(1);
        ann.connected("/").await.unwrap();
        let ended = json!(["session_ended", {"code": "logged_out", "reconnect": false}]);
        assert_eq!(soon(ann.event("/")).await, ended);
        assert!(logout.elapsed() <= max_stale, "{:?}", logout.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_handshakes_does_not_keep_the_sweep_from_finding_a_logout() {
    let server = Server::new(|builder| {
        builder.max_store_loads(1).max_stale(Duration::from_secs(10)).store_timeout(
            // Handshakes wait as long as this test takes.
            Duration::from_secs(3600),
        )
    });
    server.store.answers.add_permits(1);
    let mut ann = Client::of(&server.app, "ann").await;
    ann.connect("/").await.unwrap();
    let mut bob = Client::of(&server.app, "bob").await;
    let stuck = bob.send("0");
    stuck.await;
    server.store.is_asked(2).await;
    server.log_out("ann").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let ended = json!(["session_ended", {"code": "logged_out", "reconnect": false}]);
    assert_eq!(soon(ann.event("/")).await, ended);
}

#[tokio::test(start_paused = true)]
async fn a_cached_session_is_not_loaded_again_until_a_change_is_reported() {
    type Report = fn(&Live<User>);
    let report: [(Report, &str); 3] = [
        (|live| live.session_changed(&"ann".into()), "changed"),
        (|live| _ = live.end_session(&"ann".into(), EndReason::LoggedOut), "ended"),
        (|_| {}, "not reported"),
    ];
    for (report, what) in report {
        let server = Server::new(|builder| builder.cache_sessions_for(Duration::from_secs(3)));
        server.store.answers.add_permits(9);
        for _ in 0..2 {
            let (mut first, mut second) =
                (Client::of(&server.app, "ann").await, Client::of(&server.app, "ann").await);
            first.connect("/").await.unwrap();
            second.connect("/").await.unwrap();
            second.connect("/lobby").await.unwrap();
            first.close().await;
            second.close().await;
        }
        assert_eq!(server.store.asked(), 1);
        server.log_out("ann").await;
        report(&server.live);
        let mut late = Client::of(&server.app, "ann").await;
        // As documented: a change that is not reported is seen after three seconds at most.
        let expected = if what == "not reported" { Ok(()) } else { Err("unauthorized".into()) };
        assert_eq!(late.connect("/").await, expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_session_is_refused_although_it_is_cached() {
    let server = Server::new(|builder| builder.cache_sessions_for(Duration::from_secs(3)));
    server.store.answers.add_permits(9);
    let mut ann = Client::of(&server.app, "ann").await;
    ann.connect("/").await.unwrap();
    // This store can't destroy: only this node's own memory refuses the session.
    assert!(!server.live.revoke_session(&"ann".into()).await.is_final());
    let mut again = Client::of(&server.app, "ann").await;
    assert_eq!(again.connect("/").await, Err("unauthorized".into()));
}
