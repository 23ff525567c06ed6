//! The server that the crowds come to, and what it tells of itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use express_session::SessionId;
use express_session::cookie::Signer;
use passport_socketio::store::{Life, MemoryStore, SessionStore, StoreError, StoredSession};
use passport_socketio::{Authorizer, AuthorizerBuilder, Live};
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use tokio::time::sleep;

use crate::link::{Link, link};

const SECRET: &str = "keyboard cat";

/// A store that takes its time, and counts.
pub(crate) struct SlowStore {
    sessions: MemoryStore,
    latency: Duration,
    loads: AtomicUsize,
    in_flight: AtomicUsize,
    most: AtomicUsize,
    by_sid: Mutex<HashMap<String, usize>>,
}

impl fmt::Debug for SlowStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlowStore")
    }
}

#[async_trait]
impl SessionStore for SlowStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        if let Some(loads) = self.by_sid.lock().unwrap().get_mut(sid.as_str()) {
            *loads += 1;
        }
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(in_flight, Ordering::Relaxed);
        sleep(self.latency).await;
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.sessions.load(sid).await
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        sleep(self.latency).await;
        self.sessions.load_many(sids).await
    }
}

impl SlowStore {
    pub(crate) fn new(latency: Duration) -> Self {
        let sessions = MemoryStore::for_tests();
        let none = AtomicUsize::default;
        let by_sid = Mutex::default();
        Self { sessions, latency, loads: none(), in_flight: none(), most: none(), by_sid }
    }

    pub(crate) fn log_in(&self, sid: &str, user: usize) {
        self.put(sid, format!(r#"{{"cookie":{{}},"passport":{{"user":{user}}}}}"#));
    }

    pub(crate) fn put(&self, sid: &str, json: String) {
        self.sessions.set(sid, json, Life::Forever);
        self.by_sid.lock().unwrap().insert(sid.to_owned(), 0);
    }

    /// How often it was asked by handshakes.
    pub(crate) fn loads(&self) -> usize {
        self.loads.load(Ordering::Relaxed)
    }

    /// The same, for one session that there is.
    pub(crate) fn loads_of(&self, sid: &str) -> usize {
        self.by_sid.lock().unwrap().get(sid).copied().unwrap_or_default()
    }

    /// How often at one time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

/// `connect.sid=…` of a session.
pub(crate) fn cookie(sid: &str) -> String {
    cookie_by(SECRET, sid)
}

/// The same, signed by whoever.
pub(crate) fn cookie_by(secret: &str, sid: &str) -> String {
    Signer::new([secret]).unwrap().cookie_pair("connect.sid", sid)
}

/// A server that is up.
pub(crate) struct Server {
    pub(crate) link: Arc<Link>,
    pub(crate) live: Live<usize>,
    pub(crate) io: SocketIo,
    pub(crate) auth: Authorizer<usize>,
}

impl Server {
    pub(crate) async fn start(
        store: impl SessionStore,
        over_tcp: bool,
        connect_timeout: Duration,
        set: impl FnOnce(AuthorizerBuilder<usize>) -> AuthorizerBuilder<usize>,
    ) -> Self {
        let builder = Authorizer::builder()
            .secret(SECRET)
            .store(store)
            .deserialize_user(async |id: usize| Ok::<_, std::io::Error>(Some(id)));
        let auth = set(builder).build().unwrap();
        let builder = SocketIo::builder().max_payload(1_000_000).connect_timeout(connect_timeout);
        let builder = builder.ws_max_message_size(1_000_000).ws_max_frame_size(1_000_000);
        let (host, io) = builder.ping_interval(Duration::from_secs(600)).build_layer();
        io.ns("/", ignore.with(auth.required()));
        let app: Router = Router::new().layer(host).layer(auth.layer());
        let (doors, link) = link(over_tcp).await;
        tokio::spawn(async move { axum::serve(doors, app).await });
        Self { link: Arc::new(link), live: auth.attach(&io).unwrap(), io, auth }
    }
}

async fn ignore(_: SocketRef) {}
