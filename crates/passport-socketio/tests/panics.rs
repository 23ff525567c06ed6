#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]
//! A panic in the app's code refuses one connection; the server goes on.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::world::{Server, User, ignore};
use common::{Client, eventually};
use passport_socketio::{AuthorizerBuilder, Candidate, Failure};
use socketioxide::handler::ConnectHandler as _;

/// `culprit` is refused with `message`, whatever the namespace, and everybody else is served.
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

#[tokio::test]
async fn a_panicking_store() {
    refuses_only("store-panics", "try_again", |builder| builder).await;
}

#[tokio::test]
async fn a_panicking_deserializer() {
    refuses_only("user-panics", "try_again", |builder| builder).await;
}

#[tokio::test]
async fn a_panicking_user_id() {
    refuses_only("ann", "try_again", |builder| {
        builder.user_id(|user: &User| {
            assert_ne!(user.name, "ann", "user_id panics");
            user.id
        })
    })
    .await;
}

#[tokio::test]
async fn a_panicking_success_hook() {
    refuses_only("ann", "rejected", |builder| {
        builder.success(async |candidate: Candidate<User>| {
            assert_ne!(candidate.user().name, "ann", "success panics");
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn a_panicking_fail_hook() {
    let asked = Arc::new(AtomicBool::new(false));
    let noted = asked.clone();
    let hook = move |_: &Failure| {
        noted.store(true, Ordering::SeqCst);
        panic!("fail panics")
    };
    refuses_only("down", "try_again", |builder| builder.fail(hook.clone())).await;
    assert!(asked.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_panicking_fail_hook_behind_the_layer_leaves_the_refusal_of_an_origin_as_it_is() {
    let server = Server::with(true, |builder| builder.fail(|_| panic!("fail panics")));
    let foreign = [("origin", "https://evil.example".to_owned())];
    let (status, body) = Client::open(&server.app, foreign).await.err().unwrap();
    assert_eq!((status.as_u16(), body.as_str()), (403, r#"{"code":"forbidden"}"#));
}
