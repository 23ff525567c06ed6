//! A client: it opens a connection, polls until that is closed, and sends what the test says. In this process.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use express_session::cookie::Signer;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::ends;
use crate::node::{COOKIES, NAMESPACES, Node, SECRET};
use crate::record::{Connect, ConnectState, Connection};
use crate::world::{Sid, World, session_id};

impl Node {
    /// Opens a connection, which then polls until it is closed.
    pub(crate) fn open(&self, world: &Arc<World>, sids: Vec<Sid>) {
        let signer = Signer::new([SECRET]).unwrap();
        let pair = |(name, sid): (&&str, &Sid)| signer.cookie_pair(name, session_id(*sid).as_str());
        let cookie = COOKIES.iter().zip(&sids).map(pair).collect::<Vec<_>>().join("; ");
        let mut state = world.state();
        let (number, opened) = (state.record.connections.len(), state.now);
        state.record.connections.push(Connection {
            node: self.number,
            sids,
            cookie: cookie.clone(),
            opened,
            id: None,
            is_closed: false,
            was_given_up: false,
            ended: None,
            refused: 0,
            connects: HashMap::new(),
        });
        drop(state);
        let client = Client { world: world.clone(), app: self.app.clone(), number, cookie };
        self.clients.lock().unwrap().spawn(client.live());
    }
}

struct Client {
    world: Arc<World>,
    app: Router,
    number: usize,
    cookie: String,
}

impl Client {
    async fn live(self) {
        if let (StatusCode::OK, open) = ask(&self.app, &self.cookie, "", Method::GET, "").await {
            let open: Value = serde_json::from_str(&open[1..]).unwrap();
            let id = open["sid"].as_str().unwrap().to_owned();
            let was_given_up;
            {
                let mut state = self.world.state();
                let connection = &mut state.record.connections[self.number];
                connection.id = Some(id.clone());
                let node = connection.node;
                was_given_up = connection.was_given_up;
                state.record.by_id.insert((node, id.clone()), self.number);
            }
            let query = format!("&sid={id}");
            if was_given_up {
                ask(&self.app, &self.cookie, &query, Method::POST, "1").await;
            }
            while let (StatusCode::OK, packets) =
                ask(&self.app, &self.cookie, &query, Method::GET, "").await
            {
                packets.split('\x1e').for_each(|packet| self.hears(packet));
                if packets.split('\x1e').any(|packet| packet == "1") {
                    break;
                }
            }
        }
        self.world.state().record.connections[self.number].is_closed = true;
    }

    fn hears(&self, packet: &str) {
        let Some(packet) = packet.strip_prefix('4') else { return };
        let (kind, rest) = packet.split_at(1);
        let namespace = match rest.split_once(',') {
            Some((namespace, _)) if namespace.starts_with('/') => namespace,
            _ => "/",
        };
        let namespace = NAMESPACES.into_iter().find(|name| *name == namespace).unwrap();
        if kind == "4" {
            ends::on_refusal(&self.world, self.number, namespace, rest);
        }
        let state = match kind {
            "0" => ConnectState::Admitted,
            "1" | "4" => ConnectState::Over,
            _ => return,
        };
        let mut world = self.world.state();
        let connection = &mut world.record.connections[self.number];
        if let Some(connect) = connection.connects.get_mut(namespace) {
            connect.state = state;
        }
    }
}

/// Sends a packet on a connection, if that is open.
pub(crate) fn send(world: &Arc<World>, node: &Node, number: usize, packet: String) {
    let (id, cookie) = {
        let state = world.state();
        let connection = &state.record.connections[number];
        (connection.id.clone(), connection.cookie.clone())
    };
    let Some(id) = id else { return };
    let app = node.app.clone();
    tokio::spawn(async move {
        ask(&app, &cookie, &format!("&sid={id}"), Method::POST, &packet).await;
    });
}

/// Sends CONNECT, if the connection is open and the namespace not connected.
pub(crate) fn connect(world: &Arc<World>, node: &Node, number: usize, namespace: &'static str) {
    {
        let mut state = world.state();
        let sent = state.now;
        let connection = &mut state.record.connections[number];
        let is_busy = connection
            .connects
            .get(namespace)
            .is_some_and(|connect| connect.state != ConnectState::Over);
        if connection.id.is_none() || is_busy {
            return;
        }
        let connect =
            Connect { sent, is_first: connection.connects.is_empty(), state: ConnectState::Sent };
        connection.connects.insert(namespace, connect);
    }
    let prefix = if namespace == "/" { String::new() } else { format!("{namespace},") };
    send(world, node, number, format!("40{prefix}"));
}

async fn ask(
    app: &Router,
    cookie: &str,
    query: &str,
    method: Method,
    body: &str,
) -> (StatusCode, String) {
    let uri = format!("/socket.io/?EIO=4&transport=polling{query}");
    let mut request = Request::builder().method(method).uri(uri).header("cookie", cookie);
    if !body.is_empty() {
        request = request.header("content-length", body.len());
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}
