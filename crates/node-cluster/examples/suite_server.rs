#![expect(clippy::print_stdout, reason = "who starts it reads where it listens")]
//! A member of a cluster of Node's that is told over HTTP what to do, as Node's own adapter tests tell their servers:
//!
//! ```sh
//! cargo run --example suite_server -- redis://127.0.0.1:6379/
//! ```
//!
//! `interop/node-cluster/adapter-suite` puts it in the place of two of their three servers. `POST /` takes
//! `[method, argument]`, both JSON, and answers JSON.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use node_cluster::{
    Answer, Cluster, ClusterAdapter, Description, Event, Hooks, Redis, ServerEvent, SocketAddress,
    Target, Value,
};
use serde::Deserialize;
use serde_json::{Value as Anything, json};
use socketioxide::SocketIo;
use socketioxide::adapter::Emitter;
use tokio::net::TcpListener;

type Member = ClusterAdapter<Emitter>;
type Failure = Box<dyn Error + Send + Sync>;

/// What the tests set, and what they have not answered yet.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    data: HashMap<String, Value>,
    events: Vec<Anything>,
    answers: HashMap<usize, Answer>,
}

impl Said {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hooks for Said {
    fn describe(&self, socket: SocketAddress<'_>) -> Description {
        let data = self.lock().data.get(socket.id).cloned().unwrap_or_default();
        let handshake = Value::from(&json!({ "url": "/socket.io/", "secure": false }));
        Description { data, handshake }
    }

    fn server_event(&self, event: ServerEvent<'_>) {
        let mut said = self.lock();
        let number = said.events.len();
        said.events.push(json!({
            "namespace": event.namespace,
            "name": event.event.name(),
            "args": event.event.args(),
            "answer": event.answer.is_some(),
        }));
        said.answers.extend(event.answer.map(|answer| (number, answer)));
    }
}

#[derive(Clone)]
struct Server {
    io: SocketIo<Member>,
    cluster: Cluster,
    said: Said,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Argument {
    namespace: String,
    id: String,
    rooms: Vec<String>,
    event: String,
    args: Vec<Anything>,
    value: Anything,
    number: usize,
}

impl Server {
    async fn act(&self, method: &str, argument: Argument) -> Result<Anything, Failure> {
        let Argument { namespace, id, rooms, event, args, value, number } = argument;
        let socket = || {
            let operators = self.io.of("/")?;
            operators.get_socket(id.parse().ok()?)
        };
        let socket = || socket().ok_or("no such socket");
        Ok(match method {
            "namespace" => json!(self.io.ns(namespace, async || {}).await?),
            "ids" => {
                let sockets = self.io.of("/").ok_or("no namespace")?.sockets();
                sockets.iter().map(|socket| socket.id.to_string()).collect()
            }
            "join" => json!(socket()?.join(rooms)),
            "leave" => json!(socket()?.leave(rooms)),
            "rooms" => json!(socket()?.rooms()),
            "data" => json!(drop(self.said.lock().data.insert(id, Value::from(&value)))),
            "handshake" => {
                let socket = SocketAddress { namespace: "/", id: &id };
                json!(self.said.describe(socket).handshake)
            }
            "emit" => {
                let event = Event::new(event, args.iter().map(Value::from).collect())?;
                let target = Target { rooms, ..Target::default() };
                json!(self.cluster.emit("/", event, target).await?)
            }
            "events" => json!(self.said.lock().events.get(number..)),
            "answer" => {
                let answer = self.said.lock().answers.remove(&number);
                json!(answer.ok_or("answered already")?.send(Value::from(&value)))
            }
            _ => return Err("no such method".into()),
        })
    }
}

async fn control(
    State(server): State<Server>,
    Json((method, argument)): Json<(String, Argument)>,
) -> Json<Anything> {
    let done = server.act(&method, argument).await;
    Json(done.unwrap_or_else(|error| json!({ "error": error.to_string() })))
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("suite_server URL [specific]")?;
    let said = Said::default();
    let builder = Cluster::builder(Redis::from_url(&url)?)
        .hooks(Arc::new(said.clone()))
        .request_timeout(Duration::from_secs(1));
    let builder = if arguments.next().as_deref() == Some("specific") {
        builder.answer_on_specific_channel()
    } else {
        builder
    };
    let cluster = builder.connect().await?;
    let (layer, io) = SocketIo::builder().with_adapter::<Member>(cluster.clone()).build_layer();
    io.ns("/", async || {}).await?;
    let server = Server { io, cluster, said };
    let app = Router::new().route("/", post(control)).with_state(server).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
