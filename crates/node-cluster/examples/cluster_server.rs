#![expect(clippy::print_stdout, reason = "who starts it reads where it listens")]
//! A socketioxide server in a cluster of Node's, for the tests in `interop/node-cluster`:
//!
//! ```sh
//! cargo run --example cluster_server -- listen redis://127.0.0.1:6379/
//! ```
//!
//! The first argument is `member` (of the cluster), `listen` (emitters reach it, beside the local adapter) or `listen-redis` (the same
//! beside socketioxide-redis, whose URL is the third argument). `MSGPACK=1` speaks socket.io-msgpack-parser,
//! `QUEUE=N` lets N packets wait for a socket.

use std::collections::HashSet;
use std::error::Error;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use futures_util::StreamExt as _;
use node_cluster::{
    Cluster, ClusterAdapter, Description, Event, Hooks, Listener, Name, QueueLimits, Redis,
    ServerEvent, SocketAddress, Target, Value,
};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use socketioxide::adapter::{Adapter, Emitter};
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

type Member = ClusterAdapter<Emitter>;

/// What a client may ask its server to do in the cluster, and what comes of it.
async fn act(
    socket: SocketRef<Member>,
    io: SocketIo<Member>,
    cluster: Cluster,
    method: &str,
    args: &Json,
) -> Result<Json, Failure> {
    let target: Target =
        serde_json::from_value::<Names>(args["target"].clone()).unwrap_or_default().into();
    let rooms: Vec<String> = serde_json::from_value(args["rooms"].clone()).unwrap_or_default();
    let ns = socket.ns();
    let name = args["event"].as_str().unwrap_or("x").to_owned();
    let values = [Value::from(&args["value"]), Value::Bytes(vec![1, 2].into())];
    let event = Event::new(name.clone(), values.to_vec())?;
    let value = (args["value"].clone(), Value::Bytes(vec![1, 2].into()));
    let timeout = Duration::from_millis(args["timeout"].as_u64().unwrap_or(2_000));
    let operators = || {
        let operators = io.of(ns).ok_or("no namespace")?;
        let operators =
            if target.rooms.is_empty() { operators } else { operators.to(target.rooms.clone()) };
        let excepts = !target.except.is_empty();
        Ok::<_, Failure>(if excepts { operators.except(target.except.clone()) } else { operators })
    };
    Ok(match method {
        "fetchSockets" => {
            let sockets = cluster.fetch_sockets(ns, target).await?.into_iter();
            let sockets = sockets.map(
                |socket| json!({ "id": socket.id, "rooms": socket.rooms, "data": socket.data }),
            );
            sockets.collect()
        }
        "allRooms" => json!(cluster.all_rooms(ns).await?),
        "serverCount" => json!(cluster.server_count(ns).await?),
        "emit" => json!(cluster.emit(ns, event, target).await?),
        "emitWithAck" => json!(cluster.emit_with_ack(ns, event, target, timeout).await?),
        "join" => json!(cluster.sockets_join(ns, target, rooms).await?),
        "leave" => json!(cluster.sockets_leave(ns, target, rooms).await?),
        "disconnect" => json!(cluster.disconnect_sockets(ns, target, true).await?),
        "serverSideEmit" => json!(cluster.server_side_emit(ns, event).await?),
        "serverSideEmitWithAck" => json!(cluster.server_side_emit_with_ack(ns, event).await?),
        "io.emit" => json!(operators()?.emit(name, &value).await.map_err(told)?),
        "io.emitWithAck" => {
            let acks = operators()?
                .timeout(timeout)
                .emit_with_ack::<_, Json>(name, &value)
                .await
                .map_err(told)?;
            acks.map(|(_, ack)| ack.unwrap_or_else(|_| json!("late")))
                .collect::<Vec<_>>()
                .await
                .into()
        }
        "io.join" => json!(operators()?.join(rooms).await?),
        "io.leave" => json!(operators()?.leave(rooms).await?),
        "io.disconnect" => json!(operators()?.disconnect().await.map_err(told)?),
        "io.fetchSockets" => json!(operators()?.fetch_sockets().await?.len()),
        "io.rooms" => json!(operators()?.rooms().await?),
        "broadcast" => json!(socket.broadcast().emit(name, &value).await.map_err(told)?),
        _ => return Err("no such method".into()),
    })
}

/// socketioxide's errors are not `Sync`.
fn told(error: impl std::fmt::Display) -> Failure {
    error.to_string().into()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    rooms: Vec<String>,
    except: Vec<String>,
}

impl From<Names> for Target {
    fn from(Names { rooms, except }: Names) -> Self {
        Self { rooms, except, ..Self::default() }
    }
}

fn on_connect_member(
    socket: SocketRef<Member>,
    State(cluster): State<Cluster>,
    io: SocketIo<Member>,
) -> Ready<()> {
    socket.on(
        "act",
        async move |socket: SocketRef<Member>,
                    Data((method, args)): Data<(String, Json)>,
                    ack: AckSender<Member>| {
            let done = act(socket, io, cluster, &method, &args).await;
            let _ = ack.send(&done.unwrap_or_else(|error| json!({ "error": error.to_string() })));
        },
    );
    on_connect(socket)
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
        ["member", url] => {
            let hooks = Arc::new(users.clone());
            let cluster = Cluster::builder(Redis::from_url(url)?)
                .hooks(hooks)
                .request_timeout(Duration::from_secs(2))
                .connect()
                .await?;
            let (layer, io) = builder(&users)
                .with_state(cluster.clone())
                .with_adapter::<Member>(cluster)
                .build_layer();
            io.ns("/", on_connect_member).await?;
            io.ns("/chat", on_connect_member).await?;
            io.dyn_ns("/room/{id}", on_connect_member)?;
            serve(Router::new().layer(layer)).await?;
        }
        _ => return Err("member URL, listen URL, or listen-redis URL URL".into()),
    }
    Ok(())
}
