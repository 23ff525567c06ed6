//! The gauges of live sessions show what is there, after any churn. They add up over the authorizers of a
//! process, so this test has one of its own.
#![cfg(feature = "metrics")]

#[path = "../common/mod.rs"]
mod common;

use common::recorder::Recorded;
use common::world::{Server, ignore};
use common::{Client, eventually};
use passport_socketio::live::EndReason;
use socketioxide::handler::ConnectHandler as _;

/// Sockets, sessions, users.
fn live(told: &Recorded) -> [u64; 3] {
    ["live_sockets", "live_sessions", "live_users"].map(|gauge| told.value(gauge))
}

#[tokio::test]
async fn live_gauges_stay_exact_and_add_up_over_authorizers() {
    let recorder = Recorded::default();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let (one, two) = (Server::new(true), Server::new(false));
    for server in [&one, &two] {
        server.io.ns("/", ignore.with(server.auth.required()));
        server.io.ns("/lobby", (async || {}).with(server.auth.optional()));
    }
    let mut ann = Client::of(&one.app, "ann").await;
    ann.connect("/").await.unwrap();
    assert_eq!(live(&recorder), [1, 1, 1]);
    ann.connect("/lobby").await.unwrap();
    let mut too = Client::of(&one.app, "ann-too").await;
    too.connect("/").await.unwrap();
    assert_eq!(live(&recorder), [3, 2, 1]);
    let mut elsewhere = Client::of(&two.app, "bob").await;
    elsewhere.connect("/").await.unwrap();
    let mut guest = Client::anonymous(&one.app).await;
    guest.connect("/lobby").await.unwrap();
    assert_eq!(live(&recorder), [4, 3, 2]);

    for round in 0..50 {
        let who = ["ann", "ann-too", "bob", "ghost", "down"][round % 5];
        let mut client = Client::of(&one.app, who).await;
        let _ = client.connect("/").await;
        match round % 3 {
            0 => client.close().await,
            1 => drop(one.live.end_session(&"bob".into(), EndReason::LoggedOut)),
            _ => client.leave("/").await,
        }
        if round % 7 == 0 {
            one.live.end_session(&"ann-too".into(), EndReason::Expired);
        }
    }
    one.live.disconnect_user(7);
    one.live.disconnect_user(42);
    eventually("all have left", || one.holds_no_user()).await;
    assert_eq!(live(&recorder), [1, 1, 1], "only bob, on the second server");
    elsewhere.close().await;
    eventually("bob has left", || two.holds_no_user()).await;
    assert_eq!(live(&recorder), [0, 0, 0]);
}
