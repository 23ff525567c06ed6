//! No secret in anything that is written: every decision, every end, every order and every outage,
//! logged at `trace`, counted, audited, and shown with `Debug`.
//!
//! This process runs one long scenario on a real Redis behind a proxy that fails when it is told to.
//! Logs are searched line by line as they are written (`testkit::secrecy`), all else at the end.
#![cfg(feature = "redis")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests assert, too")]

mod common;

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use common::{Client, soon};
use express_session::SessionId;
use express_session::cookie::Signer;
use metrics_util::debugging::DebuggingRecorder;
use passport_socketio::live::cluster::Cluster;
use passport_socketio::live::{Ended, OverLimit};
use passport_socketio::store::SessionStore as _;
use passport_socketio::store::redis::RedisStore;
use passport_socketio::{
    Auth, Authorizer, Candidate, Live, MaybeAuth, MaybeSession, Reject, Session,
};
use redis::aio::MultiplexedConnection;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use testkit::{Fault, FaultProxy, RedisServer, secrecy};
use tokio::time::sleep;

const SECRET: &str = "never-log-the-signing-secret";
const OLD_SECRET: &str = "never-log-the-old-secret";
const PASSWORD: &str = "never-log-the-password-of-redis";
const NODES_SECRET: &str = "never-log-the-secret-of-the-nodes";
const CART: &str = "never-log-what-is-in-a-session";
const MAIL: &str = "never-log-who-it-is@example.com";
const NAME: &str = "never-log-what-the-deserializer-knows";

/// All that the scenario's parts have written, apart from logs.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<String>>);

impl Written {
    fn add(&self, shown: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{shown:?} {shown:#?}").unwrap();
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Debug)]
struct User {
    #[expect(dead_code, reason = "shown by Debug, if anybody does")]
    name: &'static str,
    disabled: bool,
}

#[derive(Debug)]

struct DatabaseIsDown;

impl std::error::Error for DatabaseIsDown {}

impl std::fmt::Display for DatabaseIsDown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the database\nis down: code=\"granted\"")
    }
}

/// A session id of the test's own, which may not be written from now on.
fn sid(name: &str) -> String {
    let sid = format!("never-log-the-sid-of-{name}");
    secrecy::keep(&sid);
    sid
}

fn cookie_of(name: &str, secret: &str) -> String {
    let pair = Signer::new([secret]).unwrap().cookie_pair("connect.sid", &sid(name));
    secrecy::keep_cookie(&pair);
    pair
}

fn cookie(name: &str) -> (&'static str, String) {
    ("cookie", cookie_of(name, SECRET))
}

