//! The gauges of live sessions are what is so, after any churn. One test: they are of the whole process.
#![cfg(feature = "metrics")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests assert, too")]

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::world::{Server, ignore};
use common::{Client, eventually};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use passport_socketio::live::EndReason;
use socketioxide::handler::ConnectHandler as _;

/// Gauges as any exporter keeps them: the last that was said stands.
#[derive(Default)]
struct Gauges(Mutex<HashMap<String, Arc<AtomicU64>>>);

impl Recorder for Gauges {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let mut gauges = self.0.lock().unwrap();
        Gauge::from_arc(gauges.entry(key.name().to_owned()).or_default().clone())
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Sockets, sessions, users.
fn live(gauges: &Gauges) -> [String; 3] {
    let gauges = gauges.0.lock().unwrap();
    ["sockets", "sessions", "users"].map(|what| {
        let gauge = &gauges[&format!("passport_socketio_live_{what}")];
        f64::from_bits(gauge.load(Ordering::SeqCst)).to_string()
    })
}

#[tokio::test]
async fn gauges_are_right_after_any_churn_and_add_up_over_authorizers() {
    let recorder = Gauges::default();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let (one, two) = (Server::new(true), Server::new(false));
    for server in [&one, &two] {
        server.io.ns("/", ignore.with(server.auth.required()));
        server.io.ns("/lobby", (async || {}).with(server.auth.optional()));
    }
    let mut ann = Client::of(&one.app, "ann").await;
    ann.connect("/").await.unwrap();
    assert_eq!(live(&recorder), ["1", "1", "1"]);
    ann.connect("/lobby").await.unwrap();
    let mut too = Client::of(&one.app, "ann-too").await;
    too.connect("/").await.unwrap();
    assert_eq!(live(&recorder), ["3", "2", "1"]);
    let mut elsewhere = Client::of(&two.app, "bob").await;
    elsewhere.connect("/").await.unwrap();
    let mut guest = Client::anonymous(&one.app).await;
    guest.connect("/lobby").await.unwrap();
    assert_eq!(live(&recorder), ["4", "3", "2"]);

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
    eventually("all have left", || one.forgot_everybody()).await;
    assert_eq!(live(&recorder), ["1", "1", "1"], "bob, on the other");
    elsewhere.close().await;
    eventually("he has left, too", || two.forgot_everybody()).await;
    assert_eq!(live(&recorder), ["0", "0", "0"]);
}
