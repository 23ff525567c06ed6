#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! A real Redis behind a network that fails in every way: no client becomes a guest by it, nothing panics,
//! connected sockets stay for the grace, and afterwards clients connect again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::Client;
use crate::common::world::{User, auth_over, user_session};
use async_trait::async_trait;
use axum::Router;
use express_session::SessionId;
use passport_socketio::store::redis::RedisStore;
use passport_socketio::store::{MemoryStore, SessionStore, StoreError, StoredSession};
use passport_socketio::{AuthorizerBuilder, Live, MaybeAuth};
use redis::AsyncTypedCommands as _;
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use testkit::{Fault, FaultProxy, RedisServer};
use tokio::time::{Instant, sleep};

/// How long the server waits for Redis. Without a fault it answers within milliseconds, on a busy machine too.
const TIMEOUT: Duration = Duration::from_millis(500);
/// How long sockets stay during an outage, where a test is about that.
const GRACE: Duration = Duration::from_millis(1500);

/// What an answer may take beyond the server's own timeouts on a busy machine.
const BUSY: Duration = Duration::from_millis(1500);
/// How long the store may take to find that Redis is back: it tries at least each second, and drops a silent
/// connection within seconds. The rest is for a busy machine.
const COMES_BACK: Duration = Duration::from_secs(20);

/// Every fault, and what a client may read of it.
const FAULTS: [(Fault, &[&str]); 6] = [
    (Fault::Slow(TIMEOUT.saturating_mul(2)), &["try_again"]),
    (Fault::Silent, &["try_again"]),
    (Fault::Cut, &["try_again"]),
    (Fault::Torn, &["try_again"]),
    (Fault::Garbage, &["try_again"]),
    (Fault::BrokenJson, &["server_error"]),
];

struct Server {
    redis: RedisServer,
    proxy: FaultProxy,
    app: Router,
    live: Live<User>,
    guests: Arc<AtomicUsize>,
}

impl Server {
    /// `None` where Redis is not installed.
    async fn new(
        set: impl FnOnce(AuthorizerBuilder<User>) -> AuthorizerBuilder<User>,
    ) -> Option<Self> {
        Self::with_store(|store| Arc::new(store), set).await
    }

    /// The same with what `wrap` makes of the store.
    async fn with_store(
        wrap: impl FnOnce(RedisStore) -> Arc<dyn SessionStore>,
        set: impl FnOnce(AuthorizerBuilder<User>) -> AuthorizerBuilder<User>,
    ) -> Option<Self> {
        let redis = RedisServer::start().await?;
        let target = SocketAddr::from(([127, 0, 0, 1], redis.process().port()));
        let proxy = FaultProxy::to(target).await;
        let store = RedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap();
        let builder = auth_over(wrap(store)).store_timeout(TIMEOUT).outage_grace(GRACE);
        let auth = set(builder).build().unwrap();
        let (host, io) = SocketIo::new_layer();
        let guests = Arc::new(AtomicUsize::new(0));
        let count = guests.clone();
        let on_connect = async move |user: MaybeAuth<User>| {
            count.fetch_add(usize::from(!user.logged_in()), Ordering::SeqCst);
        };
        io.ns("/", on_connect.clone().with(auth.required()));
        io.ns("/lobby", on_connect.with(auth.optional()));
        let app = Router::new().layer(host).layer(auth.layer());
        let server = Self { redis, proxy, app, live: auth.attach(&io).unwrap(), guests };
        server.log_in().await;
        Some(server)
    }

    async fn log_in(&self) {
        let client = redis::Client::open(self.redis.url()).unwrap();
        let mut direct = client.get_multiplexed_async_connection().await.unwrap();
        direct.set_ex("sess:ann", user_session(42), 3600).await.unwrap();
    }

    async fn connect(&self, ns: &str) -> Result<Client, String> {
        let mut client = Client::of(&self.app, "ann").await;
        client.connect(ns).await.map(|()| client)
    }

