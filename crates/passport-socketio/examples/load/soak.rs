//! Visitors who come, stay, leave, log out and are thrown out, for minutes, while the network between the
//! server and its Redis fails in every way.
//!
//! 1. Whoever is let in is who they are, and never a guest; the others are told to try again.
//! 2. Every login that ends takes its socket along, with its reason, and does not come in again.
//! 3. At the end nobody is left in the registry or the host, nothing has panicked, and as much memory is
//!    allocated as before the first visit.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use passport_socketio::store::redis::RedisStore;
use passport_socketio::{Auth, MaybeAuth};
use redis::AsyncTypedCommands as _;
use redis::aio::MultiplexedConnection;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use testkit::{Fault, FaultProxy, RedisServer};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::client::{WebSocket, ask, upgrade};
use crate::memory::{Memory, Slack};
use crate::server::{Server, cookie};
use crate::{count_panics, promise};

const FAULTS: [Fault; 6] = [
    Fault::Slow(Duration::from_millis(300)),
    Fault::Silent,
    Fault::Cut,
    Fault::Torn,
    Fault::Garbage,
    Fault::BrokenJson,
];
/// How long a fault lasts, at most, and how long all is well between two.
const FAULT: Duration = Duration::from_secs(2);
const PEACE: Duration = Duration::from_secs(3);
const MAX_STALE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// No visit takes longer, whatever fails: a fault or two, a sweep, and what a busy machine adds.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is told how things are going.
const LOOKS: u32 = 10;

pub(crate) struct Soak {
    pub(crate) length: Duration,
    pub(crate) visitors: usize,
    /// Sessions that were revoked are remembered for five minutes, and where the store could not destroy
    /// them, for good.
    pub(crate) slack: Slack,
}

/// The house that they visit, and what became of them.
struct House {
    server: Server,
    proxy: FaultProxy,
    /// The app's own connection, in which nothing fails.
    redis: MultiplexedConnection,
    until: Instant,
    visits: AtomicUsize,
    sockets: AtomicUsize,
    told_to_try_again: AtomicUsize,
    ended: Mutex<BTreeMap<&'static str, usize>>,
    surprises: Mutex<BTreeMap<String, usize>>,
}

impl Soak {
    /// Whether all promises were kept. `None` where there is no Redis.
    pub(crate) async fn run(self) -> Option<bool> {
        let panics = count_panics();
        let redis = RedisServer::start().await?;
        let house = Arc::new(House::open(&redis, self.length).await);
        let before = Memory::now();
        println!("memory before: {before}");
        let mut visitors = JoinSet::new();
        for _ in 0..self.visitors {
            let house = house.clone();
            visitors.spawn(async move { house.visit_again_and_again().await });
        }
        let weather = house.clone();
        visitors.spawn(async move { weather.have_faults().await });
        for look in 1..=LOOKS {
            sleep_until(house.until - self.length + self.length * look / LOOKS).await;
            house.tell(look);
        }
        visitors.join_all().await;
        let empty = timeout(PATIENCE, house.is_left()).await.is_ok();
        // The host still remembers who was refused.
        sleep(CONNECT_TIMEOUT + Duration::from_millis(500)).await;
        let afterwards = Memory::now();
        println!("memory afterwards: {afterwards}");
        let panics = panics.load(Ordering::Relaxed);
        println!("ends {:?}", house.ended.lock().unwrap());
        for (surprise, times) in &*house.surprises.lock().unwrap() {
            println!("       {times} times {surprise}");
        }
        let kept = [
            promise("everybody was who they are", house.surprises.lock().unwrap().is_empty()),
            promise(&format!("panics: {panics}"), panics == 0),
            promise(&format!("left behind: {:?}", house.server.live), empty),
            promise(
                &format!("memory is what it was before, {}", self.slack),
                afterwards.is_back_at(before, self.slack),
            ),
        ];
        Some(kept.iter().all(|kept| *kept))
    }
}

impl House {
    async fn open(redis: &RedisServer, length: Duration) -> Self {
        let port = redis.process().port();
        let proxy = FaultProxy::to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
        let store = RedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap();
        let server =
            Server::start(store, true, CONNECT_TIMEOUT, |builder| builder.max_stale(MAX_STALE))
                .await;
        let member = async |socket: SocketRef, user: Auth<usize>| {
            socket.emit("you", &*user).ok();
        };
        server.io.ns("/members", member.with(server.auth.required()));
        let anybody = async |socket: SocketRef, user: MaybeAuth<usize>| {
            socket.emit("you", &user.user().copied()).ok();
        };
        server.io.ns("/lobby", anybody.with(server.auth.optional()));
        let client = redis::Client::open(redis.url()).unwrap();
        // The visits' own connection. The driver's 500 ms are too short where the cores have other work.
        let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let redis = client.get_multiplexed_async_connection_with_config(&patient).await.unwrap();
        let none = AtomicUsize::default;
        Self {
            server,
            proxy,
            redis,
            until: Instant::now() + length,
            visits: none(),
            sockets: none(),
            told_to_try_again: none(),
            ended: Mutex::default(),
            surprises: Mutex::default(),
        }
    }

