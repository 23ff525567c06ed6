//! A server that uses every setting, and writes down the `Debug` output of all values it handles.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use passport_socketio::live::{Ended, OverLimit};
use passport_socketio::store::redis::RedisStore;
use passport_socketio::{
    Auth, Authorizer, Candidate, Failure, Live, MaybeAuth, MaybeSession, Reject, Session,
};
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;

use crate::common::Client;
use crate::fixture::{Fixture, NAME, NODES_SECRET, OLD_SECRET, SECRET, cookie};

/// All that the scenario's parts have written, apart from logs.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<String>>);

impl Written {
    pub(crate) fn add(&self, shown: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{shown:?} {shown:#?}").unwrap();
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Debug)]
pub(crate) struct User {
    #[expect(dead_code, reason = "read only by Debug")]
    name: &'static str,
    disabled: bool,
}

#[derive(Debug)]

pub(crate) struct DatabaseIsDown;

impl std::error::Error for DatabaseIsDown {}

impl std::fmt::Display for DatabaseIsDown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the database\nis down: code=\"granted\"")
    }
}

pub(crate) struct Node {
    pub(crate) app: Router,
    pub(crate) auth: Authorizer<User>,
    pub(crate) live: Live<User>,
}

pub(crate) async fn node(fixture: &Fixture, written: &Written) -> Node {
    let (audited, told) = (written.clone(), written.clone());
    let store = RedisStore::connect(&fixture.url).await.unwrap();
    written.add(&store);
    let builder = Authorizer::builder()
        .secrets([SECRET, OLD_SECRET])
        .cluster_name("secrecy")
        .cluster_secret(NODES_SECRET)
        .store(store)
        .origin("https://friend.example.com")
        .insecure_session_id_query()
        .max_stale(Duration::from_secs(2))
        .outage_grace(Duration::from_secs(1))
        // How long the hanging store and deserializer of the scenario are waited for. The others answer
        // within milliseconds.
        .store_timeout(Duration::from_millis(800))
        .deserializer_timeout(Duration::from_millis(500))
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
        .fail(Failure::refuse)
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
    let live = auth.attach(&io).unwrap();
    Node { app, auth, live }
}

impl Node {
    pub(crate) async fn connected(&self, name: &str) -> Client {
        let mut client = Client::open(&self.app, [cookie(name)]).await.unwrap();
        client.connect("/").await.unwrap();
        client
    }

    pub(crate) async fn refused(
        &self,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) -> String {
        let mut client = Client::open(&self.app, headers).await.unwrap();
        client.connect("/").await.unwrap_err()
    }
}
