//! Metrics of a Redis that goes away and comes back: as a store, and among nodes.
#![cfg(all(feature = "metrics", feature = "redis"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::common::recorder::Recorded;
use crate::common::world::{User, auth_over, ignore, user_session};
use crate::common::{Client, soon};
use axum::Router;
use passport_socketio::cluster::Cluster;
use passport_socketio::store::redis::RedisStore;
use passport_socketio::store::{Life, MemoryStore};
use redis::AsyncTypedCommands as _;
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use testkit::{Fault, FaultProxy, RedisServer};
use tokio::time::Instant;

async fn proxy_to(server: &RedisServer) -> FaultProxy {
    FaultProxy::to(SocketAddr::from(([127, 0, 0, 1], server.process().port()))).await
}

/// A connection that no proxy cuts.
async fn connection_to(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

#[test]
fn a_cut_store_is_reported_away_and_its_feed_lost_until_they_return() {
    crate::alone(false, async {
        let Some(server) = RedisServer::start().await else {
            return;
        };
        let told = Recorded::default();
        let _installed = metrics::set_default_local_recorder(&told);
        let mut direct = connection_to(&server).await;
        direct.set_ex("sess:ann", user_session(42), 3600).await.unwrap();
        let proxy = proxy_to(&server).await;
        let store = RedisStore::connect(&format!("redis://{}/", proxy.addr())).await.unwrap();
        let builder = auth_over(store).max_stale(Duration::from_secs(3));
        let auth = builder.store_timeout(Duration::from_secs(1)).build().unwrap();
        let (host, io) = SocketIo::new_layer();
        io.ns("/", ignore.with(auth.required()));
        let app = Router::new().layer(host).layer(auth.layer());
        let live = auth.attach(&io).unwrap();
        let mut ann = Client::of(&app, "ann").await;
        ann.connect("/").await.unwrap();
        told.until("feeds_listening", |feeds| feeds == 1).await;
        assert_eq!(told.value("stores_away"), 0);
        assert_eq!(told.value("feeds_lost_total"), 0);

        let cut = Instant::now();
        proxy.set(Fault::Cut);
        told.until("feeds_lost_total", |lost| lost >= 1).await;
        told.until("feeds_listening", |feeds| feeds == 0).await;
        told.until("stores_away", |stores| stores == 1).await;
        let seconds = told.until("store_away_seconds_total", |seconds| seconds >= 1).await;
        told.until("store_away_seconds_total", |more| more > seconds).await;
        assert_eq!(told.value("stores_away"), 1);

        proxy.set(Fault::None);
        told.until("stores_away", |stores| stores == 0).await;
        let seconds = Duration::from_secs(told.value("store_away_seconds_total"));
        assert!(seconds <= cut.elapsed(), "{seconds:?} of {:?}", cut.elapsed());
        told.until("feeds_listening", |feeds| feeds == 1).await;
        // Her socket is still connected, and her logout is found.
        assert_eq!(live.user(42).sockets().len(), 1);
        direct.del("sess:ann").await.unwrap();
        let ended = json!(["session_ended", {"code": "logged_out", "reconnect": false}]);
        assert_eq!(ann.event("/").await, ended);

        ann.close().await;
        let lost = told.value("feeds_lost_total");
        drop((app, io, live, auth));
        told.until("feeds_listening", |feeds| feeds == 0).await;
        assert_eq!(told.value("feeds_lost_total"), lost, "a feed that is closed is not lost");
    });
}

/// A node without clients.
async fn node(url: &str) -> Cluster<User> {
    let sessions = MemoryStore::for_tests();
    sessions.set("ann", user_session(42), Life::Forever);
    let auth = auth_over(Arc::new(sessions)).cluster_name("test").cluster_secret("of the nodes");
    let auth = auth.build().unwrap();
    let (_, io) = SocketIo::new_layer();
    io.ns("/", ignore.with(auth.required()));
    let cluster = auth.attach(&io).unwrap().join(url).await.unwrap();
    // How long an order waits for a node. The nodes here answer within milliseconds.
    cluster.with_patience(Duration::from_secs(5))
}

const COMPLETE: &str = "cluster_order_seconds{order=online,outcome=complete}";
const INCOMPLETE: &str = "cluster_order_seconds{order=online,outcome=incomplete}";
const UNREACHED: &str = "cluster_order_seconds{order=online,outcome=unreached}";

#[test]
fn cluster_orders_are_measured_by_outcome_and_forged_ones_counted() {
    crate::alone(false, async {
        let Some(server) = RedisServer::start().await else {
            return;
        };
        let told = Recorded::default();
        let _installed = metrics::set_default_local_recorder(&told);
        let proxy = proxy_to(&server).await;
        let a = node(&server.url()).await;
        let b = node(&format!("redis://{}/", proxy.addr())).await;
        told.until("clusters_connected", |nodes| nodes == 2).await;

        let began = Instant::now();
        assert!(soon(a.online()).await.1.is_complete());
        let took = told.samples(COMPLETE);
        assert!(matches!(took[..], [one] if one > 0.0 && one <= began.elapsed().as_secs_f64()));

        let mut eve = connection_to(&server).await;
        for forged in ["nonsense", r#"0000.{"id":"1","from":"x","at":1,"order":"online"}"#] {
            let before = told.value("cluster_ignored_total");
            let () = redis::cmd("PUBLISH")
                .arg("test:main:orders")
                .arg(forged)
                .query_async(&mut eve)
                .await
                .unwrap();
            // By each of the two.
            told.until("cluster_ignored_total", |ignored| ignored >= before + 2).await;
        }
        assert!(soon(a.online()).await.1.is_complete());
        assert_eq!(told.value("cluster_ignored_total"), 4);
        assert_eq!(told.samples(COMPLETE).len(), 2);

        proxy.set(Fault::Silent);
        // How long an order waits for the silent node; the other one answers within milliseconds.
        let patience = Duration::from_secs(1);
        assert!(!soon(a.clone().with_patience(patience).online()).await.1.is_complete());
        let took = told.samples(INCOMPLETE);
        assert!(matches!(took[..], [one] if one >= patience.as_secs_f64()), "{took:?}");

        proxy.set(Fault::Cut);
        told.until("clusters_connected", |nodes| nodes == 1).await;
        assert!(!soon(b.online()).await.1.is_reached);
        assert_eq!(told.samples(UNREACHED).len(), 1);
        assert_eq!((told.samples(COMPLETE).len(), told.samples(INCOMPLETE).len()), (2, 1));

        proxy.set(Fault::None);
        told.until("clusters_connected", |nodes| nodes == 2).await;
        soon(b.clone().leave()).await.unwrap();
        drop((a, b));
        told.until("clusters_connected", |nodes| nodes == 0).await;
        assert_eq!(told.value("cluster_ignored_total"), 4);
    });
}
