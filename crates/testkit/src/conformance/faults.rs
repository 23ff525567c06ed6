//! A backend that is stopped, hangs, is slow or sends garbage: each is an error, none a missing
//! session, and the store works again afterwards.

use std::error::Error as _;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use express_session::SessionId;
use express_session::store::{SessionStore, StoreError};
use tokio::time::{Instant, sleep, timeout};

use super::{HOUR, J, now};
use crate::{Fault, FaultProxy, ServerProcess};

/// Every call of a store ends by itself within this time, even if its backend never answers.
const GIVES_UP: Duration = Duration::from_secs(15);
/// A store works again within this time after its backend is back.
const COMES_BACK: Duration = Duration::from_secs(10);

/// A store whose backend is a server, reached over a network.
#[async_trait]
pub trait FaultySubject: fmt::Debug + Sync {
    /// The store's type.
    type Store: SessionStore;

    /// The real server.
    fn server(&self) -> &ServerProcess;

    /// Connects a store to the server by way of this address. `password`: instead of the right
    /// one, if the server has passwords at all.
    async fn connect(
        &self,
        by: SocketAddr,
        password: Option<&str>,
    ) -> Result<Self::Store, StoreError>;

    /// Puts a session into the backend, not through the store, after what it needs before that: a
    /// server that was started again may be empty.
    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime);

    /// Whether the server asks for a password.
    fn has_passwords(&self) -> bool {
        true
    }

    /// Whether the protocol can detect an answer of garbage.
    fn detects_garbage(&self) -> bool {
        true
    }
}

/// Runs the suite.
///
/// # Panics
/// At the first requirement that the store does not meet.
pub async fn run_faults(subject: &impl FaultySubject) {
    let server = SocketAddr::from(([127, 0, 0, 1], subject.server().port()));
    let proxy = FaultProxy::to(server).await;
    let store = subject.connect(proxy.addr(), None).await.expect("the server is there");
    subject.put("sid-of-faults", J.as_bytes(), now() + HOUR).await;
    finds(&store).await;

    proxy.set(Fault::Slow(Duration::from_millis(300)));
    assert!(load(&store).await.expect("slow is not gone"));

    for fault in [Fault::Cut, Fault::Silent, Fault::Garbage] {
        if fault == Fault::Garbage && !subject.detects_garbage() {
            continue;
        }
        proxy.set(fault);
        fails(&store, &format!("{fault:?}")).await;
        proxy.set(Fault::None);
        finds(&store).await;
    }

    subject.server().stop().await;
    // Its connections may be processes of their own, which live for a moment longer.
    let stopped = Instant::now();
    while load(&store).await.is_ok() {
        assert!(stopped.elapsed() < COMES_BACK, "a stopped server goes on answering");
        sleep(Duration::from_millis(20)).await;
    }
    fails(&store, "stopped").await;
    subject.server().restart().await;
    subject.put("sid-of-faults", J.as_bytes(), now() + HOUR).await;
    finds(&store).await;

    a_wrong_password_is_reported_at_once_and_never_shown(subject, proxy.addr()).await;
    drop(proxy);
    fails(&store, "away").await;
}

async fn load(store: &impl SessionStore) -> Result<bool, StoreError> {
    let sid = SessionId::new("sid-of-faults");
    let loading = timeout(GIVES_UP, store.load(&sid));
    Ok(loading.await.expect("a load ends by itself")?.is_some())
}

/// The session is found, within the time that a store may take to come back.
async fn finds(store: &impl SessionStore) {
    let since = Instant::now();
    loop {
        match load(store).await {
            Ok(true) => return,
            Ok(false) => panic!("a session is never missing because of a fault"),
            Err(error) => assert!(since.elapsed() < COMES_BACK, "{error}: {:?}", error.source()),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

async fn fails(store: &impl SessionStore, how: &str) {
    let error = load(store).await.expect_err(how);
    assert!(error.source().is_some(), "{how}: says why");
    assert!(!all_text(&error).contains("sid-of-faults"), "{how}: no session id is shown");
    let many = ["sid-of-faults".into(), "none".into()];
    let loading = timeout(GIVES_UP, store.load_many(&many));
    assert!(loading.await.expect("a load ends by itself").is_err(), "{how}: for many, too");
}

async fn a_wrong_password_is_reported_at_once_and_never_shown(
    subject: &impl FaultySubject,
    by: SocketAddr,
) {
    if !subject.has_passwords() {
        return;
    }
    let connecting = timeout(GIVES_UP, subject.connect(by, Some("hunter2-is-wrong")));
    let refused = connecting.await.expect("connecting ends by itself");
    let error = refused.expect_err("a wrong password is refused when connecting");
    assert!(!all_text(&error).contains("hunter2"), "no password is shown");
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nowhere = unused.local_addr().expect("its address");
    drop(unused);
    let connecting = timeout(GIVES_UP, subject.connect(nowhere, Some("hunter2-is-wrong")));
    let error =
        connecting.await.expect("connecting ends by itself").expect_err("nothing listens there");
    assert!(!all_text(&error).contains("hunter2"), "no password is shown");
}

/// Everything that a log could show of it.
fn all_text(error: &StoreError) -> String {
    let mut all_text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        let _ = write!(all_text, " {error} {error:?}");
        source = error.source();
    }
    all_text
}
