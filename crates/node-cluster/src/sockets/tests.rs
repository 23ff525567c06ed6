use std::future::Ready;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::Target;
use crate::hooks::NoHooks;
use crate::outbox::QueueLimits;
use crate::reach::Reach;
use crate::stats::Stats;

/// Generous: a request to the same process is answered within milliseconds.
const SOON: Duration = Duration::from_secs(10);

/// A client of a server, by polling.
async fn request(port: u16, request: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// A server with so many connected sockets; their disconnect handlers may panic.
async fn connected(count: usize, is_panicking: bool) -> (SocketIo, Vec<SocketRef>) {
    let (layer, io) = SocketIo::new_layer();
    let (connected, mut sockets) = mpsc::unbounded_channel();
    io.ns("/", async move |socket: SocketRef| {
        if is_panicking {
            socket.on_disconnect(|_: SocketRef| -> Ready<()> { panic!("the app's handler") });
        }
        connected.send(socket).unwrap();
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::<()>::new().layer(layer)).await });
    let mut all = Vec::new();
    for _ in 0..count {
        let path = "/socket.io/?EIO=4&transport=polling";
        let opened = request(port, &format!("GET {path}"), "").await;
        let (_, rest) = opened.split_once("\"sid\":\"").unwrap();
        let (sid, _) = rest.split_once('"').unwrap();
        request(port, &format!("POST {path}&sid={sid}"), "40").await;
        all.push(timeout(SOON, sockets.recv()).await.unwrap().unwrap());
    }
    (io, all)
}

#[tokio::test]
async fn a_join_that_comes_after_the_disconnect_leaves_no_room() {
    let (io, sockets) = connected(1, false).await;
    let public = PublicSockets::new(&io, "/").unwrap();
    let socket = sockets[0].clone();
    public.join(socket.id, vec!["a".to_owned()]);
    assert_eq!(public.in_rooms(vec!["a".to_owned()]), [socket.id]);
    // It closes after it was found, and before it joins.
    socket.clone().disconnect().unwrap();
    assert!(socket.rooms().is_empty());
    join(&socket, vec!["a".to_owned()]);
    assert!(socket.rooms().is_empty(), "the id is given to the connection's next socket");
}

#[tokio::test]
async fn a_disconnect_handler_that_panics_keeps_no_socket_connected() {
    let (io, sockets) = connected(2, true).await;
    let (stats, public) = (Arc::<Stats>::default(), PublicSockets::new(&io, "/").unwrap());
    let (hooks, limits) = (Arc::new(NoHooks), QueueLimits::default());
    let reach = Reach::new(Arc::new(public), hooks, stats.clone(), limits);
    reach.disconnect(&Target::default(), false);
    assert!(sockets.iter().all(|socket| !socket.connected()));
    assert_eq!(stats.counts().panicked, 2);
}
