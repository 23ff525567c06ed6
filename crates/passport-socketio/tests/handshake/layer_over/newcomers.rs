//! What a client may send before a namespace has let it in: 64 KiB, over all transports.

use axum::Router;
use axum::serve::Listener;
use http::{Method, Request, StatusCode};
use passport_socketio::Authorizer;
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};
use socketioxide::handler::ConnectHandler as _;
use testkit::secrecy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;

use crate::common::world::{User, auth_over, cookie, ignore, store};
use crate::common::{Client, ask, soon};

const MOST: usize = 64 * 1024;

/// Bytes that fit into buffers between the client and the layer: the pipe's, hyper's, tungstenite's.
const UNDER_WAY: usize = 16 * 1024;

/// More than any client of these tests may send unasked, and less than socketioxide would take.
const PLENTY: usize = 1024 * 1024;

/// Connections of an HTTP server that needs no port.
pub(crate) struct Pipes(pub(crate) mpsc::Receiver<DuplexStream>);

impl Listener for Pipes {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(pipe) => (pipe, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A connect handler that answers with how long a text is.
#[allow(clippy::unused_async, reason = "socketioxide's handlers are async")]
async fn tell_length(socket: SocketRef) {
    socket.on("text", async |socket: SocketRef, Data(text): Data<String>| {
        socket.emit("length", &text.len()).unwrap();
    });
}

struct Server {
    app: Router,
    pipes: mpsc::Sender<DuplexStream>,
}

impl Server {
    fn start() -> Self {
        let auth: Authorizer<User> = auth_over(store()).build().unwrap();
        // What a client without a cookie could fill: the largest setting in use.
        let largest = 64 << 20;
        let builder = SocketIo::builder().max_payload(largest as u64);
        let builder = builder.ws_max_message_size(largest).ws_max_frame_size(largest);
        let (engine, io) = builder.build_layer();
        io.ns("/", tell_length.with(auth.required()));
        io.ns("/lobby", tell_length.with(auth.optional()));
        io.ns("/public", tell_length);
        io.ns("/empty", ignore);
        let app: Router = Router::new().layer(auth.layer_over(engine));
        let (pipes, listener) = mpsc::channel(1);
        let serve = axum::serve(Pipes(listener), app.clone());
        tokio::spawn(async move { serve.await });
        Self { app, pipes }
    }

    async fn websocket(&self, version: u8, headers: &str) -> WebSocket {
        let (pipe, servers) = duplex(1024);
        self.pipes.send(servers).await.unwrap();
        let mut websocket = WebSocket(pipe);
        let head = format!(
            "GET /socket.io/?EIO={version}&transport=websocket HTTP/1.1\r\nhost: x\r\n\
             connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{headers}\r\n"
        );
        websocket.0.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(soon(websocket.0.read_u8()).await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        assert!(websocket.text().await.starts_with("0{"));
        websocket
    }
}

/// A client's end, which sends what the test says.
struct WebSocket(DuplexStream);

/// A frame's head, with a mask that changes nothing.
fn head(first: u8, length: usize) -> Vec<u8> {
    let mut head = vec![first, 0xff];
    head.extend((length as u64).to_be_bytes());
    head.extend([0; 4]);
    head
}

impl WebSocket {
    async fn send(&mut self, text: &str) {
        let frame = [&head(0x81, text.len()), text.as_bytes()].concat();
        soon(self.0.write_all(&frame)).await.unwrap();
    }

    /// The next text that is no ping. Those of the server are short here.
    async fn text(&mut self) -> String {
        loop {
            let text = self.frame().await;
            if text != "2" {
                return text;
            }
        }
    }

    async fn frame(&mut self) -> String {
        let mut head = [0; 2];
        soon(self.0.read_exact(&mut head)).await.unwrap();
        let length = match head[1] {
            126 => usize::from(soon(self.0.read_u16()).await.unwrap()),
            length => usize::from(length),
        };
        assert_eq!(head[0], 0x81);
        let mut text = vec![0; length];
        soon(self.0.read_exact(&mut text)).await.unwrap();
        String::from_utf8(text).unwrap()
    }

    /// Sends the same again and again until it is cut, or has sent [`PLENTY`]. Returns how much of it
    /// went out.
    async fn pour(&mut self, data: &[u8]) -> usize {
        let mut sent = 0;
        while sent < PLENTY {
            match soon(self.0.write(data.get(sent % data.len()..).unwrap())).await {
                Ok(bytes) => sent += bytes,
                Err(_) => break,
            }
        }
        sent
    }
}

#[tokio::test]
async fn an_endless_message_of_an_unadmitted_client_is_cut_after_64_kib() {
    let server = Server::start();
    for version in [4, 3] {
        let mut stranger = server.websocket(version, "").await;
        // The first says how long the message is going to be: no room is made for that.
        let first = head(0x81, 60 << 20);
        soon(stranger.0.write_all(&first)).await.unwrap();
        let sent = stranger.pour(&[b'x'; 1000]).await;
        assert!(sent <= UNDER_WAY, "{sent} bytes of one frame");

        // Of fragments nothing says how many there will be.
        let mut stranger = server.websocket(version, "").await;
        soon(stranger.0.write_all(&head(0x01, 0))).await.unwrap();
        let fragment = [head(0x00, 1000), vec![b'x'; 1000]].concat();
        let sent = stranger.pour(&fragment).await;
        assert!(sent >= MOST - 2 * UNDER_WAY, "{sent} bytes in fragments");
        assert!(sent <= MOST + UNDER_WAY, "{sent} bytes in fragments");
    }
}

#[tokio::test]
async fn a_refused_client_can_send_no_more_than_64_kib() {
    let server = Server::start();
    let mut stranger = server.websocket(4, "").await;
    stranger.send("40").await;
    assert_eq!(stranger.text().await, r#"44{"message":"unauthorized"}"#);
    let pong = [head(0x81, 1), b"3".to_vec()].concat();
    let sent = stranger.pour(&pong).await;
    assert!(sent <= MOST + UNDER_WAY, "{sent}");
}

#[tokio::test]
async fn an_admitted_client_can_send_what_socketioxide_accepts() {
    let server = Server::start();
    let ann = format!("cookie: {}\r\n", cookie("ann"));
    for (headers, namespace) in [(&*ann, ""), ("", "/lobby,"), ("", "/public,"), (&*ann, "/lobby,")]
    {
        let mut client = server.websocket(4, headers).await;
        // Large for an `auth`, and allowed.
        let auth = "x".repeat(60_000);
        client.send(&format!(r#"40{namespace}{{"token":"{auth}"}}"#)).await;
        let answer = client.text().await;
        assert!(answer.starts_with(&format!(r#"40{namespace}{{"sid""#)), "{answer}");
        let text = "x".repeat(200_000);
        client.send(&format!(r#"42{namespace}["text","{text}"]"#)).await;
        assert_eq!(client.text().await, format!(r#"42{namespace}["length",200000]"#));
    }
    // Version 3 is let in without having asked.
    let mut client = server.websocket(3, &ann).await;
    assert_eq!(client.text().await, "40");
    let text = "x".repeat(200_000);
    client.send(&format!(r#"42["text","{text}"]"#)).await;
    assert_eq!(client.text().await, r#"42["length",200000]"#);
}

/// Packets without effect, of so many bytes.
fn noise(bytes: usize) -> String {
    "3\x1e".repeat(bytes / 2) + "3"
}

#[tokio::test]
async fn a_polling_client_can_post_64_kib_before_it_is_admitted() {
    let server = Server::start();
    for refused_before in [false, true] {
        let mut stranger = Client::anonymous(&server.app).await;
        if refused_before {
            assert_eq!(stranger.connect("/").await, Err("unauthorized".to_owned()));
        }
        assert_eq!(stranger.request(Method::POST, &noise(60_000)).await.0, StatusCode::OK);
        let too_much = stranger.request(Method::POST, &noise(6_000)).await.0;
        assert_eq!(too_much, StatusCode::BAD_REQUEST, "refused before: {refused_before}");
        // The connection is closed.
        assert_eq!(stranger.request(Method::POST, "3").await.0, StatusCode::BAD_REQUEST);
    }
    for namespace in ["/lobby", "/public", "/empty"] {
        let mut guest = Client::anonymous(&server.app).await;
        guest.connect(namespace).await.unwrap();
        for _ in 0..3 {
            assert_eq!(guest.request(Method::POST, &noise(60_000)).await.0, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_polling_client_of_version_3_can_post_more_once_admitted() {
    let server = Server::start();
    let ann = cookie("ann");
    for (cookie, may) in [(&*ann, true), ("a=b", false)] {
        let request = async |method: Method, sid: &str, body: String| {
            let uri = format!("/socket.io/?EIO=3&transport=polling&b64=1{sid}");
            let request = Request::builder().method(method).uri(uri).header("cookie", cookie);
            soon(ask(&server.app, request.body(body.into()).unwrap())).await
        };
        let open = request(Method::GET, "", String::new()).await.1;
        let open = &open[open.find('{').unwrap()..];
        let open: serde_json::Value = serde_json::from_str(open).unwrap();
        let sid = format!("&sid={}", open["sid"].as_str().unwrap());
        let answer = request(Method::GET, &sid, String::new()).await.1;
        assert_eq!(answer.starts_with("2:40"), may, "{answer}");
        for round in 0..3 {
            let answer = request(Method::POST, &sid, "1:3".repeat(20_000)).await;
            let taken = may || round == 0;
            assert_eq!(answer.0 == StatusCode::OK, taken, "{may} {round} {answer:?}");
        }
    }
}

#[tokio::test]
async fn limits_larger_than_those_of_node_are_warned_of_once() {
    let warnings = |bytes: usize| {
        let log = secrecy::logged();
        let of_these = format!("bytes={bytes}");
        log.lines().filter(|line| line.contains("WARN") && line.contains(&of_these)).count()
    };
    let build = |attach: bool, largest: [usize; 3]| {
        let auth: Authorizer<User> = auth_over(store()).build().unwrap();
        let [payload, message, frame] = largest;
        let builder = SocketIo::builder().max_payload(payload as u64);
        let builder = builder.ws_max_message_size(message).ws_max_frame_size(frame);
        let (engine, io) = builder.build_layer();
        io.ns("/", ignore.with(auth.required()));
        if attach {
            auth.attach(&io).unwrap();
        }
        Router::new().layer(auth.layer_over(engine))
    };
    for attach in [false, true] {
        for place in 0..3 {
            let mut largest = [1_000_000; 3];
            largest[place] = 7_000_001 + place + if attach { 10 } else { 0 };
            let app: Router = build(attach, largest);
            assert_eq!(warnings(largest[place]), usize::from(attach), "{largest:?}");
            for _ in 0..2 {
                Client::of(&app, "ann").await.connect("/").await.unwrap();
                assert_eq!(warnings(largest[place]), 1, "{largest:?}");
            }
        }
        Client::of(&build(attach, [1_000_000; 3]), "ann").await.connect("/").await.unwrap();
        assert_eq!(warnings(1_000_000), 0);
    }
}