    /// Connects as soon as the store finds that the fault is over.
    async fn connects_again(&self, ns: &str) -> Client {
        let since = Instant::now();
        loop {
            match self.connect(ns).await {
                Ok(client) => return client,
                Err(said) => assert!(since.elapsed() < COMES_BACK, "still {said}"),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn every_redis_fault_is_an_error_for_new_clients_until_it_is_over() {
    // Longer than all of this test takes.
    let patient = |builder: AuthorizerBuilder<User>| builder.outage_grace(10 * COMES_BACK);
    let Some(server) = Server::new(patient).await else {
        return;
    };
    let _was_there = server.connect("/").await.unwrap();
    for (fault, expected) in FAULTS {
        server.proxy.set(fault);
        for ns in ["/", "/lobby"] {
            let start = Instant::now();
            let said = server.connect(ns).await.err().unwrap_or_else(|| "came in".into());
            assert!(expected.contains(&said.as_str()), "{fault:?} in {ns}: {said}");
            // The wait for a place among the loads, and the load itself.
            assert!(start.elapsed() < 2 * TIMEOUT + BUSY, "{fault:?}: {:?}", start.elapsed());
        }
        server.proxy.set(Fault::None);
        server.connects_again("/").await;
        server.connects_again("/lobby").await;
    }
    assert_eq!(server.guests.load(Ordering::SeqCst), 0);
    assert!(
        server.live.user(42).sockets().len() > 2 * FAULTS.len(),
        "all sockets are still connected"
    );
}

#[tokio::test]
async fn a_store_that_is_slow_but_in_time_refuses_no_client() {
    let Some(server) = Server::new(|builder| builder).await else {
        return;
    };
    server.proxy.set(Fault::Slow(Duration::from_millis(100)));
    server.connect("/").await.unwrap();
}

#[tokio::test]
async fn a_connected_socket_stays_for_the_grace_and_may_reconnect() {
    for fault in [Fault::Silent, Fault::Cut, Fault::Garbage] {
        let quick = |builder: AuthorizerBuilder<User>| builder.max_stale(Duration::from_secs(1));
        let Some(server) = Server::new(quick).await else {
            return;
        };
        // The grace counts from when the store was asked about the session.
        let start = Instant::now();
        let mut client = server.connect("/").await.unwrap();
        server.proxy.set(fault);
        let ended = json!(["session_ended", {"code": "store_unavailable", "reconnect": true}]);
        assert_eq!(client.event("/").await, ended, "{fault:?}");
        assert!(start.elapsed() >= GRACE, "{fault:?}: {:?}", start.elapsed());
        server.proxy.set(Fault::None);
        server.connects_again("/").await;
        assert_eq!(server.guests.load(Ordering::SeqCst), 0);
    }
}

/// Counts the loads that are under way.
#[derive(Debug)]
struct Counting {
    store: RedisStore,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

/// One load, until it has its answer or is given up.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl SessionStore for Counting {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        let _this = UnderWay(&self.under_way);
        self.most.fetch_max(under_way, Ordering::SeqCst);
        self.store.load(sid).await
    }
}

#[tokio::test]
async fn a_storm_on_a_hanging_store_runs_a_bounded_number_of_loads() {
    const LOADS: usize = 8;
    let few =
        |builder: AuthorizerBuilder<User>| builder.max_store_loads(LOADS).max_queued_loads(16);
    let mut counting = None;
    let count = |store| {
        let (under_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let store = Arc::new(Counting { store, under_way, most });
        counting = Some(store.clone());
        store as Arc<dyn SessionStore>
    };
    let Some(server) = Server::with_store(count, few).await else {
        return;
    };
    server.proxy.set(Fault::Silent);
    let storm = (0..200).map(|n| {
        let (app, who) = (server.app.clone(), format!("visitor-{n}"));
        async move { Client::of(&app, &who).await.connect("/").await }
    });
    let outcomes = futures_util::future::join_all(storm).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Err("try_again".into())));
    assert_eq!(counting.unwrap().most.load(Ordering::SeqCst), LOADS);
    server.proxy.set(Fault::None);
    server.connects_again("/").await;
}

/// A wrong password, say, which an account may be locked for.
#[tokio::test(start_paused = true)]
async fn a_store_whose_error_lasts_is_tried_once_a_second_at_most() {
    let tries = Arc::new(AtomicUsize::new(0));
    let count = tries.clone();
    let store = passport_socketio::store::open_later(move || {
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let error = StoreError::message("no");
            Err::<MemoryStore, _>(if is_first { error.not_there_yet("soon") } else { error })
        }
    })
    .await
    .unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(10) {
        assert!(store.load(&"ann".into()).await.is_err());
        sleep(Duration::from_millis(10)).await;
    }
    let tries = tries.load(Ordering::SeqCst);
    // The first two at once, and then one a second.
    assert!((8..=12).contains(&tries), "{tries}");
}
