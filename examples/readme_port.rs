//! The README of passport.socketio, in Rust: its samples as one server, in the order they have
//! there. `docs/from-passport-socketio.md` shows each beside the JavaScript it comes from. Users log
//! in through an Express + Passport app that keeps its sessions in Redis:
//!
//! ```sh
//! REDIS_URL=redis://127.0.0.1/ SESSION_SECRET='keyboard cat' cargo run -p passport-socketio --example readme_port
//! ```

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, LazyLock};

use passport_socketio::store::redis::RedisStore;
use passport_socketio::{
    Auth, Authorizer, AuthorizerBuilder, Candidate, Failure, MaybeAuth, Reject, Verdict,
    filter_sockets_by_user,
};
use serde::Serialize;
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::ConnectHandler as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Duration, timeout};
use tracing_subscriber::EnvFilter;

type BoxError = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    log.with_writer(io::stderr).with_ansi(false).init();

    // "find a working session store": the one the app uses. Several authorizers may share it.
    let store = Arc::new(RedisStore::connect(&env("REDIS_URL")?).await?);
    let secret = env("SESSION_SECRET")?;
    let authorizer = || authorizer(&store, &secret);

    // io.use(passportSocketIo.authorize({ …, success: onAuthorizeSuccess }))
    // A namespace without an authorizer lets everybody in, so each has its own line here.
    // As much of one message as Node takes.
    let (layer, io) = SocketIo::builder()
        .max_payload(1_000_000)
        .ws_max_message_size(1_000_000)
        .ws_max_frame_size(1_000_000)
        .build_layer();
    let auth = authorizer().success(on_authorize_success).build()?;
    io.ns("/", on_connection.with(listen).with(auth.required()));
    let app = axum::Router::new().layer(auth.layer_over(layer));

    // fail: accept(new Error(message))
    let auth = authorizer().fail(refuse_with_reason).build()?;
    io.ns("/refuse-with-reason", on_connection.with(auth.required()));

    // fail: "accepts every client unless there's an error"
    let auth = authorizer().fail(accept_unless_error).build()?;
    let on_guest = on_connection.with(listen_to_guests);
    io.ns("/all-unless-error", on_guest.with(auth.required()));

    // success: accept(new Error('optional reason'))
    let auth = authorizer().success(reject).build()?;
    io.ns("/rejected", on_connection.with(auth.required()));

    // success: nobody is connected before `accept` is called, however long that takes.
    let auth = authorizer().success(wait_for_accept).build()?;
    io.ns("/gated", on_connection.with(auth.required()));

    let listener = TcpListener::bind(env("LISTEN").as_deref().unwrap_or("127.0.0.1:0")).await?;
    serve(listener, app, io).await
}

/// The options that all samples have in common.
fn authorizer(store: &Arc<RedisStore>, secret: &str) -> AuthorizerBuilder<User> {
    let users: Arc<[User]> = users().into();
    Authorizer::builder()
        .key("express.sid") // make sure it is the same as in the app's session()
        .secret(secret) // and so is this
        .store(store.clone())
        // passport.deserializeUser. The argument's type is the key's: `i64` here, often `String`.
        .deserialize_user(async move |id: i64| {
            Ok::<_, Infallible>(users.iter().find(|user| user.id == id).cloned())
        })
}

// ── The success callback: `Ok(())` is accept() ──────────────────────────────────────────────────

async fn on_authorize_success(_: Candidate<User>) -> Result<(), Reject> {
    tracing::info!("successful connection to socket.io");
    Ok(())
}

async fn reject(_: Candidate<User>) -> Result<(), Reject> {
    Err(Reject::new("optional reason"))
}

/// Everybody who waits here is let in by one `accept`.
static DOOR: LazyLock<watch::Sender<()>> = LazyLock::new(|| watch::Sender::new(()));

async fn wait_for_accept(_: Candidate<User>) -> Result<(), Reject> {
    DOOR.subscribe().changed().await.ok();
    Ok(())
}

// ── The fail callback: what it returns is what happens ──────────────────────────────────────────

/// The client reads the reason. It names neither the session nor the store.
fn refuse_with_reason(failure: &Failure) -> Verdict {
    failure.refuse_with(failure.message())
}

fn accept_unless_error(failure: &Failure) -> Verdict {
    if failure.is_error() { failure.refuse() } else { failure.guest() }
}

// ── socket.request.user ─────────────────────────────────────────────────────────────────────────

async fn on_connection() {}

/// The user is there for every handler that takes it as an argument. This runs as a middleware: the
/// host starts `on_connection` only after the client was told, and loses what a quick client says.
async fn listen(socket: SocketRef) -> Result<(), Infallible> {
    socket.on("whoami", async |user: Auth<User>, ack: AckSender| {
        ack.send(&*user).ok();
    });
    socket.on("greet women", greet_women);

    // How many wait at `/gated`, and the word that lets them in.
    socket.on("pending", async |ack: AckSender| {
        ack.send(&DOOR.receiver_count()).ok();
    });
    socket.on("accept", async |ack: AckSender| {
        DOOR.send_replace(());
        ack.send(&true).ok();
    });
    Ok(())
}

/// `socket.request.user.logged_in`
async fn listen_to_guests(socket: SocketRef) -> Result<(), Infallible> {
    socket.on("whoami", async |user: MaybeAuth<User>, ack: AckSender| {
        ack.send(&json!({ "logged_in": user.logged_in() })).ok();
    });
    Ok(())
}

// ── filterSocketsByUser ─────────────────────────────────────────────────────────────────────────

async fn greet_women(io: SocketIo, ack: AckSender) {
    let women = filter_sockets_by_user(&io, |user: &User| user.gender == "female");
    for socket in &women {
        socket.emit("messsage", "hello, woman!").ok(); // spelled as the original spells it
    }
    ack.send(&women.len()).ok();
}

// ── Around it: users, logs, a clean end ─────────────────────────────────────────────────────────

#[derive(Clone, Serialize)]
struct User {
    id: i64,
    name: &'static str,
    gender: &'static str,
}

fn users() -> Vec<User> {
    [(42, "ann", "female"), (7, "bob", "male"), (0, "zero", "male"), (1, "jose", "male")]
        .map(|(id, name, gender)| User { id, name, gender })
        .into()
}

fn env(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}"))
}

/// Serves until SIGINT or SIGTERM, then closes every socket and waits a moment for the rest.
#[expect(clippy::print_stdout, reason = "whoever started this waits for it")]
async fn serve(listener: TcpListener, app: axum::Router, io: SocketIo) -> Result<(), BoxError> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("listening on http://{}", listener.local_addr()?);

    let (stop, mut stopped) = watch::channel(());
    let stopped = async move { stopped.changed().await.unwrap_or_default() };
    let server = axum::serve(listener, app).with_graceful_shutdown(stopped);
    let server = tokio::spawn(server.into_future());
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    drop(stop);
    let drain = async { tokio::join!(io.close(), server) };
    if timeout(Duration::from_secs(3), drain).await.is_err() {
        tracing::warn!("some connections did not close in time");
    }
    Ok(())
}
