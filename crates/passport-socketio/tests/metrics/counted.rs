//! What is counted and measured.
#![cfg(feature = "metrics")]
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::common::world::{Server, ignore};
use crate::common::{Client, soon};
use async_trait::async_trait;
use express_session::watch::{Change, Changes, SessionWatch, WatchError};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use passport_socketio::store::{DestroySession as _, StoreError};
use socketioxide::handler::ConnectHandler as _;
use tokio::sync::Notify;

/// `name{label=value}` → what it is. A snapshot takes what was counted with it.
fn snapshot(metrics: &Snapshotter) -> BTreeMap<String, DebugValue> {
    let all = metrics.snapshot().into_vec();
    let entries = all.into_iter().map(|(key, _, about, value)| {
        assert!(about.is_some(), "{key:?} is described");
        let labels: Vec<_> =
            key.key().labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
        let name = key.key().name().strip_prefix("passport_socketio_").unwrap();
        (format!("{name}{{{}}}", labels.join(",")), value)
    });
    entries.collect()
}

fn samples(all: &BTreeMap<String, DebugValue>, name: &str) -> Vec<f64> {
    match all.get(name) {
        Some(DebugValue::Histogram(values)) => {
            values.iter().map(|value| value.into_inner()).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn decisions_are_counted_by_place_outcome_and_code() {
    crate::alone(true, async {
        let recorder = DebuggingRecorder::new();
        let metrics = recorder.snapshotter();
        let _installed = metrics::set_default_local_recorder(&recorder);
        let server = Server::new(true);
        server.io.ns("/", ignore.with(server.auth.required()));
        server.io.ns("/lobby", (async || {}).with(server.auth.optional()));
        for who in ["ann", "bob", "ghost", "down", "corrupt", "undecided"] {
            let mut client = Client::of(&server.app, who).await;
            let _ = client.connect("/").await;
        }
        Client::anonymous(&server.app).await.connect("/lobby").await.unwrap();
        let foreign = [("origin", "https://evil.example.com".to_owned())];
        assert!(Client::open(&server.app, foreign).await.is_err());

        let all = snapshot(&metrics);
        let decisions: Vec<_> = all
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("decisions_total")?, value)))
            .collect();
        assert_eq!(
            decisions,
            [
                ("{place=layer,outcome=denied,code=origin_not_allowed}", &DebugValue::Counter(1)),
                ("{place=namespace,outcome=denied,code=user_not_found}", &DebugValue::Counter(1)),
                ("{place=namespace,outcome=error,code=corrupt_session}", &DebugValue::Counter(1)),
                (
                    "{place=namespace,outcome=error,code=deserializer_failed}",
                    &DebugValue::Counter(1)
                ),
                ("{place=namespace,outcome=error,code=store_unavailable}", &DebugValue::Counter(1)),
                ("{place=namespace,outcome=granted,code=granted}", &DebugValue::Counter(2)),
                ("{place=namespace,outcome=guest,code=no_session_cookie}", &DebugValue::Counter(1)),
            ]
        );
        assert_eq!(samples(&all, "store_seconds{operation=load,outcome=ok}").len(), 5);
        assert_eq!(
            samples(&all, "store_seconds{operation=load,outcome=store_unavailable}").len(),
            1
        );
        assert_eq!(samples(&all, "deserializer_seconds{outcome=ok}").len(), 3);
        assert_eq!(samples(&all, "deserializer_seconds{outcome=deserializer_failed}").len(), 1);
    });
}

/// A feed that reports what the test says.
#[derive(Debug, Default)]
struct Feed {
    say: std::sync::Mutex<Option<Changes>>,
    listening: Notify,
    lose: Notify,
}

#[async_trait]
impl SessionWatch for Feed {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        *self.say.lock().unwrap() = Some(changes.clone());
        changes.report(Change::Unknown);
        self.listening.notify_one();
        self.lose.notified().await;
        Err(WatchError::Lost(StoreError::message("it was told to")))
    }
}

#[derive(Debug, Clone)]
struct Shared(Arc<Feed>);

#[async_trait]
impl SessionWatch for Shared {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        self.0.watch(changes).await
    }
}

#[test]
fn the_revocation_delay_counts_from_the_report_of_the_feed() {
    crate::alone(true, async {
        let recorder = DebuggingRecorder::new();
        let metrics = recorder.snapshotter();
        let _installed = metrics::set_default_local_recorder(&recorder);
        let feed = Shared(Arc::default());
        let server = Server::with(false, |builder| {
            builder.watch(feed.clone()).max_stale(Duration::from_secs(30))
        });
        server.io.ns("/", ignore.with(server.auth.required()));
        let mut ann = Client::of(&server.app, "ann").await;
        ann.connect("/").await.unwrap();
        soon(feed.0.listening.notified()).await;
        assert_eq!(snapshot(&metrics)["feeds_listening{}"], DebugValue::Gauge(1.0.into()));

        server.store.inner().0.destroy(&"ann".into()).await.unwrap();
        let say = feed.0.say.lock().unwrap().clone().unwrap();
        say.report(Change::Session("ann".into()));
        assert_eq!(ann.event("/").await[0], "session_ended");
        let all = snapshot(&metrics);
        let delays = samples(&all, "revocation_delay_seconds{found_by=feed}");
        assert_eq!(delays.len(), 1);
        // Time is paused, so the promise is exact but for tokio's steps of a millisecond.
        assert!(delays[0] <= 0.120, "debounced for 100 ms, gathered for 5: {delays:?}");
        assert_eq!(all["ended_total{code=logged_out,reconnect=false}"], DebugValue::Counter(1));

        feed.0.lose.notify_one();
        soon(feed.0.listening.notified()).await;
        let all = snapshot(&metrics);
        assert_eq!(all["feeds_lost_total{}"], DebugValue::Counter(1));
        assert_eq!(all["feeds_listening{}"], DebugValue::Gauge(1.0.into()));
        // The server holds the feed, and the feed what it reports to.
        *feed.0.say.lock().unwrap() = None;
    });
}

/// A store that tells of changes for a moment, and then does not permit it.
#[derive(Debug)]
struct Refusing(Arc<Notify>);

#[async_trait]
impl SessionWatch for Refusing {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        changes.report(Change::Unknown);
        self.0.notify_one();
        Err(WatchError::Refused(StoreError::message("its tracking table is full")))
    }
}

#[test]
fn each_refusal_of_a_feed_by_its_store_is_counted() {
    crate::alone(true, async {
        let recorder = DebuggingRecorder::new();
        let metrics = recorder.snapshotter();
        let _installed = metrics::set_default_local_recorder(&recorder);
        let asked = Arc::new(Notify::new());
        let server = Server::with(false, |builder| builder.watch(Refusing(asked.clone())));
        server.io.ns("/", ignore.with(server.auth.required()));
        let mut ann = Client::of(&server.app, "ann").await;
        ann.connect("/").await.unwrap();
        asked.notified().await;
        // Time is paused: this lets the task go on that counts the refusal.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let all = snapshot(&metrics);
        assert_eq!(all["feeds_refused_total{}"], DebugValue::Counter(1));
        assert_eq!(all["feeds_listening{}"], DebugValue::Gauge(0.0.into()));
        // It is asked again after five minutes.
        asked.notified().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(snapshot(&metrics)["feeds_refused_total{}"], DebugValue::Counter(1));
    });
}
