//! `/` for members only, `/lobby` for guests too, and what can be said on both.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use passport_socketio::{Auth, Authorizer, MaybeAuth};
use serde::Serialize;
use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::handler::ConnectHandler;
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::online::Online;
use super::user::DemoUser;
use crate::Failed;

const MEMBERS: &str = "/";
const LOBBY: &str = "/lobby";
/// In characters.
const LONGEST_MESSAGE: usize = 500;

/// One for each namespace.
static COUNTS: [Count; 2] = [Count::new(), Count::new()];

/// Who is online is told to everybody, whenever somebody comes or goes.
struct Count {
    /// Whoever waits counts those that come and go meanwhile, too.
    waiting: AtomicBool,
    /// A count that was made earlier must not arrive later.
    counting: Mutex<()>,
}

impl Count {
    const fn new() -> Self {
        Self { waiting: AtomicBool::new(false), counting: Mutex::const_new(()) }
    }
}

/// To tell everybody of everybody costs the square of their number: as long as that takes, the next
/// count waits. Nothing that anybody notices with ten tabs, and four seconds with a thousand.
fn pause_after(sockets: usize) -> Duration {
    Duration::from_micros(4).saturating_mul(u32::try_from(sockets * sockets).unwrap_or(u32::MAX))
}

/// The answer to `whoami`.
#[derive(Serialize)]
struct WhoAmI<'u> {
    user: Option<&'u DemoUser>,
    guest: bool,
    logged_in: bool,
}

pub(super) fn add(io: &SocketIo, auth: &Authorizer<DemoUser>) {
    io.ns(MEMBERS, on_connect.with(listen).with(auth.required()));
    io.ns(LOBBY, on_connect.with(listen).with(auth.optional()));
}

/// The same over a Redis, whose adapter has to be reached first.
#[cfg(feature = "redis")]
pub(super) async fn add_clustered(
    io: &SocketIo<super::Clustered>,
    auth: &Authorizer<DemoUser>,
) -> Result<(), Failed> {
    io.ns(MEMBERS, on_connect.with(listen).with(auth.required())).await?;
    io.ns(LOBBY, on_connect.with(listen).with(auth.optional())).await?;
    Ok(())
}

/// A chat message, stamped by the server with who said it.
#[derive(Serialize)]
struct Message<'m> {
    user: DemoUser,
    text: &'m str,
}

/// What can be said, set up in a middleware. A connect handler runs only after the client was told
/// that it is connected, and what a quick client says before its handlers are there is lost.
async fn listen<A: Adapter>(socket: SocketRef<A>) -> Result<(), Infallible> {
    socket.on("whoami", whoami::<A>);
    socket.on("message", message::<A>);
    socket.on_disconnect(tell_who_is_online::<A>);
    Ok(())
}

async fn on_connect<A: Adapter>(socket: SocketRef<A>, io: SocketIo<A>) {
    tell_who_is_online(socket, io).await;
}

/// For both namespaces: on `/`, `MaybeAuth` is always a user.
async fn whoami<A: Adapter>(user: MaybeAuth<DemoUser>, ack: AckSender<A>) {
    let answer =
        WhoAmI { user: user.user(), guest: user.user().is_none(), logged_in: user.logged_in() };
    // Whoever asked may be gone.
    ack.send(&answer).ok();
}

/// Members only, wherever they say it: a handler that takes `Auth` is not run for guests.
async fn message<A: Adapter>(
    user: Auth<DemoUser>,
    socket: SocketRef<A>,
    io: SocketIo<A>,
    Data(text): Data<String>,
    ack: AckSender<A>,
) {
    let text = text.trim();
    let said = !text.is_empty() && text.chars().count() <= LONGEST_MESSAGE;
    if let Some(everybody) = io.of(socket.ns()).filter(|_| said) {
        let message = Message { user: user.public(), text };
        if let Err(error) = everybody.emit("message", &message).await {
            tracing::debug!(%error, "not everybody heard a message");
        }
    }
    ack.send(&said).ok();
}

/// In a task of its own: the socket that has gone is not kept for it.
async fn tell_who_is_online<A: Adapter>(socket: SocketRef<A>, io: SocketIo<A>) {
    let (Some(here), Some(everybody)) = (io.of(socket.ns()), io.of(socket.ns())) else {
        return;
    };
    let [members, lobby] = &COUNTS;
    let count = if socket.ns() == LOBBY { lobby } else { members };
    if count.waiting.swap(true, Ordering::SeqCst) {
        return;
    }
    tokio::spawn(async move {
        let _counting = count.counting.lock().await;
        count.waiting.store(false, Ordering::SeqCst);
        let sockets = here.sockets();
        let (online, pause) = (Online::among(&sockets), pause_after(sockets.len()));
        drop(sockets);
        // Each node counts its own.
        if let Err(error) = everybody.local().emit("online", &online).await {
            tracing::debug!(%error, "not everybody heard who is online");
        }
        sleep(pause).await;
    });
}
