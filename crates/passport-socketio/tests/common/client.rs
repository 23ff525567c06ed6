//! A small Socket.IO client.
//!
//! It speaks Engine.IO 4 over HTTP long-polling to a router in this process: no port, no network.
//! It sends what the test says and no more, with the headers it was opened with.

use std::collections::VecDeque;

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{soon, world};

/// One Engine.IO connection.
pub(crate) struct Client {
    app: Router,
    path: String,
    version: u8,
    headers: Vec<(&'static str, String)>,
    sid: String,
    packets: VecDeque<String>,
}

/// What a request was answered with.
pub(crate) type Answer = (StatusCode, String);

impl Client {
    /// Opens a connection with these headers; the error is what the server answered instead.
    pub(crate) async fn open(
        app: &Router,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, Answer> {
        Self::open_at(app, "/socket.io", headers).await
    }

    /// The same at another path.
    pub(crate) async fn open_at(
        app: &Router,
        path: &str,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, Answer> {
        Self::open_version(4, app, path, headers).await
    }

    async fn open_version(
        version: u8,
        app: &Router,
        path: &str,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Self, Answer> {
        let mut client = Self {
            app: app.clone(),
            path: path.to_owned(),
            version,
            headers: headers.into_iter().collect(),
            sid: String::new(),
            packets: VecDeque::new(),
        };
        match client.request(Method::GET, "").await {
            (StatusCode::OK, open) => {
                let open = client.packets_of(&open).remove(0);
                let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
                client.sid = format!("&sid={}", open["sid"].as_str().unwrap());
                Ok(client)
            }
            refusal => Err(refusal),
        }
    }

    /// Opens a connection as `who`: the id of a session of [`world`].
    pub(crate) async fn of(app: &Router, who: &str) -> Self {
        let cookie = ("cookie", world::cookie(who));
        Self::open(app, [cookie]).await.unwrap()
    }

    /// The same in this version of Engine.IO: 3 or 4.
    pub(crate) async fn of_version(version: u8, app: &Router, who: &str) -> Self {
        let cookie = ("cookie", world::cookie(who));
        Self::open_version(version, app, "/socket.io", [cookie]).await.unwrap()
    }

    /// A second client on the same connection, which has read nothing yet.
    pub(crate) fn another(&self) -> Self {
        Self {
            app: self.app.clone(),
            path: self.path.clone(),
            version: self.version,
            headers: self.headers.clone(),
            sid: self.sid.clone(),
            packets: VecDeque::new(),
        }
    }

    /// Opens a connection without a cookie.
    pub(crate) async fn anonymous(app: &Router) -> Self {
        Self::open(app, []).await.unwrap()
    }

    /// Connects to a namespace. The error is the text of `connect_error`.
    pub(crate) async fn connect(&mut self, ns: &str) -> Result<(), String> {
        self.send(&format!("0{}", prefix(ns))).await;
        self.connected(ns).await
    }

    /// What the server said to a CONNECT that was sent.
    pub(crate) async fn connected(&mut self, ns: &str) -> Result<(), String> {
        let packet = self.receive().await;
        if let Some(error) = packet.strip_prefix(&*format!("4{}", prefix(ns))) {
            let error: Value = serde_json::from_str(error).unwrap();
            assert_eq!(error.as_object().unwrap().len(), 1, "{packet}");
            return Err(error["message"].as_str().unwrap().to_owned());
        }
        assert!(packet.starts_with(&*format!("0{}{{", prefix(ns))), "{packet}");
        Ok(())
    }

    /// Emits an event without arguments.
    pub(crate) async fn emit(&mut self, ns: &str, event: &str) {
        self.send(&format!("2{}[\"{event}\"]", prefix(ns))).await;
    }

    /// The next event, with its arguments, as JSON.
    pub(crate) async fn event(&mut self, ns: &str) -> Value {
        let packet = self.receive().await;
        let json = packet.strip_prefix(&*format!("2{}", prefix(ns)));
        serde_json::from_str(json.unwrap_or_else(|| panic!("no event: {packet}"))).unwrap()
    }

    /// Leaves a namespace; the connection stays.
    pub(crate) async fn leave(&mut self, ns: &str) {
        self.send(&format!("1{}", prefix(ns))).await;
    }

    /// Closes the connection.
    pub(crate) async fn close(mut self) {
        assert_eq!(self.request(Method::POST, "1").await.0, StatusCode::OK);
    }

    /// Sends a Socket.IO packet.
    pub(crate) async fn send(&mut self, packet: &str) {
        let body = match self.version {
            3 => format!("{}:4{packet}", 1 + packet.encode_utf16().count()),
            _ => format!("4{packet}"),
        };
        let answer = self.request(Method::POST, &body).await;
        assert_eq!(answer, (StatusCode::OK, "ok".to_owned()));
    }

    /// The packets of a payload: of version 3 those that have no binary data and are in ASCII.
    fn packets_of(&self, payload: &str) -> Vec<String> {
        if self.version != 3 {
            return payload.split('\x1e').map(str::to_owned).collect();
        }
        let (mut packets, mut rest) = (Vec::new(), payload);
        while let Some((length, after)) = rest.split_once(':') {
            let (packet, after) = after.split_at(length.parse().unwrap());
            packets.push(packet.to_owned());
            rest = after;
        }
        packets
    }

    /// The Engine.IO messages that come until the connection is closed.
    pub(crate) async fn rest(mut self) -> Vec<String> {
        loop {
            let (status, body) = self.request(Method::GET, "").await;
            if status != StatusCode::OK {
                let is_message = |packet: &String| packet.starts_with(['4', 'b']);
                return self.packets.into_iter().filter(is_message).collect();
            }
            self.packets.extend(self.packets_of(&body));
        }
    }

    /// The next Socket.IO packet, or attachment of one.
    pub(crate) async fn receive_any(&mut self) -> String {
        while self.packets.is_empty() {
            let (status, body) = self.request(Method::GET, "").await;
            assert_eq!(status, StatusCode::OK, "{body}");
            let packets = self.packets_of(&body);
            self.packets
                .extend(packets.into_iter().filter(|packet| packet.starts_with(['4', 'b'])));
        }
        let packet = self.packets.pop_front().unwrap();
        packet.strip_prefix('4').unwrap_or(&packet).to_owned()
    }

    /// The next Socket.IO packet. Pings are answered.
    pub(crate) async fn receive(&mut self) -> String {
        loop {
            match self.packets.pop_front() {
                None => {
                    let (status, body) = self.request(Method::GET, "").await;
                    assert_eq!(status, StatusCode::OK, "{body}");
                    let packets = self.packets_of(&body);
                    self.packets.extend(packets);
                }
                Some(ping) if ping == "2" => {
                    self.request(Method::POST, "3").await;
                }
                Some(packet) => {
                    let message = packet.strip_prefix('4');
                    return message.unwrap_or_else(|| panic!("no message: {packet:?}")).to_owned();
                }
            }
        }
    }

    /// One HTTP request of this connection.
    pub(crate) async fn request(&mut self, method: Method, body: &str) -> Answer {
        self.request_over("polling", method, body).await
    }

    /// The same over this transport.
    pub(crate) async fn request_over(
        &mut self,
        transport: &str,
        method: Method,
        body: &str,
    ) -> Answer {
        let (path, version) = (&self.path, self.version);
        let uri = format!("{path}/?EIO={version}&transport={transport}{}", self.sid);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if !body.is_empty() {
            request = request.header("content-length", body.len());
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        soon(ask(&self.app, request)).await
    }

    /// The part of its URLs that names the connection: `&sid=…`.
    pub(crate) fn sid(&self) -> &str {
        &self.sid
    }

    /// Sends other headers from now on.
    pub(crate) fn set_headers(
        &mut self,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) {
        self.headers = headers.into_iter().collect();
    }
}

/// Any request to the router.
pub(crate) async fn ask(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    // Payloads of Engine.IO 3 may be binary.
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// The main namespace is not named in packets.
fn prefix(ns: &str) -> String {
    if ns == "/" { String::new() } else { format!("{ns},") }
}
