//! The machine's clock jumps by five minutes, forward and back: every socket still ends in time. A lifetime
//! that a store counts down by itself is not changed by it at all.
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::common::world::{SECRET, User, auth_over, find_user, ignore, user_session};
use crate::common::{Client, soon};
use axum::Router;
use express_session::Clock;
use futures_util::future::join_all;
use passport_socketio::live::EndReason;
use passport_socketio::source::FastifySource;
use passport_socketio::store::redis::RedisStore;
use passport_socketio::store::{Life, MemoryStore};
use passport_socketio::{Authorizer, AuthorizerBuilder};
use redis::AsyncTypedCommands as _;
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use testkit::RedisServer;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A clock that follows tokio's time and can jump.
#[derive(Debug)]
struct JumpingClock {
    start: Instant,
    by: AtomicI64,
}

impl JumpingClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), by: AtomicI64::new(0) })
    }

    /// Sets the clock off by so many seconds.
    fn jump(&self, by: i64) {
        self.by.store(by, Ordering::SeqCst);
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> SystemTime {
        let noon = UNIX_EPOCH + Duration::from_secs(1_767_268_800) + self.start.elapsed();
        let by = self.by.load(Ordering::SeqCst);
        let jump = Duration::from_secs(by.unsigned_abs());
        if by < 0 { noon - jump } else { noon + jump }
    }
}

/// A server with this clock, and the ends of its sockets.
struct Server {
    app: Router,
    ends: mpsc::UnboundedReceiver<EndReason>,
}

impl Server {
    fn new(builder: AuthorizerBuilder<User>, clock: &Arc<JumpingClock>) -> Self {
        let (ended, ends) = mpsc::unbounded_channel();
        let auth = builder.clock(clock.clone()).on_session_end(move |end| {
            ended.send(end.reason).unwrap();
        });
        let auth = auth.build().unwrap();
        // The test's client does not answer pings.
        let patient = SocketIo::builder().ping_interval(Duration::from_secs(24 * 3600));
        let (host, io) = patient.build_layer();
        io.ns("/", ignore.with(auth.required()));
        Self { app: Router::new().layer(host).layer(auth.layer()), ends }
    }

    async fn connect(&self, who: &str) -> Result<Client, String> {
        let mut client = Client::of(&self.app, who).await;
        client.connect("/").await.map(|()| client)
    }
}

#[tokio::test(start_paused = true)]
async fn item_16_sockets_end_in_time_after_a_jump_of_the_clock() {
    // Ten minutes to live; the session is over when the clock says so, or at most `max_stale` later.
    for (jump, at_least, at_most) in [(0, 599, 601), (300, 299, 331), (-300, 599, 931)] {
        let clock = JumpingClock::new();
        let sessions = Arc::new(MemoryStore::for_tests());
        let life = Life::Until(clock.now() + Duration::from_secs(600));
        sessions.set("ann", user_session(42), life);
        let mut tested = Server::new(auth_over(sessions), &clock);
        let _client = tested.connect("ann").await.unwrap();

        let start = Instant::now();
        clock.jump(jump);
        assert_eq!(tested.ends.recv().await, Some(EndReason::Expired));
        let lived = start.elapsed().as_secs_f64();
        assert!(lived >= f64::from(at_least) && lived <= f64::from(at_most), "{jump}: {lived} s");
    }
}

/// What decides when a session in Redis is over.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Redis alone: what the record says is the date of its last save.
    Express,
    /// Redis, or the date in the record, whichever comes first.
    Fastify,
}

/// All in seconds: the life in the record and the life in Redis when the session is saved; by how much the
/// clock jumps after the connect; the earliest and the latest time at which the socket ends.
struct Case(Kind, u64, u64, i64, f64, f64);

const MAX_STALE: Duration = Duration::from_secs(2);

/// How many seconds late an end may be seen: the library promises one, and the rest is for a busy machine.
const LATE: f64 = 1.0 + 1.5;

impl Case {
    fn all() -> Vec<Self> {
        use Kind::{Express, Fastify};

        let mut all = Vec::new();
        for jump in [0, 300, -300] {
            for record in [600, 1] {
                all.push(Self(Express, record, 3, jump, 3.0, 3.0 + LATE));
            }
            all.push(Self(Fastify, 600, 3, jump, 3.0, 3.0 + LATE));
        }
        let next_look = MAX_STALE.as_secs_f64() + LATE;
        all.push(Self(Fastify, 2, 6, 0, 2.0, 2.0 + LATE));
        all.push(Self(Fastify, 2, 6, 300, 0.0, next_look));
        all.push(Self(Fastify, 200, 60, 300, 0.0, next_look));
        // By the clock that is five minutes. Redis counts without it.
        all.push(Self(Fastify, 2, 6, -300, 6.0, 6.0 + LATE));
        all
    }

    async fn holds(self, server: &RedisServer, url: &str, sid: String) {
        let Self(kind, record, ttl, jump, at_least, at_most) = self;
        let what = format!("{kind:?} in {url}: record {record} s, Redis {ttl} s, clock {jump} s");
        let clock = JumpingClock::new();
        let store = RedisStore::connect(url).await.unwrap();
        let builder = match kind {
            Kind::Express => auth_over(store),
            Kind::Fastify => {
                Authorizer::builder().source(fastify()).store(store).deserialize_user(find_user)
            }
        };
        let mut tested = Server::new(builder.max_stale(MAX_STALE), &clock);
        let client = redis::Client::open(server.url()).unwrap();
        let mut direct = client.get_multiplexed_async_connection().await.unwrap();

        let start = Instant::now();
        let end = (clock.now() + Duration::from_secs(record)).duration_since(UNIX_EPOCH).unwrap();
        let session = json!({
            "cookie": {"expires": u64::try_from(end.as_millis()).unwrap()},
            "passport": {"user": 42},
        });
        direct.set_ex(format!("sess:{sid}"), session.to_string(), ttl).await.unwrap();
        let client = tested.connect(&sid).await;
        assert!(client.is_ok(), "{what}: {:?}", client.err());
        clock.jump(jump);
        assert_eq!(soon(tested.ends.recv()).await, Some(EndReason::Expired), "{what}");
        let lived = start.elapsed().as_secs_f64();
        // Its milliseconds are whole ones.
        assert!(lived > at_least - 0.005 && lived < at_most, "{what}: {lived} s");
        assert_eq!(tested.connect(&sid).await.err(), Some("unauthorized".into()), "{what}");
    }
}

/// A source that takes the cookies of these tests, which have Express' prefix.
fn fastify() -> FastifySource {
    FastifySource::new("connect.sid", [SECRET]).unwrap().with_cookie_prefix("s:")
}

#[tokio::test]
async fn item_16_sockets_end_in_time_after_a_jump_of_the_clock_with_redis() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    // One with a feed of changes, and one without.
    let urls = [server.url(), format!("{}?protocol=resp2", server.url())];
    let cases = urls.iter().enumerate().flat_map(|(feed, url)| {
        let cases = Case::all().into_iter().enumerate();
        let server = &server;
        cases.map(move |(n, case)| case.holds(server, url, format!("{feed}-{n}")))
    });
    join_all(cases).await;
}
