//! Sockets of one session share its record.

use std::fmt;
use std::time::{Duration, Instant};

use passport_socketio::store::Life;
use passport_socketio::{MaybeSession, Session};
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use tokio::sync::mpsc;

use crate::common::world::{Server, ignore};
use crate::common::{Client, eventually};

/// Connections of a session, each with one socket in each namespace.
const CONNECTIONS: usize = 100;
const NAMESPACES: [&str; 3] = ["/room/1", "/room/2", "/room/3"];

/// A session of nearly the largest size, whose user is `passport`.
fn large(passport: &str) -> String {
    let cart = r#"{"item":"a thing","n":1},"#.repeat(900 * 1024 / 25);
    format!(r#"{{"cookie":{{}},"cart":[{cart}0],"passport":{passport}}}"#)
}

/// A server that sends the session of each socket that connects to the test.
fn server(max_stale: Duration) -> (Server, mpsc::UnboundedReceiver<Session>) {
    let server = Server::with(true, |builder| builder.max_stale(max_stale));
    let (found, sessions) = mpsc::unbounded_channel();
    let tell = async move |MaybeSession(session): MaybeSession| {
        found.send(session.unwrap()).unwrap();
        Ok::<_, fmt::Error>(())
    };
    let gate = ignore.with(tell).with(server.auth.optional());
    server.io.dyn_ns("/room/{id}", gate).unwrap();
    (server, sessions)
}

async fn connected(server: &Server, who: &str) -> Client {
    let mut client = Client::of(&server.app, who).await;
    for ns in NAMESPACES {
        client.connect(ns).await.unwrap();
    }
    client
}

/// The address of a session's record.
fn place(session: &Session) -> *const u8 {
    session.json().as_ptr()
}

#[tokio::test(start_paused = true)]
async fn all_sockets_of_a_session_share_one_record() {
    for (who, passport) in [("anonymous", "{}"), ("ann", r#"{"user":42}"#)] {
        let (server, mut sessions) = server(Duration::from_secs(600));
        server.store.inner().0.set(who, large(passport), Life::Forever);
        let loads = server.store.loads();
        let mut clients = Vec::new();
        let began = Instant::now();
        for _ in 0..CONNECTIONS {
            clients.push(connected(&server, who).await);
        }
        let each = began.elapsed() / u32::try_from(CONNECTIONS * NAMESPACES.len()).unwrap();
        println!("a CONNECT as {who} takes {each:?}, with a record of 900 KiB");
        // The first CONNECT of a connection has the answer that the layer was given, if that is fresh.
        assert!(server.store.loads() - loads >= CONNECTIONS * NAMESPACES.len());
        let first = sessions.try_recv().unwrap();
        for n in 1..CONNECTIONS * NAMESPACES.len() {
            let other = sessions.try_recv().unwrap();
            assert_eq!(place(&other), place(&first), "{who}, socket {n}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_connect_concurrently_share_one_record() {
    let (server, mut sessions) = server(Duration::from_secs(600));
    server.store.inner().0.set("ann", large(r#"{"user":42}"#), Life::Forever);
    let crowd = (0..20).map(|_| connected(&server, "ann"));
    let _clients = futures_util::future::join_all(crowd).await;
    let first = sessions.try_recv().unwrap();
    while let Ok(other) = sessions.try_recv() {
        assert_eq!(place(&other), place(&first));
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_record_is_new_at_the_next_connect_and_shared_by_a_sweep() {
    let (server, mut sessions) = server(Duration::from_secs(5));
    let set = |json: &str| server.store.inner().0.set("ann", json, Life::Forever);
    let before = r#"{"cookie":{},"passport":{"user":42},"n":1}"#;
    let after = r#"{"cookie":{},"passport":{"user":42},"n":2}"#;
    set(before);
    let old = connected(&server, "ann").await;
    let session = sessions.try_recv().unwrap();
    assert_eq!(session.json(), before);
    set(after);
    let new = connected(&server, "ann").await;
    let newest = std::iter::from_fn(|| sessions.try_recv().ok()).last().unwrap();
    assert_eq!(newest.json(), after, "nothing stale is served");

    tokio::time::sleep(Duration::from_secs(6)).await;
    let sockets = server.live.user(42).sockets();
    let held = |socket: &SocketRef| MaybeSession::of(socket).0.unwrap();
    eventually("all have been looked at", || {
        sockets.iter().all(|socket| held(socket).json() == after)
    })
    .await;
    assert_eq!(sockets.len(), 2 * NAMESPACES.len());
    for socket in &sockets {
        assert_eq!(place(&held(socket)), place(&held(&sockets[0])));
    }
    drop((old, new));
}
