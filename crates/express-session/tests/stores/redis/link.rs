//! The connection that comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use express_session::SessionId;
use express_session::store::SessionStore as _;
use express_session::store::redis::RedisStore;
use testkit::{Fault, FaultProxy, RedisServer};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

/// An authorizer with a `store_timeout` of its own.
const IMPATIENT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_silent_server_is_noticed_although_each_call_is_short() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let proxy = FaultProxy::to(([127, 0, 0, 1], server.process().port()).into()).await;
    let store = RedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap();
    let sid = SessionId::new("sid");
    let load = async || timeout(IMPATIENT, store.load(&sid)).await;

    proxy.set(Fault::Silent);
    let since = Instant::now();
    // Who leaves hears nothing; once the connection is given up, calls fail at once.
    let error = loop {
        if let Ok(answer) = load().await {
            break answer.unwrap_err();
        }
        assert!(since.elapsed() < Duration::from_secs(10), "the silence is noticed");
    };
    assert!(error.to_string().contains("connecting to Redis"), "{error}");

    proxy.set(Fault::None);
    let since = Instant::now();
    while !matches!(load().await, Ok(Ok(None))) {
        assert!(since.elapsed() < Duration::from_secs(10), "it comes back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn many_calls_cause_few_connections_to_an_absent_server() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    server.process().stop().await;

    let attempts = Arc::new(AtomicU32::new(0));
    let listener = TcpListener::bind(("127.0.0.1", server.process().port())).await.unwrap();
    let counting = attempts.clone();
    let accepting = tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counting.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (sid, since) = (SessionId::new("sid"), Instant::now());
    let mut asked = 0_u32;
    while since.elapsed() < Duration::from_secs(3) {
        assert!(store.load(&sid).await.is_err());
        asked += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let attempts = attempts.load(Ordering::Relaxed);
    assert!((2..=12).contains(&attempts), "{attempts} attempts to connect for {asked} questions");
    assert!(asked > 100, "only {asked} questions: they fail at once");
    accepting.abort();
}

#[tokio::test]
async fn a_connection_closed_while_idle_fails_no_call() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let client = ::redis::Client::open(server.url()).unwrap();
    let mut raw = client.get_multiplexed_async_connection().await.unwrap();
    for _ in 0..3 {
        // As the server's `timeout` does.
        let mut kill = ::redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes");
        let killed: u32 = kill.query_async(&mut raw).await.unwrap();
        assert_eq!(killed, 1);
        assert!(store.load(&"sid".into()).await.unwrap().is_none());
        assert!(store.load_many(&["sid".into()]).await.unwrap()[0].is_none());
    }
}