    fn tell(&self, look: u32) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        println!(
            "{look}/{LOOKS}: {}, {} visits, {} sockets, {} told to try again",
            Memory::now(),
            count(&self.visits),
            count(&self.sockets),
            count(&self.told_to_try_again),
        );
    }

    async fn have_faults(&self) {
        while Instant::now() < self.until {
            sleep(PEACE).await;
            self.proxy.set(FAULTS[fastrand::usize(..FAULTS.len())]);
            sleep(FAULT.mul_f32(fastrand::f32())).await;
            self.proxy.set(Fault::None);
        }
    }

    async fn visit_again_and_again(&self) {
        while Instant::now() < self.until {
            let user = self.visits.fetch_add(1, Ordering::Relaxed);
            let met = timeout(PATIENCE, self.visit(user)).await;
            if let Err(what) = met.unwrap_or_else(|_| Err("waits in vain".into())) {
                *self.surprises.lock().unwrap().entry(what).or_default() += 1;
            }
        }
    }

    /// One login, one socket, and one of four ends.
    async fn visit(&self, user: usize) -> Result<(), String> {
        let (sid, ns) = (format!("soak-session-{user}"), ["/members", "/lobby"][user % 2]);
        let (key, mut redis) = (format!("sess:{sid}"), self.redis.clone());
        let record = format!(r#"{{"cookie":{{}},"passport":{{"user":{user}}}}}"#);
        redis.set_ex(&key, record, 3600).await.map_err(|error| error.to_string())?;
        if let Some(mut socket) = self.connect(&sid, ns, Some(user)).await? {
            sleep(Duration::from_millis(fastrand::u64(10..500))).await;
            let live = &self.server.live;
            let code = ["", "logged_out", "revoked", "evicted"][user / 2 % 4];
            match code {
                "logged_out" => self.forget(&key).await?,
                "revoked" => {
                    live.revoke_session(&sid.as_str().into()).await;
                }
                "evicted" => {
                    live.disconnect_user(user as u64);
                }
                // The client just goes.
                _ => return self.forget(&key).await,
            }
            let word = socket.receive().await.map_err(|error| error.to_string())?;
            let notice = format!(r#"{{"code":"{code}","reconnect":false}}"#);
            if word != format!(r#"42{ns},["session_ended",{notice}]"#) {
                return Err(format!("{code}, and was told something else"));
            }
            *self.ended.lock().unwrap().entry(code).or_default() += 1;
            if code != "evicted" && self.connect(&sid, "/members", None).await?.is_some() {
                return Err("came in after the end".into());
            }
        }
        self.forget(&key).await
    }

    async fn forget(&self, key: &str) -> Result<(), String> {
        self.redis.clone().del(key).await.map(drop).map_err(|error| error.to_string())
    }

    /// `None` for who is to try again, or is nobody and should be. The error is a broken promise.
    async fn connect(
        &self,
        sid: &str,
        ns: &str,
        user: Option<usize>,
    ) -> Result<Option<WebSocket>, String> {
        let broken = |error: std::io::Error| format!("no answer: {}", error.kind());
        let headers = format!("Cookie: {}\r\n", cookie(sid));
        let request = upgrade("EIO=4&transport=websocket", &headers);
        let answered = ask(&self.server.link, request.as_bytes()).await.map_err(broken)?;
        let status = answered.status;
        let mut socket = answered.upgraded().ok_or_else(|| format!("answered {status}"))?;
        socket.receive().await.map_err(broken)?;
        socket.send(&format!("40{ns},")).await.map_err(broken)?;
        let word = socket.receive().await.map_err(broken)?;
        let Some(word) = word.strip_prefix(&format!("44{ns},")) else {
            let you = socket.receive().await.map_err(broken)?;
            self.sockets.fetch_add(1, Ordering::Relaxed);
            let expected = user.map(|user| format!(r#"42{ns},["you",{user}]"#));
            return if Some(you) == expected {
                Ok(Some(socket))
            } else {
                Err("was taken for somebody else".into())
            };
        };
        match (word, user) {
            (r#"{"message":"unauthorized"}"#, None) => {}
            (r#"{"message":"try_again"}"# | r#"{"message":"server_error"}"#, _) => {
                self.told_to_try_again.fetch_add(1, Ordering::Relaxed);
            }
            _ => return Err(format!("a member was told {word}")),
        }
        Ok(None)
    }

    /// Nobody is registered, and nobody connected.
    async fn is_left(&self) {
        let server = &self.server;
        let empty = || format!("{:?}", server.live).contains("sessions: 0, sockets: 0");
        let lonely =
            || server.io.nsps().into_iter().all(|namespace| namespace.sockets().is_empty());
        while !(empty() && lonely()) {
            sleep(Duration::from_millis(50)).await;
        }
    }
}