fn session_of(user: &str) -> String {
    format!(r#"{{"cookie":{{}},"passport":{{"user":"{user}"}},"cart":"{CART}"}}"#)
}

struct House {
    proxy: FaultProxy,
    redis: MultiplexedConnection,
    url: String,
    _server: RedisServer,
}

impl House {
    /// A Redis with a password, of which only the proxy is known.
    async fn open() -> Option<Self> {
        let server = RedisServer::start().await?;
        let client = redis::Client::open(server.url()).unwrap();
        let mut redis = client.get_multiplexed_async_connection().await.unwrap();
        let mut protect = redis::cmd("CONFIG");
        protect.arg("SET").arg("requirepass").arg(PASSWORD);
        protect.exec_async(&mut redis).await.unwrap();
        let address = server.url();
        let address = address.trim_start_matches("redis://").trim_end_matches('/');
        let proxy = FaultProxy::to(address.parse().unwrap()).await;
        let url = format!("redis://:{PASSWORD}@{}/", proxy.addr());
        Some(Self { proxy, redis, url, _server: server })
    }

    async fn put(&mut self, name: &str, record: &str) {
        let mut set = redis::cmd("SET");
        set.arg(format!("sess:{}", sid(name))).arg(record);
        set.exec_async(&mut self.redis).await.unwrap();
    }

    async fn log_in(&mut self, name: &str, user: &str) {
        self.put(name, &session_of(user)).await;
    }

    async fn log_out(&mut self, name: &str) {
        let mut del = redis::cmd("DEL");
        del.arg(format!("sess:{}", sid(name)));
        del.exec_async(&mut self.redis).await.unwrap();
    }
}

struct Node {
    app: Router,
    auth: Authorizer<User>,
    live: Live<User>,
}

async fn node(house: &House, written: &Written) -> Node {
    let (audited, told) = (written.clone(), written.clone());
    let store = RedisStore::connect(&house.url).await.unwrap();
    written.add(&store);
    let builder = Authorizer::builder()
        .secrets([SECRET, OLD_SECRET])
        .store(store)
        .origin("https://friend.example.com")
        .insecure_session_id_query()
        .max_stale(Duration::from_secs(2))
        .outage_grace(Duration::from_secs(1))
        .store_timeout(Duration::from_millis(400))
        .deserializer_timeout(Duration::from_millis(200))
        .max_connections_per_user(2, OverLimit::Refuse)
        .deserialize_user(async |key: String| match key.as_str() {
            "nobody" => Ok(None),
            "fails" => Err(DatabaseIsDown),
            "hangs" => std::future::pending().await,
            "panics" => panic!("the deserializer panics"),
            _ => Ok(Some(User { name: NAME, disabled: key == "disabled" })),
        })
        .success(async |candidate: Candidate<User>| {
            assert!(format!("{candidate:?}").contains("Candidate"));
            if candidate.user().disabled { Err(Reject::new("you\nare disabled")) } else { Ok(()) }
        })
        .fail(passport_socketio::Failure::refuse)
        .audit(move |event| {
            audited.add(event);
            assert_ne!(event.code, "user_not_found", "an audit hook that panics");
        })
        .on_session_end(move |ended: &Ended<'_>| told.add(ended));
    written.add(&builder);
    let auth = builder.build().unwrap();
    let (host, io) = SocketIo::new_layer();
    let shown = written.clone();
    let on_connect = async move |socket: SocketRef, user: Auth<User>, session: Session| {
        shown.add(&(user.session(), &session, MaybeAuth::<User>::of(&socket).logged_in()));
        shown.add(&MaybeSession::of(&socket));
    };
    io.ns("/", on_connect.with(auth.required()));
    io.ns("/lobby", (async || {}).with(auth.optional()));

    let app = Router::new().layer(host).layer(auth.layer());
    let live = auth.attach(&io);
    Node { app, auth, live }
}

impl Node {
    async fn connected(&self, name: &str) -> Client {
        let mut client = Client::open(&self.app, [cookie(name)]).await.unwrap();
        client.connect("/").await.unwrap();
        client
    }

    async fn refused(&self, headers: impl IntoIterator<Item = (&'static str, String)>) -> String {
        let mut client = Client::open(&self.app, headers).await.unwrap();
        client.connect("/").await.unwrap_err()
    }
}

async fn ended(client: &mut Client) -> String {
    loop {
        let event = client.event("/").await;
        if event.get(0).is_some_and(|name| name == "session_ended") {
            return event.pointer("/1/code").unwrap().as_str().unwrap().to_owned();
        }
    }
}

/// Every refusal, one after the other.
async fn be_refused(house: &mut House, node: &Node, written: &Written) {
    let foreign = [("origin", "https://evil.example.com\t".to_owned()), cookie("ann")];
    assert!(Client::open(&node.app, foreign).await.is_err());
    assert_eq!(node.refused([]).await, "unauthorized");
    for bad in [
        format!("connect.sid={}", sid("ann")),
        format!("connect.sid=s%3A{}", sid("ann")),
        cookie_of("ann", "another secret"),
        format!("{}; x={}", cookie("ann").1, "x".repeat(9000)),
    ] {
        assert_eq!(node.refused([("cookie", bad)]).await, "unauthorized");
    }
    house.put("broken", &format!("{{\"cart\":\"{CART}\",\"passport\":")).await;
    house.put("anonymous", &format!(r#"{{"cookie":{{}},"cart":"{CART}"}}"#)).await;
    for user in ["nobody", "fails", "hangs", "panics", "disabled"] {
        house.log_in(user, user).await;
    }
    for (name, read) in [
        ("never-heard-of", "unauthorized"),
        ("anonymous", "unauthorized"),
        ("broken", "server_error"),
        ("nobody", "unauthorized"),
        ("fails", "try_again"),
        ("hangs", "try_again"),
        ("panics", "try_again"),
        ("disabled", "you\nare disabled"),
    ] {
        assert_eq!(node.refused([cookie(name)]).await, read, "{name}");
        let mut request = http::Request::get("/").body(()).unwrap();
        let (header, value) = cookie(name);
        request.headers_mut().insert(header, value.parse().unwrap());
        let (parts, ()) = request.into_parts();
        written.add(&node.auth.explain(&parts).await);
        written.add(&node.auth.authorize(&parts).await);
    }
    let mut guest = Client::open(&node.app, [cookie("anonymous")]).await.unwrap();
    guest.connect("/lobby").await.unwrap();
    // Two are allowed.
    let (_one, _two) = (node.connected("ann").await, node.connected("ann").await);
    assert_eq!(node.refused([cookie("ann")]).await, "too_many_connections");
}

/// Every end, and every order.
async fn be_ended(house: &mut House, node: &Node, cluster: &Cluster<User>, written: &Written) {
    let ends = ["logs-out", "revoked", "user-revoked", "kicked", "ended", "changes", "refreshed"];
    for name in ends {
        house.log_in(name, &format!("{MAIL}-{name}")).await;
    }
    let mut clients = Vec::new();
    for name in ends {
        clients.push(node.connected(name).await);
    }
    let key = |name: &str| format!("{MAIL}-{name}");
    house.log_out("logs-out").await;
    written.add(&node.live.revoke_session(&SessionId::new(sid("revoked"))).await);
    written.add(&soon(cluster.revoke_user(key("user-revoked"))).await);
    written.add(&node.live.disconnect_user(key("kicked")));
    let reason = passport_socketio::live::EndReason::Expired;
    node.live.end_session(&SessionId::new(sid("ended")), reason);
    house.log_in("changes", "somebody-else").await;
    written.add(&node.live.refresh_user(key("refreshed")).await.unwrap());
    written.add(&soon(cluster.refresh_user(key("refreshed"))).await);
    written.add(&soon(cluster.disconnect_user(key("refreshed"))).await);
    let mut codes = Vec::new();
    for client in &mut clients {
        codes.push(soon(ended(client)).await);
    }
    let expected =
        ["logged_out", "revoked", "revoked", "evicted", "expired", "user_changed", "evicted"];
    assert_eq!(codes, expected);
    // A forged order.
    let mut forge = redis::cmd("PUBLISH");
    forge.arg("secrecy:orders").arg("00.{\"id\":\"never\"}");
    forge.exec_async(&mut house.redis).await.unwrap();
}

/// The store goes, and comes back.
async fn be_without_a_store(house: &mut House, node: &Node) {
    house.log_in("stays", &format!("{MAIL}-stays")).await;
    let mut stays = node.connected("stays").await;
    house.proxy.set(Fault::Silent);
    assert_eq!(node.refused([cookie("stays")]).await, "try_again");
    house.proxy.set(Fault::Cut);
    assert_eq!(node.refused([cookie("stays")]).await, "try_again");
    assert_eq!(soon(ended(&mut stays)).await, "store_unavailable");
    are_logged(&["listening again soon", "the nodes' Redis is away"]).await;
    house.proxy.set(Fault::Garbage);
    assert_eq!(node.refused([cookie("stays")]).await, "try_again");
    house.proxy.set(Fault::None);
    soon(async {
        loop {
            let mut client = Client::open(&node.app, [cookie("stays")]).await.unwrap();
            if client.connect("/").await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    are_logged(&["the nodes' Redis is back", "the store is back"]).await;
}

/// Waits for messages that come by themselves: a feed asks its connection every 3 s, for 2 s.
async fn are_logged(messages: &[&str]) {
    let all = async {
        while !messages.iter().all(|message| secrecy::logged().contains(message)) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), all).await;
    waited.unwrap_or_else(|_| panic!("never logged: {messages:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_written_holds_a_secret() {
    let Some(mut house) = House::open().await else {
        return;
    };
    for secret in [SECRET, OLD_SECRET, PASSWORD, NODES_SECRET, CART, MAIL, NAME] {
        secrecy::keep(secret);
    }
    secrecy::watch_logs();
    let written = Written::default();
    let panics = written.clone();
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        panics.add(&panic.to_string());
        usual(panic);
    }));
    let recorder = DebuggingRecorder::new();
    let metrics = recorder.snapshotter();
    recorder.install().unwrap();

    let wrong = house.url.replace(PASSWORD, "never-log-a-wrong-password");
    secrecy::keep("never-log-a-wrong-password");
    match RedisStore::connect(&wrong).await {
        Ok(store) => written.add(&store.load(&SessionId::new(sid("ann"))).await),
        Err(error) => written.add(&error),
    }
    house.log_in("ann", MAIL).await;
    let node = node(&house, &written).await;
    let cluster = node.live.join(&house.url, "secrecy", NODES_SECRET).await.unwrap();
    let other = self::node(&house, &written).await;
    let others = other.live.join(&house.url, "secrecy", NODES_SECRET).await.unwrap();
    written.add(&others);
    written.add(&(&node.auth, &node.live, &cluster));

    be_refused(&mut house, &node, &written).await;
    be_ended(&mut house, &node, &cluster, &written).await;
    be_without_a_store(&mut house, &node).await;
    written.add(&(&node.auth, &node.live, &cluster));

    let snapshot = format!("{:?}", metrics.snapshot().into_vec());
    let (logged, written) = (secrecy::logged(), written.text());
    secrecy::assert_kept("a metric", &snapshot);
    secrecy::assert_kept("Debug, the audit hook or a panic", &written);
    secrecy::assert_kept("the log", &logged);

    // It has all been there.
    for code in [
        "granted",
        "origin_not_allowed",
        "no_session_cookie",
        "malformed_cookie",
        "bad_signature",
        "store_unavailable",
        "store_timeout",
        "session_not_found",
        "corrupt_session",
        "not_logged_in",
        "deserializer_failed",
        "deserializer_timeout",
        "user_not_found",
        "rejected",
        "too_many_connections",
        "logged_out",
        "expired",
        "revoked",
        "evicted",
        "user_changed",
    ] {
        assert!(logged.contains(&format!("code=\"{code}\"")), "no {code} in the log:\n{logged}");
        assert!(written.contains(&format!("code: \"{code}\"")), "{code} was not audited");
        assert!(snapshot.contains(&format!("\"{code}\"")), "{code} was not counted");
    }
    for message in [
        "the store is away",
        "the store stayed away",
        "the store is back",
        "listening to a feed",
        "listening again soon",
        "the nodes' Redis is away",
        "the nodes' Redis is back",
        "a session was revoked",
        "a user was revoked",
        "a user was disconnected",
        "a user was loaded anew",
        "was none of this cluster",
        "the app's audit panicked",
        "they end up in logs",
    ] {
        assert!(logged.contains(message), "never logged: {message}\n{logged}");
    }
    // No line was made by what is in an error, or in a text of the app's.
    assert!(
        logged
            .lines()
            .all(|line| line.contains(" passport_socketio") || line.contains(" express_session"))
    );
}
