//! Under constant change the registry holds exactly the connected sockets.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests assert, too")]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::world::{SECRET, ignore};
use crate::common::{Client, eventually};
use axum::Router;
use express_session::SessionId;
use express_session::cookie::Signer;
use passport_socketio::live::EndReason;
use passport_socketio::store::{DestroySession as _, Life, MemoryStore};
use passport_socketio::{Auth, Authorizer, Live};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use socketioxide::handler::ConnectHandler as _;
use tokio::task::JoinSet;

const VISITORS: usize = 40;
const CYCLES: usize = 100;
const USERS: usize = 13;

/// How a visitor's cycle ends.
#[derive(Clone, Copy)]
enum Ending {
    /// The client closes its connection.
    Close,
    /// It leaves one namespace, and then the connection is closed.
    LeaveAndClose,
    /// The app destroys the session and says so, as its own logout.
    EndSession,
    /// The app destroys the session, and a feed reports a change.
    Reported,
    /// An operator ends the session for good.
    Revoke,
    /// The session ends while its client is connecting.
    Race,
}

const ENDINGS: [Ending; 6] = [
    Ending::Close,
    Ending::LeaveAndClose,
    Ending::EndSession,
    Ending::Reported,
    Ending::Revoke,
    Ending::Race,
];

struct Server {
    app: Router,
    io: SocketIo,
    live: Live<usize>,
    store: Arc<MemoryStore>,
    logins: AtomicUsize,
}

impl Server {
    fn new() -> Arc<Self> {
        let store = Arc::new(MemoryStore::for_tests());
        let auth = Authorizer::builder()
            .secret(SECRET)
            .store(store.clone())
            .deserialize_user(async |id: usize| Ok::<_, std::io::Error>(Some(id)))
            .build()
            .unwrap();
        let (host, io) = SocketIo::new_layer();
        io.ns("/", send_user.with(auth.required()));
        io.ns("/lobby", ignore.with(auth.optional()));
        let app = Router::new().layer(host).layer(auth.layer());
        Arc::new(Self {
            app,
            live: auth.attach(&io).unwrap(),
            io,
            store,
            logins: AtomicUsize::new(0),
        })
    }

    fn log_in(&self, user: usize) -> SessionId {
        let sid = format!("session-{}", self.logins.fetch_add(1, Ordering::Relaxed));
        let record = json!({"cookie": {}, "passport": {"user": user}});
        self.store.set(sid.as_str(), record.to_string(), Life::Forever);
        SessionId::new(sid)
    }

    async fn open(&self, sid: &SessionId) -> Client {
        let cookie = Signer::new([SECRET]).unwrap().cookie_pair("connect.sid", sid.as_str());
        Client::open(&self.app, [("cookie", cookie)]).await.unwrap()
    }

    async fn cycle(&self, user: usize, ending: Ending) {
        let sid = self.log_in(user);
        let mut client = self.open(&sid).await;
        if let Ending::Race = ending {
            let ((), outcome) = tokio::join!(self.log_out(&sid), client.connect("/"));
            // An admitted client reads the end; a refused one has read the refusal.
            if outcome.is_ok() && client.event("/").await == json!(["you", user]) {
                assert_eq!(client.event("/").await[0], "session_ended");
            }
            return client.close().await;
        }
        client.connect("/").await.unwrap();
        assert_eq!(client.event("/").await, json!(["you", user]), "an identity mixed up");
        client.connect("/lobby").await.unwrap();
        match ending {
            Ending::Close | Ending::Race => {}
            Ending::LeaveAndClose => client.leave("/").await,
            Ending::EndSession => self.log_out(&sid).await,
            Ending::Reported => {
                assert!(self.store.destroy(&sid).await.unwrap());
                self.live.session_changed(&sid);
            }
            Ending::Revoke => assert_eq!(self.live.revoke_session(&sid).await.sockets, 2),
        }
        if let Ending::EndSession | Ending::Reported | Ending::Revoke = ending {
            let mut packets = HashSet::new();
            while packets.len() < 4 {
                packets.insert(client.receive().await);
            }
            assert!(packets.contains("1") && packets.contains("1/lobby,"), "{packets:?}");
        }
        client.close().await;
    }

    async fn log_out(&self, sid: &SessionId) {
        assert!(self.store.destroy(sid).await.unwrap());
        self.live.end_session(sid, EndReason::LoggedOut);
    }

    fn is_empty(&self) -> bool {
        let empty = "Registry { users: 0, sessions: 0, sockets: 0 }";
        self.io.nsps().into_iter().all(|namespace| namespace.sockets().is_empty())
            && format!("{:?}", self.live).contains(empty)
    }
}

async fn send_user(socket: SocketRef, user: Auth<usize>) {
    socket.emit("you", &*user).ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_visits_never_mix_up_users_and_leave_an_empty_registry() {
    let server = Server::new();
    let mut visitors = JoinSet::new();
    for visitor in 0..VISITORS {
        let server = server.clone();
        visitors.spawn(async move {
            for cycle in 0..CYCLES {
                let ending = ENDINGS.into_iter().cycle().nth(visitor + cycle);
                let ending = ending.unwrap_or_else(|| panic!("the list repeats"));
                server.cycle((visitor * CYCLES + cycle) % USERS, ending).await;
            }
        });
    }
    while let Some(visited) = visitors.join_next().await {
        visited.unwrap();
    }
    eventually("everybody is forgotten", || server.is_empty()).await;
    assert!(server.live.online().is_empty());
}
