#![expect(clippy::print_stdout, reason = "who starts it reads where it listens")]
//! A socketioxide server in a cluster of Node's, for the tests in `interop/node-cluster`:
//!
//! ```sh
//! cargo run --example cluster_server -- listen redis://127.0.0.1:6379/
//! ```
//!
//! The first argument is `listen` (emitters reach it, beside the local adapter) or `listen-redis` (the same
//! beside socketioxide-redis, whose URL is the third argument). `MSGPACK=1` speaks socket.io-msgpack-parser,
//! `QUEUE=N` lets N packets wait for a socket.

use std::collections::HashSet;
use std::error::Error;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use node_cluster::{
    Description, Hooks, Listener, Name, QueueLimits, Redis, ServerEvent, SocketAddress, Value,
};
use serde_json::json;
use socketioxide::adapter::Adapter;
use socketioxide::extract::{AckSender, Data, SocketRef, State};
use socketioxide::{ParserConfig, SocketIo, SocketIoBuilder};
use socketioxide_redis::{RedisAdapterConfig, RedisAdapterCtr};
use tokio::net::TcpListener;

type Failure = Box<dyn Error + Send + Sync>;

/// What an app with users decides: `user:ann` stands for the keyed room, a login that has ended
/// receives nothing more.
#[derive(Clone, Default)]
struct Users {
    ended: Arc<Mutex<HashSet<String>>>,
    events: Arc<Mutex<Vec<serde_json::Value>>>,
}

impl Users {
    fn end(&self, id: &str) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }

    fn events(&self) -> Vec<serde_json::Value> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Hooks for Users {
    fn may_receive(&self, socket: SocketAddress<'_>) -> bool {
        !self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains(socket.id)
    }

    fn may_join(&self, _: SocketAddress<'_>, room: &str) -> bool {
        !room.starts_with("user:") && !room.starts_with("keyed:")
    }

    fn name(&self, _: &str, name: &str) -> Name {
        match name.strip_prefix("user:") {
            Some(user) => Name::Rooms(vec![format!("keyed:{user}")]),
            None if name.starts_with("keyed:") => Name::Refused,
            None => Name::Plain,
        }
    }

    fn describe(&self, _: SocketAddress<'_>) -> Description {
        let data = Value::Map(vec![("user".into(), Value::Str("ann".into()))]);
        Description { data, ..Description::default() }
    }

    fn server_event(&self, event: ServerEvent<'_>) {
        let seen = json!({
            "namespace": event.namespace,
            "sender": event.sender,
            "name": event.event.name(),
            "args": event.event.args(),
        });
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        if let Some(answer) = event.answer {
            answer.send(Value::Str(format!("rust heard {}", event.event.name())));
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "socketioxide hands it over")]
/// All is there when this returns: a client may speak at once, and would not be heard before the first handler is there.
fn on_connect<A: Adapter>(socket: SocketRef<A>) -> Ready<()> {
    socket.on(
        "join",
        async |socket: SocketRef<A>, Data(rooms): Data<Vec<String>>, ack: AckSender<A>| {
            socket.join(rooms);
            let _ = ack.send(&());
        },
    );
    socket.on("rooms", async |socket: SocketRef<A>, ack: AckSender<A>| {
        let _ = ack.send(&socket.rooms());
    });
    // As its app would say who it is.
    socket.on(
        "login",
        async |socket: SocketRef<A>, Data(user): Data<String>, ack: AckSender<A>| {
            socket.join(format!("keyed:{user}"));
            let _ = ack.send(&());
        },
    );
    socket.on(
        "end",
        async |socket: SocketRef<A>, State(users): State<Users>, ack: AckSender<A>| {
            users.end(socket.id.as_str());
            let _ = ack.send(&());
        },
    );
    socket.on("events", async |State(users): State<Users>, ack: AckSender<A>| {
        let _ = ack.send(&users.events());
    });
    ready(())
}

async fn serve(app: Router) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}

fn builder(users: &Users) -> SocketIoBuilder {
    let builder = SocketIo::builder().with_state(users.clone());
    if std::env::var_os("MSGPACK").is_some() {
        builder.with_parser(ParserConfig::msgpack())
    } else {
        builder
    }
}

async fn listen<A: Adapter>(
    io: &SocketIo<A>,
    url: &str,
    users: Users,
) -> Result<Listener, Failure> {
    let mut queue = QueueLimits::default();
    if let Ok(packets) = std::env::var("QUEUE") {
        queue.packets = packets.parse()?;
    }
    let builder = Listener::builder(Redis::from_url(url)?).hooks(Arc::new(users)).queue(queue);
    Ok(builder.start(io).await?)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let users = Users::default();
    match arguments[..] {
        ["listen", url] => {
            let (layer, io) = builder(&users).build_layer();
            io.ns("/", on_connect);
            io.ns("/chat", on_connect);
            let listener = listen(&io, url, users).await?;
            serve(Router::new().layer(layer)).await?;
            drop(listener);
        }
        ["listen-redis", url, adapter] => {
            let config = RedisAdapterConfig::new().with_prefix("of-rust");
            let client = redis::Client::open(format!("{adapter}?protocol=resp3"))?;
            let adapter = RedisAdapterCtr::new_with_redis_config(&client, config).await?;
            let (layer, io) = builder(&users)
                .with_adapter::<socketioxide_redis::RedisAdapter<_>>(adapter)
                .build_layer();
            io.ns("/", on_connect).await?;
            io.ns("/chat", on_connect).await?;
            let listener = listen(&io, url, users).await?;
            serve(Router::new().layer(layer)).await?;
            drop(listener);
        }
        _ => return Err("listen URL, or listen-redis URL URL".into()),
    }
    Ok(())
}
