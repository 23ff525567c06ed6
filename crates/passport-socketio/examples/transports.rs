//! A server over Redis with the layer as `LAYER` says (`over`, `plain`, `none`), and the options in
//! `OPTIONS` ([`set`]). The interop suite runs official clients against it:
//!
//! ```sh
//! REDIS_URL=redis://127.0.0.1/ SESSION_SECRET='keyboard cat' LAYER=over \
//!   cargo run -p passport-socketio --features redis --example transports
//! ```

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use passport_socketio::store::redis::RedisStore;
use passport_socketio::{Authorizer, AuthorizerBuilder, MaybeAuth, RateLimit};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::ConnectHandler as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

type BoxError = Box<dyn std::error::Error>;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "whoever started this waits for it")]
async fn main() -> Result<(), BoxError> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    log.with_writer(io::stderr).with_ansi(false).init();

    let store = RedisStore::connect(&env("REDIS_URL")?).await?;
    let auth = Authorizer::builder()
        .secret(env("SESSION_SECRET")?)
        .store(store)
        .deserialize_user(async |id: i64| Ok::<_, Infallible>(Some(id)))
        // Shorter than anybody should want, for those who wait for it.
        .connect_within(Duration::from_secs(2))
        .store_timeout(Duration::from_secs(1));
    let options = env("OPTIONS").unwrap_or_default();
    let auth = options.split_whitespace().try_fold(auth, set)?;
    let auth = env("ORIGIN").into_iter().fold(auth, AuthorizerBuilder::origin).build()?;

    // As much of one message as Node takes.
    let (layer, io) = SocketIo::builder()
        .max_payload(1_000_000)
        .ws_max_message_size(1_000_000)
        .ws_max_frame_size(1_000_000)
        .build_layer();
    io.ns("/", ignore.with(listen).with(auth.required()));
    io.ns("/lobby", ignore.with(listen).with(auth.optional()));
    let app = match env("LAYER")?.as_str() {
        "over" => axum::Router::new().layer(auth.layer_over(layer)),
        "none" => axum::Router::new().layer(layer),
        _ => axum::Router::new().layer(layer).layer(auth.layer()),
    };

    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("listening on http://{}", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, app).into_future() => served?,
        _ = terminate.recv() => io.close().await,
    }
    Ok(())
}

fn set(auth: AuthorizerBuilder<i64>, option: &str) -> Result<AuthorizerBuilder<i64>, String> {
    match option {
        "refuse-at-http" => Ok(auth.refuse_at_http()),
        "retry-at-http" => Ok(auth.retry_at_http()),
        // Who asks twice has to wait for three seconds. A test's clients name their own addresses.
        "limit-handshakes" => {
            let limit = RateLimit::per_minute(20).burst(1);
            Ok(auth.trust_proxy(["127.0.0.0/8"]).limit_handshakes_per_ip(limit))
        }
        "short-grace" => {
            let second = Duration::from_secs(1);
            Ok(auth.max_stale(second).outage_grace(second))
        }
        _ => Err(format!("OPTIONS: {option:?} is none")),
    }
}

async fn ignore() {}

async fn listen(socket: SocketRef) -> Result<(), Infallible> {
    socket.on("whoami", async |user: MaybeAuth<i64>, ack: AckSender| {
        ack.send(&json!({ "user": user.user() })).ok();
    });
    // For a client that stops to read. The others learn when no more fits into its buffer.
    socket.on("flood", async |socket: SocketRef| {
        let news = "x".repeat(1 << 17);
        while socket.emit("news", &news).is_ok() {}
        socket.broadcast().emit("flooded", &()).await.ok();
    });
    Ok(())
}

fn env(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}"))
}
