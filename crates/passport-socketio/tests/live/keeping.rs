//! A login that ends in the store ends its sockets.
#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

mod age;
mod backend;
mod feeds;
mod outages;
mod promise;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::world::{User, auth_over, ignore};
use crate::common::{Client, eventually};
use axum::Router;
use backend::{Backend, MAX_STALE, Server, patient_host};
use passport_socketio::live::EndReason;
use passport_socketio::store::Life;
use passport_socketio::{Auth, MaybeAuth, Session};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::ConnectHandler as _;
use tokio::sync::Notify;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn a_session_deleted_from_the_store_ends_its_sockets_and_no_others() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let mut ann = server.connected("ann").await;
    let _ann_too = server.connected("ann-too").await;
    let _bob = server.connected("bob").await;
    sleep(10 * MAX_STALE).await;
    assert_eq!(server.io.sockets().len(), 3);

    backend.destroy("ann").await;
    assert_eq!(server.ends_within(MAX_STALE).await, EndReason::LoggedOut);
    let notice = json!({"code": "logged_out", "reconnect": false});
    assert_eq!(ann.event("/").await, json!(["session_ended", notice]));
    assert_eq!(ann.receive().await, "1");
    sleep(10 * MAX_STALE).await;
    assert_eq!((server.io.sockets().len(), server.ended().len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_end_reason_names_the_change_of_the_session() {
    let past = Life::Until(std::time::UNIX_EPOCH);
    for (json, life, reason) in [
        (r#"{"cookie":{}}"#, Life::Forever, EndReason::LoggedOut),
        (r#"{"cookie":{},"passport":{}}"#, Life::Forever, EndReason::LoggedOut),
        ("null", Life::Forever, EndReason::LoggedOut),
        (r#"{"cookie":{},"passport":{"user":42}}"#, past, EndReason::Expired),
        (r#"{"cookie":{},"passport":{"user":7}}"#, Life::Forever, EndReason::UserChanged),
    ] {
        let backend = Backend::new();
        let server = Server::new(&backend);
        let _ann = server.connected("ann").await;
        backend.put("ann", json, life);
        assert_eq!(server.ends_within(MAX_STALE).await, reason, "{json}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_its_life_and_a_touch_prolongs_it() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let two_seconds = Life::For(Duration::from_secs(2));
    backend.log_in("ann", 42, two_seconds);
    let _ann = server.connected("ann").await;
    // The store is asked again at the end of the life, and reports another 2 s each time.
    sleep(Duration::from_secs(20)).await;
    assert!(server.ended().is_empty());
    backend.destroy("ann").await;
    // Its life of 2 s, and the steps at which the test looks.
    let at_most = Duration::from_millis(2100);
    assert_eq!(server.ends_within(at_most).await, EndReason::Expired);
}

#[tokio::test(start_paused = true)]
async fn handlers_get_the_session_as_it_was_last_loaded() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let _ann = server.connected("ann").await;
    let socket = server.io.sockets().pop().unwrap();
    let views = || {
        let session = passport_socketio::MaybeSession::of(&socket).0.unwrap();
        session.get::<u32>("/views")
    };
    assert_eq!(views(), None);
    backend.put("ann", r#"{"cookie":{},"passport":{"user":42},"views":5}"#, Life::Forever);
    sleep(MAX_STALE).await;
    assert_eq!(views(), Some(5));
    let member = MaybeAuth::<User>::of(&socket);
    assert_eq!(member.identity().unwrap().session().get::<u32>("/views"), Some(5));
}

#[tokio::test(start_paused = true)]
async fn the_sweep_spreads_its_round_trips_over_max_stale() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let mut clients = Vec::new();
    for n in 0..300 {
        let sid = format!("many-{n}");
        backend.log_in(&sid, 42, Life::Forever);
        clients.push(server.connected(&sid).await);
    }
    backend.trips.store(0, Ordering::SeqCst);
    sleep(MAX_STALE).await;
    let trips = backend.trips.load(Ordering::SeqCst);
    assert!(trips > 10, "{trips}: not all at once");
    for n in 0..300 {
        backend.destroy(&format!("many-{n}")).await;
    }
    sleep(MAX_STALE).await;
    assert_eq!(server.ended().len(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_socket_whose_disconnect_handler_panicked_is_forgotten() {
    let backend = Backend::new();
    let auth = auth_over(backend.clone()).build().unwrap();
    let (host, io) = patient_host();
    let listen = async |socket: SocketRef| {
        socket.on_disconnect(async || panic!("in a disconnect handler"));
        Ok::<_, std::fmt::Error>(())
    };
    io.ns("/", ignore.with(listen).with(auth.required()));
    let live = auth.attach(&io).unwrap();
    let app = Router::new().layer(host);
    let mut client = Client::of(&app, "ann").await;
    client.connect("/").await.unwrap();
    sleep(MAX_STALE).await;
    client.close().await;
    tokio::task::yield_now().await;
    assert_eq!(io.sockets().len(), 1, "socketioxide keeps it: otherwise this test shows nothing");
    sleep(2 * MAX_STALE).await;
    assert!(io.sockets().is_empty());
    assert!(format!("{live:?}").contains("sockets: 0"));
}

/// The session is destroyed, and made anew under its id, while it is being looked at.
#[tokio::test(start_paused = true)]
async fn a_new_login_with_the_same_id_is_not_ended_by_the_old_logout() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let _ann = server.connected("ann").await;
    for _ in 0..20 {
        backend.destroy("ann").await;
        server.live.session_changed(&"ann".into());
        backend.log_in("ann", 42, Life::Forever);
        let _again = server.connected("ann").await;
        sleep(MAX_STALE).await;
        assert!(server.ended().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_sweep_stops_when_the_server_is_dropped() {
    let backend = Backend::new();
    let server = Server::new(&backend);
    let ann = server.connected("ann").await;
    ann.close().await;
    drop(server);
    eventually("everything is dropped", || Arc::strong_count(&backend) == 1).await;
}

#[tokio::test]
async fn a_running_handler_sees_that_the_login_has_ended() {
    let backend = Backend::new();
    let auth = auth_over(backend.clone()).build().unwrap();
    let (host, io) = SocketIo::new_layer();
    let (began, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let said = Arc::new(Mutex::new(None));
    let slow = {
        let (began, go, said) = (began.clone(), go.clone(), said.clone());
        async move |user: Auth<User>, _: Session, _: AckSender| {
            began.notify_one();
            go.notified().await;
            *said.lock().unwrap() = Some(user.is_live());
        }
    };
    let listen = async move |socket: SocketRef| {
        socket.on("slow", slow);
        Ok::<_, std::fmt::Error>(())
    };
    io.ns("/", ignore.with(listen).with(auth.required()));
    let live = auth.attach(&io).unwrap();
    let mut client = Client::of(&Router::new().layer(host), "ann").await;
    client.connect("/").await.unwrap();
    client.emit("/", "slow").await;
    began.notified().await;
    live.end_session(&"ann".into(), EndReason::Revoked);
    go.notify_one();
    eventually("it ran to its end", || said.lock().unwrap().is_some()).await;
    assert_eq!(*said.lock().unwrap(), Some(false));
}
