//! A closed connection leaves no request and no user behind, however it was closed.
//!
//! The host keeps the request that opened a connection, with all that we put into its extensions, until the
//! connection is closed. Here each request carries something that is counted while it lives, and so does
//! each user that is found.

#![expect(clippy::unwrap_used, reason = "helpers of tests assert, too")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::Client;
use crate::common::world::{self, SECRET, ignore};
use axum::Router;
use axum::body::Body;
use axum::serve::ListenerExt as _;
use http::Request;
use passport_socketio::Authorizer;
use socketioxide::SocketIo;
use socketioxide::handler::ConnectHandler as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tower::util::MapRequestLayer;

/// Connections of each kind to each server.
const CONNECTIONS: usize = 250;

/// When a server gives up a client that sends nothing, and one that answers no ping.
const TIMEOUT: Duration = Duration::from_secs(2);

const CLOSE: [u8; 6] = [0x88, 0x80, 0, 0, 0, 0];

/// Counts itself.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Clone for Alive {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Where our layer is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layer {
    None,
    Around,
    Over,
}

struct Server {
    app: Router,
    addr: SocketAddr,
    requests: Arc<AtomicUsize>,
    users: Arc<AtomicUsize>,
    /// What there is besides, as the library shows it.
    shown: Box<dyn Fn() -> String>,
}

impl Server {
    async fn start(layer: Layer) -> Self {
        let (requests, users) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let find = {
            let users = users.clone();
            async move |_: i64| Ok::<_, Infallible>(Some(Alive::new(&users)))
        };
        let auth = Authorizer::<Alive>::builder().secret(SECRET).store(world::store());
        let auth = auth.deserialize_user(find).connect_within(TIMEOUT).build().unwrap();
        let builder = SocketIo::builder().connect_timeout(TIMEOUT);
        let (host, io) = builder.ping_interval(TIMEOUT).ping_timeout(TIMEOUT).build_layer();
        io.ns("/", ignore.with(auth.required()));
        let live = auth.attach(&io).unwrap();
        let (around, over) = (auth.layer(), auth.layer_over(host.clone()));
        let app = match layer {
            Layer::None => Router::new().layer(host),
            Layer::Around => Router::new().layer(host).layer(around.clone()),
            Layer::Over => Router::new().layer(over.clone()),
        };
        let count = requests.clone();
        let app = app.layer(MapRequestLayer::new(move |mut request: Request<Body>| {
            request.extensions_mut().insert(Alive::new(&count));
            request
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        let serve = axum::serve(listener, app.clone());
        tokio::spawn(async move { serve.await });
        let shown = Box::new(move || format!("{live:?} {around:?} {over:?} {}", sockets(&io)));
        Self { app, addr, requests, users, shown }
    }

    fn alive(&self) -> (usize, usize) {
        (self.requests.load(Ordering::SeqCst), self.users.load(Ordering::SeqCst))
    }

    /// Waits until nothing is left. No event announces that.
    async fn waits_until_empty(&self, layer: Layer) {
        let empty = "Registry { users: 0, sessions: 0, sockets: 0 }";
        let is_over = || {
            let shown = (self.shown)();
            let found_by_id = shown.matches("Connections(").count();
            let by_none = shown.matches("Connections(0)").count();
            self.alive() == (0, 0)
                && shown.contains(empty)
                && found_by_id == 2
                && by_none == 2
                && shown.ends_with(" 0")
        };
        let wait = async {
            while !is_over() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        // A silent connection is closed after two to three of its timeouts. Without them it would take
        // Engine.IO's default 45 s.
        let waited = tokio::time::timeout(15 * TIMEOUT, wait).await;
        assert!(waited.is_ok(), "{layer:?}: {:?} {}", self.alive(), (self.shown)());
    }

    /// A connection that polls. It is held by nothing at this end.
    async fn polls(&self, connects: bool) -> Client {
        let mut client = Client::of(&self.app, "ann").await;
        if connects {
            client.connect("/").await.unwrap();
        }
        client
    }

    async fn websocket(&self, connects: bool) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: app.example\r\n\
             Cookie: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            world::cookie("ann")
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        assert!(receive(&mut stream).await.starts_with("0{"));
        if connects {
            stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'4', b'0']).await.unwrap();
            let mut answer = receive(&mut stream).await;
            if answer == "2" {
                answer = receive(&mut stream).await;
            }
            assert!(answer.starts_with("40{"), "{answer}");
        }
        stream
    }
}

fn sockets(io: &SocketIo) -> usize {
    io.nsps().into_iter().map(|namespace| namespace.sockets().len()).sum()
}

/// The next text of a WebSocket.
async fn receive(stream: &mut TcpStream) -> String {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[0], 0x81);
    let len = match head[1] {
        126 => usize::from(stream.read_u16().await.unwrap()),
        len => usize::from(len),
    };
    let mut text = vec![0; len];
    stream.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

async fn nothing_is_left(layer: Layer) {
    let server = Server::start(layer).await;
    let mut seen = (0, 0);
    for _ in 0..CONNECTIONS {
        let polls_silently = server.polls(false).await;
        let polls_and_vanishes = server.polls(true).await;
        let polls_and_closes = server.polls(true).await;
        let silent = server.websocket(false).await;
        let vanishes = server.websocket(true).await;
        let mut closes = server.websocket(true).await;
        let (requests, users) = server.alive();
        assert!(requests >= 6 && users >= 4, "what is open can be counted");
        seen = (seen.0.max(requests), seen.1.max(users));
        polls_and_closes.close().await;
        closes.write_all(&CLOSE).await.unwrap();
        drop((polls_silently, polls_and_vanishes, silent, vanishes, closes));
    }
    assert!(seen > (6, 4), "vanished connections are kept until they time out");
    server.waits_until_empty(layer).await;
}

#[tokio::test]
async fn no_request_or_user_outlives_its_connection_without_a_layer() {
    nothing_is_left(Layer::None).await;
}

#[tokio::test]
async fn no_request_or_user_outlives_its_connection_with_layer() {
    nothing_is_left(Layer::Around).await;
}

#[tokio::test]
async fn no_request_or_user_outlives_its_connection_with_layer_over() {
    nothing_is_left(Layer::Over).await;
}
