//! No secret in any output: every decision, end, order and outage, logged at `trace`, counted, audited, and
//! shown with `Debug`.
//!
//! This process runs one long scenario on a real Redis behind a proxy that fails when it is told to.
//! Logs are searched line by line as they are written (`testkit::secrecy`), all else at the end.
#![cfg(feature = "redis")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests assert, too")]

#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod node;

use std::time::Duration;

use common::{Client, soon};
use express_session::SessionId;
use fixture::{CART, Fixture, MAIL, NAME, NODES_SECRET, OLD_SECRET, PASSWORD, SECRET};
use fixture::{cookie, cookie_of, sid};
use metrics_util::debugging::DebuggingRecorder;
use node::{Node, User, Written};
use passport_socketio::cluster::Cluster;
use passport_socketio::live::EndReason;
use passport_socketio::store::SessionStore as _;
use passport_socketio::store::redis::RedisStore;
use testkit::{Fault, secrecy};
use tokio::time::sleep;

async fn ended(client: &mut Client) -> String {
    loop {
        let event = client.event("/").await;
        if event.get(0).is_some_and(|name| name == "session_ended") {
            return event.pointer("/1/code").unwrap().as_str().unwrap().to_owned();
        }
    }
}

/// Every refusal, one after the other.
async fn be_refused(fixture: &mut Fixture, node: &Node, written: &Written) {
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
    fixture.put("broken", &format!("{{\"cart\":\"{CART}\",\"passport\":")).await;
    fixture.put("anonymous", &format!(r#"{{"cookie":{{}},"cart":"{CART}"}}"#)).await;
    for user in ["nobody", "fails", "hangs", "panics", "disabled"] {
        fixture.log_in(user, user).await;
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
async fn be_ended(fixture: &mut Fixture, node: &Node, cluster: &Cluster<User>, written: &Written) {
    let ends = ["logs-out", "revoked", "user-revoked", "kicked", "ended", "changes", "refreshed"];
    for name in ends {
        fixture.log_in(name, &format!("{MAIL}-{name}")).await;
    }
    let mut clients = Vec::new();
    for name in ends {
        clients.push(node.connected(name).await);
    }
    let key = |name: &str| format!("{MAIL}-{name}");
    fixture.log_out("logs-out").await;
    written.add(&node.live.revoke_session(&SessionId::new(sid("revoked"))).await);
    written.add(&soon(cluster.revoke_user(key("user-revoked"))).await);
    written.add(&node.live.disconnect_user(key("kicked")));
    node.live.end_session(&SessionId::new(sid("ended")), EndReason::Expired);
    fixture.log_in("changes", "somebody-else").await;
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
    forge.arg("secrecy:main:orders").arg("00.{\"id\":\"never\"}");
    forge.exec_async(&mut fixture.redis).await.unwrap();
}

/// The store goes, and comes back.
async fn be_without_a_store(fixture: &mut Fixture, node: &Node) {
    fixture.log_in("stays", &format!("{MAIL}-stays")).await;
    let mut stays = node.connected("stays").await;
    fixture.proxy.set(Fault::Silent);
    assert_eq!(node.refused([cookie("stays")]).await, "try_again");
    fixture.proxy.set(Fault::Cut);
    assert_eq!(node.refused([cookie("stays")]).await, "try_again");
    assert_eq!(soon(ended(&mut stays)).await, "store_unavailable");
    are_logged(&["listening again soon", "the nodes' Redis is away"]).await;
    fixture.proxy.set(Fault::Garbage);
    assert_eq!(node.refused([cookie("stays")]).await, "try_again");
    fixture.proxy.set(Fault::None);
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

/// Waits for messages of background tasks: a feed asks its connection every 3 s, and waits 2 s for the answer.
async fn are_logged(messages: &[&str]) {
    let all = async {
        while !messages.iter().all(|message| secrecy::logged().contains(message)) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    // The rest is for a busy machine.
    let waited = tokio::time::timeout(Duration::from_secs(30), all).await;
    waited.unwrap_or_else(|_| panic!("never logged: {messages:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_log_metric_or_debug_output_contains_a_secret() {
    let Some(mut fixture) = Fixture::open().await else {
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

    let wrong = fixture.url.replace(PASSWORD, "never-log-a-wrong-password");
    secrecy::keep("never-log-a-wrong-password");
    match RedisStore::connect(&wrong).await {
        Ok(store) => written.add(&store.load(&SessionId::new(sid("ann"))).await),
        Err(error) => written.add(&error),
    }
    fixture.log_in("ann", MAIL).await;
    let node = node::node(&fixture, &written).await;
    let cluster = node.live.join(&fixture.url).await.unwrap();
    let other = node::node(&fixture, &written).await;
    let others = other.live.join(&fixture.url).await.unwrap();
    written.add(&others);
    written.add(&(&node.auth, &node.live, &cluster));

    be_refused(&mut fixture, &node, &written).await;
    be_ended(&mut fixture, &node, &cluster, &written).await;
    be_without_a_store(&mut fixture, &node).await;
    written.add(&(&node.auth, &node.live, &cluster));

    let snapshot = format!("{:?}", metrics.snapshot().into_vec());
    let (logged, written) = (secrecy::logged(), written.text());
    secrecy::assert_kept("a metric", &snapshot);
    secrecy::assert_kept("Debug, the audit hook or a panic", &written);
    secrecy::assert_kept("the log", &logged);

    // Every reason and every event was in the output.
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
