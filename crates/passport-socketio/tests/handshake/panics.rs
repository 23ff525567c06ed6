#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! A panic in the app's code refuses one connection; the server goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::world::{self, Server, User, ignore};
use crate::common::{Client, eventually};
use express_session::{CorruptRecord, RecordLimits, SessionRecord, SessionRequest};
use passport_socketio::live::EndReason;
use passport_socketio::source::{CookieFault, ExpressSource, Located, SessionSource};
use passport_socketio::{Authorizer, AuthorizerBuilder, Candidate, Failure};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use tokio::time::{Instant, sleep};

/// How long a live session stays after a failed refresh. Shorter than the 10 s that a client of these
/// tests waits for an event.
const GRACE: Duration = Duration::from_secs(4);

/// Asserts that `culprit` is refused with `message` in every namespace, and that other users are admitted.
async fn refuses_only(
    culprit: &str,
    message: &str,
    set: impl Fn(AuthorizerBuilder<User>) -> AuthorizerBuilder<User>,
) {
    for layer in [false, true] {
        let server = Server::with(layer, &set);
        server.io.ns("/", ignore.with(server.auth.required()));
        server.io.ns("/lobby", ignore.with(server.auth.optional()));
        for _ in 0..2 {
            let mut unlucky = Client::of(&server.app, culprit).await;
            for ns in ["/", "/lobby"] {
                assert_eq!(unlucky.connect(ns).await, Err(message.into()), "{ns}");
            }
            let mut bob = Client::of(&server.app, "bob").await;
            bob.connect("/").await.unwrap();
            bob.connect("/lobby").await.unwrap();
            assert_eq!(server.live.online(), [7.into()]);
            bob.close().await;
            eventually("bob is gone", || server.is_empty()).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_store_refuses_only_its_own_connection() {
    refuses_only("store-panics", "try_again", |builder| builder).await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_deserializer_refuses_only_its_own_connection() {
    refuses_only("user-panics", "try_again", |builder| builder).await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_user_id_refuses_only_its_own_connection() {
    refuses_only("ann", "try_again", |builder| {
        builder.user_id(|user: &User| {
            assert_ne!(user.name, "ann", "user_id panics");
            user.id
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_success_hook_refuses_only_its_own_connection() {
    refuses_only("ann", "try_again", |builder| {
        builder.success(async |candidate: Candidate<User>| {
            assert_ne!(candidate.user().name, "ann", "success panics");
            Ok(())
        })
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_fail_hook_refuses_only_its_own_connection() {
    let asked = Arc::new(AtomicBool::new(false));
    let noted = asked.clone();
    let hook = move |_: &Failure| {
        noted.store(true, Ordering::SeqCst);
        panic!("fail panics")
    };
    refuses_only("down", "try_again", |builder| builder.fail(hook.clone())).await;
    assert!(asked.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_panicking_fail_hook_does_not_change_the_refusal_of_an_origin() {
    let server = Server::with(true, |builder| builder.fail(|_| panic!("fail panics")));
    let foreign = [("origin", "https://evil.example".to_owned())];
    let (status, body) = Client::open(&server.app, foreign).await.err().unwrap();
    assert_eq!((status.as_u16(), body.as_str()), (403, r#"{"code":"forbidden"}"#));
}

/// A source of the app's own that panics where the test says.
#[derive(Debug)]
struct PanickingSource {
    inner: ExpressSource,
    at: &'static str,
}

impl SessionSource for PanickingSource {
    fn locate(&self, request: &SessionRequest<'_>) -> Result<Located, CookieFault> {
        let located = self.inner.locate(request)?;
        let is_ann = matches!(&located, Located::Stored(sid) if sid.as_str() == "ann");
        assert!(!is_ann || self.at != "locate", "the source panics");
        Ok(located)
    }

    fn read(
        &self,
        payload: &[u8],
        limits: &RecordLimits,
    ) -> Result<Option<SessionRecord>, CorruptRecord> {
        let is_ann = payload == world::user_session(42).as_bytes();
        assert!(!is_ann || self.at != "read", "the source panics");
        self.inner.read(payload, limits)
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_session_source_refuses_only_its_own_connection() {
    for at in ["locate", "read"] {
        let store = world::store();
        let inner = ExpressSource::new("connect.sid", [world::SECRET]).unwrap();
        let auth = Authorizer::builder()
            .source(PanickingSource { inner, at })
            .store(store)
            .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)))
            .build()
            .unwrap();
        let (host, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        io.ns("/lobby", ignore.with(auth.optional()));
        let app = axum::Router::new().layer(host).layer(auth.layer());
        let mut unlucky = Client::of(&app, "ann").await;
        for ns in ["/", "/lobby"] {
            assert_eq!(unlucky.connect(ns).await, Err("try_again".into()), "{at} {ns}");
        }
        Client::of(&app, "bob").await.connect("/").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_deserializer_that_never_ends_times_out_and_delays_no_other_user() {
    for layer in [false, true] {
        let server = Server::with(layer, |builder| {
            // Shorter than the 10 s that a client of these tests waits for an answer.
            let builder = builder.deserializer_timeout(Duration::from_secs(3));
            builder.deserialize_user(async |id: i64| {
                if id == 42 {
                    std::future::pending::<()>().await;
                }
                Ok::<_, std::io::Error>(Some(User { id, name: "bob" }))
            })
        });
        server.io.ns("/", ignore.with(server.auth.required()));
        server.io.ns("/lobby", ignore.with(server.auth.optional()));
        for ns in ["/", "/lobby"] {
            let start = Instant::now();
            let stuck = async {
                let mut ann = Client::of(&server.app, "ann").await;
                (ann.connect(ns).await, start.elapsed())
            };
            let others = async {
                for _ in 0..9 {
                    let mut bob = Client::of(&server.app, "bob").await;
                    bob.connect(ns).await.unwrap();
                    bob.close().await;
                }
                start.elapsed()
            };
            let ((outcome, after), others) = tokio::join!(stuck, others);
            assert_eq!(outcome, Err("try_again".into()), "{ns}");
            assert_eq!((after.as_secs(), others), (3, Duration::ZERO));
        }
        eventually("nobody is left", || server.is_empty()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_whose_connect_handler_panicked_still_ends_with_its_login() {
    let server = Server::new(true);
    let panics = async || panic!("the connect handler panics");
    server.io.ns("/", panics.with(server.auth.required()));
    server.io.ns("/lobby", ignore.with(server.auth.optional()));
    let mut unlucky = Client::of(&server.app, "ann").await;
    unlucky.connect("/").await.unwrap();
    let mut bob = Client::of(&server.app, "bob").await;
    bob.connect("/lobby").await.unwrap();
    assert_eq!(server.live.end_session(&"ann".into(), EndReason::LoggedOut), 1);
    assert_eq!(unlucky.event("/").await[0], "session_ended");
    bob.close().await;
    unlucky.close().await;
    eventually("nobody is left", || server.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_panicking_on_session_end_does_not_keep_a_socket_from_ending() {
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    let server = Server::with(true, |builder| {
        builder.on_session_end(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            panic!("on_session_end panics")
        })
    });
    server.io.ns("/", ignore.with(server.auth.required()));
    server.io.ns("/lobby", ignore.with(server.auth.optional()));
    let mut ann = Client::of(&server.app, "ann").await;
    ann.connect("/").await.unwrap();
    ann.connect("/lobby").await.unwrap();
    assert_eq!(server.live.end_session(&"ann".into(), EndReason::LoggedOut), 2);
    let mut packets = std::collections::HashSet::new();
    while packets.len() < 4 {
        packets.insert(ann.receive().await);
    }
    assert!(packets.contains("1") && packets.contains("1/lobby,"), "{packets:?}");
    assert_eq!(told.load(Ordering::SeqCst), 2);
}

/// A hook that gives no answer has not rejected: its sockets stay for the grace, and no longer.
#[tokio::test(start_paused = true)]
async fn a_panicking_hook_in_a_refresh_ends_its_socket_after_the_grace() {
    let panics = Arc::new(AtomicBool::new(false));
    let when = panics.clone();
    let server = Server::with(true, |builder| {
        builder.outage_grace(GRACE).success(async move |_: Candidate<User>| {
            assert!(!when.load(Ordering::SeqCst), "success panics");
            Ok(())
        })
    });
    server.io.ns("/", ignore.with(server.auth.required()));
    let mut ann = Client::of(&server.app, "ann").await;
    ann.connect("/").await.unwrap();
    panics.store(true, Ordering::SeqCst);
    let asked = Instant::now();
    let error = server.live.refresh_user(42).await.unwrap_err();
    assert_eq!(error.code(), "success_panicked");
    assert_eq!(server.live.user(42).sockets().len(), 1);
    // Asked again, and still no answer: the time of the first goes on.
    sleep(GRACE / 2).await;
    server.live.refresh_user(42).await.unwrap_err();
    assert_eq!(server.live.user(42).sockets().len(), 1);
    let ended = ann.event("/").await;
    assert_eq!(ended, json!(["session_ended", {"code": "could_not_tell", "reconnect": true}]));
    assert_eq!(asked.elapsed().as_secs(), GRACE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_successful_refresh_cancels_the_grace_of_a_failed_one() {
    type Set = fn(AuthorizerBuilder<User>, Arc<AtomicBool>) -> AuthorizerBuilder<User>;
    let ways: [(&str, Set); 3] = [
        ("success_panicked", |builder, panics| {
            builder.success(async move |_: Candidate<User>| {
                assert!(!panics.load(Ordering::SeqCst), "success panics");
                Ok(())
            })
        }),
        ("user_id_panicked", |builder, panics| {
            builder.user_id(move |user: &User| {
                assert!(!panics.load(Ordering::SeqCst), "user_id panics");
                user.id
            })
        }),
        ("deserializer_panicked", |builder, panics| {
            builder.deserialize_user(async move |id: i64| {
                assert!(!panics.load(Ordering::SeqCst), "the deserializer panics");
                world::find_user(id).await
            })
        }),
    ];
    for (code, set) in ways {
        let panics = Arc::new(AtomicBool::new(false));
        let server = Server::with(true, |builder| set(builder.outage_grace(GRACE), panics.clone()));
        server.io.ns("/", ignore.with(server.auth.required()));
        let mut ann = Client::of(&server.app, "ann").await;
        ann.connect("/").await.unwrap();
        panics.store(true, Ordering::SeqCst);
        assert_eq!(server.live.refresh_user(42).await.unwrap_err().code(), code);
        panics.store(false, Ordering::SeqCst);
        assert_eq!(server.live.refresh_user(42).await.unwrap().kept.len(), 1);
        sleep(3 * GRACE).await;
        assert_eq!(server.live.user(42).sockets().len(), 1, "{code}");
    }
}
