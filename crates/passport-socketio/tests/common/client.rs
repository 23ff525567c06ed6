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
        let mut client = Self {
            app: app.clone(),
            path: path.to_owned(),
            headers: headers.into_iter().collect(),
            sid: String::new(),
            packets: VecDeque::new(),
        };
        match client.request(Method::GET, "").await {
            (StatusCode::OK, open) => {
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
        let answer = self.request(Method::POST, &format!("4{packet}")).await;
        assert_eq!(answer, (StatusCode::OK, "ok".to_owned()));
    }

    /// The next Socket.IO packet. Pings are answered.
    pub(crate) async fn receive(&mut self) -> String {
        loop {
            match self.packets.pop_front() {
                None => {
                    let (status, body) = self.request(Method::GET, "").await;
                    assert_eq!(status, StatusCode::OK, "{body}");
                    self.packets.extend(body.split('\x1e').map(str::to_owned));
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
        let uri = format!("{}/?EIO=4&transport={transport}{}", self.path, self.sid);
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
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// The main namespace is not named in packets.
fn prefix(ns: &str) -> String {
    if ns == "/" { String::new() } else { format!("{ns},") }
}
