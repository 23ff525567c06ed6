//! What a client reads when its login ends: the notice, its disconnect, and nothing after them.
//!
//! Real connections: the server listens on a port of its own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use passport_socketio::live::EndReason;
use passport_socketio::{Authorizer, Candidate, Live, Reject};
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::ConnectHandler as _;
use socketioxide::{ParserConfig, SocketIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::common::world::{User, auth_over, cookie, store};
use crate::common::{Client, soon};

/// How often a race is tried: without the library's care, some rounds lose the notice.
const ROUNDS: u64 = 200;

/// A server whose handlers answer late: when the test says so.
struct Server {
    app: Router,
    live: Live<User>,
    listener: Option<TcpListener>,
    address: String,
    task: Option<JoinHandle<()>>,
    /// Gets a message for every event that is being answered.
    answering: mpsc::UnboundedReceiver<()>,
    /// Releases all answers.
    answer: watch::Sender<bool>,
    banned: Arc<AtomicBool>,
    _auth: Authorizer<User>,
}

impl Server {
    async fn new(msgpack: bool) -> Self {
        let banned = Arc::new(AtomicBool::new(false));
        let list = banned.clone();
        let auth = auth_over(store())
            .success(async move |candidate: Candidate<User>| {
                let banned = candidate.namespace() == "/lobby" && list.load(Ordering::SeqCst);
                if banned { Err(Reject::new("banned")) } else { Ok(()) }
            })
            .build()
            .unwrap();
        let builder = SocketIo::builder();
        let (host, io) = if msgpack {
            builder.with_parser(ParserConfig::msgpack()).build_layer()
        } else {
            builder.build_layer()
        };
        let (started, answering) = mpsc::unbounded_channel();
        let (answer, answered) = watch::channel(false);
        let listen = async move |socket: SocketRef| {
            let (started, answered) = (started.clone(), answered.clone());
            socket.on("late", async move |socket: SocketRef, ack: AckSender| {
                let mut answered = answered.clone();
                started.send(()).unwrap();
                answered.wait_for(|answered| *answered).await.unwrap();
                let secret = bytes::Bytes::from_static(b"SECRET");
                let _ = socket.emit("late", &("SECRET", &secret));
                let _ = ack.send(&("SECRET", &secret));
            });
            socket.on("note", async |_: SocketRef| {});
            Ok::<_, std::fmt::Error>(())
        };
        let connected = async |_: SocketRef| {};
        io.ns("/", connected.with(listen.clone()).with(auth.required()));
        io.ns("/lobby", connected.with(listen).with(auth.optional()));
        let live = auth.attach(&io).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = Router::new().layer(auth.layer_over(host));
        let listener = Some(listener);
        let task = None;
        Self { app, live, listener, address, task, answering, answer, banned, _auth: auth }
    }

    async fn web_socket(&mut self, version: u8, who: &str) -> WebSocket {
        if let Some(listener) = self.listener.take() {
            let app = self.app.clone();
            let serve = async move { axum::serve(listener, app).await.unwrap() };
            self.task = Some(tokio::spawn(serve));
        }
        let path = format!("/socket.io/?EIO={version}&transport=websocket");
        let uri = format!("ws://{}{path}", self.address).parse().unwrap();
        let request = ClientRequestBuilder::new(uri).with_header("cookie", cookie(who));
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let (mut stream, _) = soon(client_async(request, stream)).await.unwrap();
        let open = soon(stream.next()).await.unwrap().unwrap();
        assert!(open.into_text().unwrap().starts_with("0{"));
        WebSocket { stream }
    }

    async fn polling(&mut self, version: u8, who: &str) -> Client {
        Client::of_version(version, &self.app, who).await
    }

    /// Waits until so many events are being answered.
    async fn is_answering(&mut self, events: usize) {
        for _ in 0..events {
            soon(self.answering.recv()).await.unwrap();
        }
    }

    fn end(&self, reason: EndReason) {
        assert_ne!(self.live.end_session(&"ann".into(), reason), 0);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

struct WebSocket {
    stream: WebSocketStream<TcpStream>,
}

impl WebSocket {
    async fn send(&mut self, packet: &str) {
        soon(self.stream.send(format!("4{packet}").into())).await.unwrap();
    }

    async fn send_binary(&mut self, packet: Vec<u8>) {
        soon(self.stream.send(Message::binary(packet))).await.unwrap();
    }

    /// The next message of Socket.IO; `None` when the connection is over.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match soon(self.stream.next()).await?.ok()? {
                Message::Text(text) => {
                    if let Some(packet) = text.strip_prefix('4') {
                        return Some(packet.as_bytes().to_vec());
                    }
                }
                Message::Binary(bytes) => return Some(bytes.to_vec()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// All there is until the connection is closed.
    async fn rest(mut self) -> Vec<String> {
        let mut packets = Vec::new();
        while let Some(packet) = self.next().await {
            packets.push(String::from_utf8_lossy(&packet).into_owned());
        }
        packets
    }
}

fn notice(ns: &str, reason: EndReason) -> String {
    let (code, reconnect) = (reason.code(), reason.reconnect());
    format!(r#"2{ns}["session_ended",{{"code":"{code}","reconnect":{reconnect}}}]"#)
}

#[tokio::test]
async fn no_ack_follows_the_disconnect_over_web_sockets() {
    for version in [4, 3] {
        let mut server = Server::new(false).await;
        let mut client = server.web_socket(version, "ann").await;
        if version == 4 {
            client.send("0").await;
        }
        client.next().await.unwrap();
        client.send("0/lobby,").await;
        client.next().await.unwrap();
        for id in 0..3 {
            client.send(&format!("2{id}[\"late\"]")).await;
            client.send(&format!("2/lobby,{id}[\"late\"]")).await;
        }
        server.is_answering(6).await;
        server.end(EndReason::LoggedOut);
        server.answer.send(true).unwrap();
        let mut packets = client.rest().await;
        packets.sort();
        let (main, lobby) =
            (notice("", EndReason::LoggedOut), notice("/lobby,", EndReason::LoggedOut));
        assert_eq!(packets, ["1", "1/lobby,", &lobby, &main], "version {version}");
    }
}

#[tokio::test]
async fn no_ack_follows_the_disconnect_over_polling() {
    for version in [4, 3] {
        let mut server = Server::new(false).await;
        let mut client = server.polling(version, "ann").await;
        if version == 4 {
            client.send("0").await;
        }
        assert!(client.receive().await.starts_with('0'));
        client.send("0/lobby,").await;
        assert!(client.receive().await.starts_with("0/lobby,"));
        for id in 0..3 {
            client.send(&format!("2{id}[\"late\"]")).await;
            client.send(&format!("2/lobby,{id}[\"late\"]")).await;
        }
        server.is_answering(6).await;
        server.end(EndReason::LoggedOut);
        server.answer.send(true).unwrap();
        let mut packets = client.rest().await;
        packets.sort();
        let (main, lobby) =
            (notice("", EndReason::LoggedOut), notice("/lobby,", EndReason::LoggedOut));
        assert_eq!(packets, ["41", "41/lobby,", &format!("4{lobby}"), &format!("4{main}")]);
    }
}

#[tokio::test]
async fn two_layers_filter_each_answer_once() {
    let mut server = Server::new(false).await;
    let outer = auth_over(store()).build().unwrap();
    server.app = server.app.clone().layer(outer.layer());
    let mut client = server.polling(4, "ann").await;
    client.connect("/").await.unwrap();
    client.send("21[\"late\"]").await;
    server.is_answering(1).await;
    server.end(EndReason::LoggedOut);
    server.answer.send(true).unwrap();
    assert_eq!(
        client.rest().await,
        [format!("4{}", notice("", EndReason::LoggedOut)), "41".into()]
    );
}

#[tokio::test]
async fn nothing_follows_the_notice_of_an_end_with_reconnect() {
    let mut server = Server::new(false).await;
    let mut client = server.web_socket(4, "ann").await;
    client.send("0").await;
    client.next().await.unwrap();
    client.send("21[\"late\"]").await;
    server.is_answering(1).await;
    server.end(EndReason::UserChanged);
    server.answer.send(true).unwrap();
    assert_eq!(client.rest().await, [notice("", EndReason::UserChanged)]);
}

#[tokio::test]
async fn no_ack_follows_the_disconnect_with_the_msgpack_parser() {
    #[derive(serde::Serialize)]
    struct Packet<'a> {
        #[serde(rename = "type")]
        kind: u8,
        nsp: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<[&'a str; 1]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u8>,
    }
    let mut server = Server::new(true).await;
    let mut client = server.web_socket(4, "ann").await;
    let connect = Packet { kind: 0, nsp: "/", data: None, id: None };
    client.send_binary(rmp_serde::to_vec_named(&connect).unwrap()).await;
    client.next().await.unwrap();
    let event = Packet { kind: 2, nsp: "/", data: Some(["late"]), id: Some(1) };
    client.send_binary(rmp_serde::to_vec_named(&event).unwrap()).await;
    server.is_answering(1).await;
    server.end(EndReason::LoggedOut);
    server.answer.send(true).unwrap();
    let packets = client.rest().await;
    assert_eq!(packets.len(), 2, "{packets:?}");
    assert!(packets[0].contains("session_ended"), "{packets:?}");
    assert!(!packets.concat().contains("SECRET"), "{packets:?}");
}

#[tokio::test]
async fn a_rejection_in_one_namespace_does_not_filter_the_other() {
    for over_polling in [false, true] {
        let mut server = Server::new(false).await;
        let mut reader = if over_polling {
            Reader::Polling(Box::new(server.polling(4, "ann").await))
        } else {
            Reader::WebSocket(Box::new(server.web_socket(4, "ann").await))
        };
        for ns in ["", "/lobby,"] {
            reader.send(&format!("0{ns}")).await;
            reader.next().await;
            reader.send(&format!("2{ns}7[\"late\"]")).await;
        }
        server.is_answering(2).await;
        server.banned.store(true, Ordering::SeqCst);
        assert_eq!(server.live.refresh_user(42).await.unwrap().ended, 1);
        server.answer.send(true).unwrap();
        let mut packets = Vec::new();
        while packets.len() < 6 {
            packets.push(reader.next().await);
        }
        let lobby: Vec<_> = packets.iter().filter(|packet| packet.contains("/lobby,")).collect();
        assert_eq!(lobby, [&notice("/lobby,", EndReason::Rejected), "1/lobby,"]);
        // The event and the ack of the main namespace, each with one attachment.
        let main: Vec<_> = packets.iter().filter(|packet| !packet.contains("/lobby,")).collect();
        assert_eq!(main.len(), 4, "{packets:?}");
        server.live.user(42).emit("news", "still here").await.unwrap();
        assert_eq!(reader.next().await, r#"2["news","still here"]"#);
    }
}

enum Reader {
    WebSocket(Box<WebSocket>),
    Polling(Box<Client>),
}

impl Reader {
    async fn send(&mut self, packet: &str) {
        match self {
            Self::WebSocket(client) => client.send(packet).await,
            Self::Polling(client) => client.send(packet).await,
        }
    }

    async fn next(&mut self) -> String {
        match self {
            Self::WebSocket(client) => {
                String::from_utf8_lossy(&client.next().await.unwrap()).into_owned()
            }
            Self::Polling(client) => client.receive_any().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_keeps_sending_reads_the_notice_over_web_sockets() {
    let mut notified = 0;
    for round in 0..ROUNDS {
        let mut server = Server::new(false).await;
        let mut client = server.web_socket(4, "ann").await;
        client.send("0").await;
        client.next().await.unwrap();
        let expected = format!("4{}", notice("", EndReason::LoggedOut));
        // The end comes at another moment between two of the client's events in each round.
        let end = Instant::now() + Duration::from_micros(2_000 + 73 * round);
        let mut has_ended = false;
        // As Node's client: once it can't write it does not read. It is busy, and reads late.
        let is_notified = 'sending: loop {
            for _ in 0..10 {
                for _ in 0..5 {
                    if client.stream.send("42[\"note\"]".into()).await.is_err() {
                        break 'sending false;
                    }
                }
                if !has_ended && Instant::now() >= end {
                    server.end(EndReason::LoggedOut);
                    has_ended = true;
                }
                sleep(Duration::from_millis(1)).await;
            }
            while let Some(message) = client.stream.next().now_or_never() {
                match message {
                    Some(Ok(Message::Text(text))) if *text == *expected => break 'sending true,
                    Some(Ok(message)) if !message.is_close() => {}
                    _ => break 'sending false,
                }
            }
        };
        notified += u64::from(is_notified);
    }
    assert_eq!(notified, ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_keeps_sending_reads_the_notice_over_polling() {
    for reason in [EndReason::LoggedOut, EndReason::Rejected] {
        let mut notified = 0;
        for round in 0..ROUNDS {
            let mut server = Server::new(false).await;
            let mut client = server.polling(4, "ann").await;
            client.connect("/").await.unwrap();
            client.connect("/lobby").await.unwrap();
            let mut sender = client.another();
            let sending = tokio::spawn(async move {
                let events = ["42/lobby,[\"note\"]"; 5].join("\x1e");
                loop {
                    sender.request(http::Method::POST, &events).await;
                    sleep(Duration::from_millis(1)).await;
                }
            });
            sleep(Duration::from_micros(2_000 + 73 * round)).await;
            if reason == EndReason::Rejected {
                server.banned.store(true, Ordering::SeqCst);
                assert_eq!(server.live.refresh_user(42).await.unwrap().ended, 1);
            } else {
                server.end(reason);
            }
            // As long as an official client needs between two polls.
            sleep(Duration::from_millis(2)).await;
            let mut packets = VecDeque::new();
            let expected = format!("4{}", notice("/lobby,", reason));
            let reading = async {
                while !packets.contains(&expected) {
                    let (status, body) = client.request(http::Method::GET, "").await;
                    if status != http::StatusCode::OK {
                        return;
                    }
                    packets.extend(body.split('\x1e').map(str::to_owned));
                }
            };
            soon(reading).await;
            sending.abort();
            notified += u64::from(packets.contains(&expected));
        }
        assert_eq!(notified, ROUNDS, "{reason:?}");
    }
}
