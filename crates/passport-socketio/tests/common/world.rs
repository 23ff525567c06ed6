//! Users, sessions, and a store that does what the session's id says.
//!
//! | session | outcome | the client reads | guest? |
//! |---|---|---|---|
//! | `ann`, `ann-too` | user 42 | | |
//! | `bob` | user 7 | | |
//! | `unknown`, `expired`, `anonymous`, `ghost` | denied | `unauthorized` | yes |
//! | `down`, `store-panics`, `undecided`, `user-panics` | an error | `try_again` | no |
//! | `corrupt` | an error | `server_error` | no |

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use axum::Router;
use express_session::SessionId;
use express_session::cookie::Signer;
use passport_socketio::store::{Life, MemoryStore, SessionStore, StoreError, StoredSession};
use passport_socketio::{Authorizer, AuthorizerBuilder, Live};
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use testkit::{CountingStore, secrecy};

pub(crate) const SECRET: &str = "keyboard cat";

/// Sessions that may become guests, and are otherwise `unauthorized`.
pub(crate) const GUESTS: [&str; 4] = ["unknown", "expired", "anonymous", "ghost"];

/// Sessions that end in an error, and what their clients read.
pub(crate) const ERRORS: [(&str, &str); 5] = [
    ("down", "try_again"),
    ("store-panics", "try_again"),
    ("undecided", "try_again"),
    ("user-panics", "try_again"),
    ("corrupt", "server_error"),
];

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) name: &'static str,
}

/// A store that fails or panics for the sessions in the table above.
#[derive(Debug)]
pub(crate) struct Scripted(pub(crate) MemoryStore);

#[async_trait]
impl SessionStore for Scripted {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        match sid.as_str() {
            "down" => Err(StoreError::message("GET")),
            "store-panics" => panic!("the store panics"),
            _ => self.0.load(sid).await,
        }
    }
}

/// A session of this user.
pub(crate) fn user_session(id: i64) -> String {
    format!(r#"{{"cookie":{{}},"passport":{{"user":{id}}},"views":3}}"#)
}

pub(crate) type Store = Arc<CountingStore<Scripted>>;

pub(crate) fn store() -> Store {
    let store = MemoryStore::for_tests();
    for (sid, id) in [
        ("ann", 42),
        ("ann-too", 42),
        ("bob", 7),
        ("ghost", 404),
        ("undecided", 500),
        ("user-panics", 666),
    ] {
        store.set(sid, user_session(id), Life::Forever);
    }
    let past = Life::Until(UNIX_EPOCH + Duration::from_secs(1));
    store.set("expired", user_session(42), past);
    store.set("anonymous", r#"{"cookie":{},"views":1}"#, Life::Forever);
    store.set("corrupt", "{", Life::Forever);
    Arc::new(CountingStore::new(Scripted(store)))
}

pub(crate) async fn find_user(id: i64) -> Result<Option<User>, &'static str> {
    match id {
        42 => Ok(Some(User { id, name: "ann" })),
        7 => Ok(Some(User { id, name: "bob" })),
        404 => Ok(None),
        500 => Err("the database is down"),
        _ => panic!("the deserializer panics"),
    }
}

/// An authorizer over any store.
pub(crate) fn auth_over(store: impl SessionStore) -> AuthorizerBuilder<User> {
    // Whatever a test is about: none of its secrets may be logged.
    secrecy::watch_logs();
    secrecy::keep(SECRET);
    Authorizer::builder().secret(SECRET).store(store).deserialize_user(find_user)
}

/// A server with one authorizer, and whether it has its layer.
pub(crate) struct Server {
    pub(crate) app: Router,
    pub(crate) io: SocketIo,
    pub(crate) auth: Authorizer<User>,
    pub(crate) live: Live<User>,
    pub(crate) store: Store,
}

impl Server {
    pub(crate) fn new(layer: bool) -> Self {
        Self::with(layer, |builder| builder)
    }

    pub(crate) fn with(
        layer: bool,
        set: impl FnOnce(AuthorizerBuilder<User>) -> AuthorizerBuilder<User>,
    ) -> Self {
        let store = store();
        let auth = set(auth_over(store.clone())).build().unwrap();
        let (host, io) = SocketIo::new_layer();
        let mut app = Router::new().layer(host);
        if layer {
            app = app.layer(auth.layer());
        }
        Self { app, live: auth.attach(&io).unwrap(), io, auth, store }
    }

    /// Whether the authorizer holds no user, session or socket.
    pub(crate) fn holds_no_user(&self) -> bool {
        format!("{:?}", self.live).contains("Registry { users: 0, sessions: 0, sockets: 0 }")
    }

    /// Whether neither socketioxide nor the authorizer holds a socket.
    pub(crate) fn is_empty(&self) -> bool {
        let mut namespaces = self.io.nsps().into_iter();
        namespaces.all(|namespace| namespace.sockets().is_empty()) && self.holds_no_user()
    }
}

/// The cookie of a session.
pub(crate) fn cookie(sid: &str) -> String {
    let signer = Signer::new([SECRET]).unwrap();
    let pair = signer.cookie_pair("connect.sid", sid);
    secrecy::keep_cookie(&pair);
    pair
}

/// A connect handler that does nothing.
#[allow(clippy::unused_async, reason = "the host's handlers are async")]
pub(crate) async fn ignore(_: SocketRef) {}
