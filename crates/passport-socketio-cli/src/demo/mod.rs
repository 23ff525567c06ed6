//! `passport-socketio demo`: a server that shows what the library does.
//!
//! Its house is either its own ([`own`]: users, sessions, a page to log in) or somebody else's
//! ([`foreign`]: sessions that your app writes, and nothing to log in to).

mod emitter;
mod foreign;
mod namespaces;
mod online;
mod own;
mod server;
mod user;
mod web;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use express_session::SessionId;
use passport_socketio::live::EndReason;
use passport_socketio::store::SessionStore;
use passport_socketio::{Authorizer, AuthorizerBuilder};
use socketioxide::adapter::Adapter;
use socketioxide::layer::SocketIoLayer;
use socketioxide::{SocketIo, SocketIoBuilder};

use crate::Failed;
use crate::args::DemoArgs;
use crate::sessions::Kind;
use user::{DemoUser, Users};

/// Where the demo's users come from.
pub(crate) struct House {
    /// `None` where the cookie carries the session.
    store: Option<Arc<dyn SessionStore>>,
    secrets: Vec<String>,
    users: Users,
    pages: Box<dyn FnOnce(EndSession) -> Router>,
}

/// Ends the sockets of a session that was logged out.
type EndSession = Arc<dyn Fn(&SessionId) + Send + Sync>;

/// Runs until SIGINT or SIGTERM.
pub(crate) async fn run(args: DemoArgs) -> Result<(), Failed> {
    if args.redis_adapter.is_some() && args.cluster_secret.is_none() {
        return Err("--redis-adapter needs --cluster-secret (or PASSPORT_SOCKETIO_CLUSTER_SECRET): the names of users' rooms are made of it, the same on all nodes".into());
    }
    emitter::check(&args)?;
    let kind = args.sessions.kind;
    let house = match args.store.as_deref() {
        None if kind.may_be_without_store() => foreign::open(&args).await?,
        None | Some("memory:") if kind == Kind::Express => own::open(&args).await?,
        None | Some("memory:") => return Err("sessions of this kind are in a store: name it with --store, such as redis://127.0.0.1/".into()),
        Some(_) => foreign::open(&args).await?,
    };
    let House { store, secrets, users, pages } = house;
    let auth = args
        .sessions
        .authorizer(&secrets, store.is_some())?
        .trust_proxy(&args.trusted_proxies)
        .path(&args.path)
        .max_stale(args.max_stale)
        .retry_at_http()
        .deserialize_user(async move |key| Ok::<_, Infallible>(users.find(key)));
    let mut auth = args.origins.iter().fold(auth, AuthorizerBuilder::origin);
    if let Some(store) = store {
        auth = auth.store(store);
    }
    if args.insecure_null_origin {
        auth = auth.insecure_null_origin();
    }
    if args.insecure_session_id_query {
        auth = auth.insecure_session_id_query();
    }
    if let Some(name) = &args.cluster_name {
        auth = auth.cluster_name(name);
    }
    if let Some(secret) = &args.cluster_secret {
        auth = auth.cluster_secret(secret);
    }
    let auth = auth.build()?;

    match &args.redis_adapter {
        None => {
            let (layer, io) = limited(&args.path).build_layer();
            namespaces::add(&io, &auth);
            serve(&args, auth, pages, layer, io).await
        }
        Some(url) => {
            let (layer, io) = clustered(url, prefix(&args), &args.path).await?;
            namespaces::add_clustered(&io, &auth).await?;
            serve(&args, auth, pages, layer, io).await
        }
    }
}

/// As much as Node's servers take of one message (`maxHttpBufferSize`).
const MAX_MESSAGE: u32 = 1_000_000;

fn limited(path: &str) -> SocketIoBuilder {
    let builder = SocketIo::builder().req_path(path.to_owned()).max_payload(MAX_MESSAGE.into());
    builder.ws_max_message_size(MAX_MESSAGE as usize).ws_max_frame_size(MAX_MESSAGE as usize)
}

async fn serve<A: Adapter>(
    args: &DemoArgs,
    auth: Authorizer<DemoUser>,
    pages: Box<dyn FnOnce(EndSession) -> Router>,
    layer: SocketIoLayer<A>,
    io: SocketIo<A>,
) -> Result<(), Failed> {
    let live = auth.attach(&io)?;
    // Hears until the server has stopped.
    let _listener = emitter::listen(args, &io, &auth).await?;
    let pages = web::with_files(
        &args.path,
        pages(Arc::new(move |sid| {
            live.end_session(sid, EndReason::LoggedOut);
        })),
    );
    let app = pages.layer(auth.layer_over(layer));
    server::serve(args.listen, app, async move || io.close().await).await
}

/// The channels of the demos. By default they would have the names of those of Node's servers, which would count the
/// demos, and wait for answers that never come.
fn prefix(args: &DemoArgs) -> &str {
    args.cluster_name.as_deref().unwrap_or("passport-socketio")
}

#[cfg(feature = "redis")]
mod cluster {
    use socketioxide_redis::drivers::redis::RedisDriver;
    use socketioxide_redis::{CustomRedisAdapter, RedisAdapterConfig, RedisAdapterCtr};

    use super::{SocketIo, SocketIoLayer, limited};
    use crate::Failed;

    pub(crate) type Clustered = CustomRedisAdapter<socketioxide::adapter::Emitter, RedisDriver>;

    pub(super) async fn clustered(
        url: &str,
        prefix: &str,
        path: &str,
    ) -> Result<(SocketIoLayer<Clustered>, SocketIo<Clustered>), Failed> {
        let mut url = url::Url::parse(url)?;
        // What the adapter's driver speaks.
        url.query_pairs_mut().append_pair("protocol", "resp3");
        let client = redis::Client::open(url)?;
        let config = RedisAdapterConfig::new().with_prefix(prefix.to_owned());
        let adapter = RedisAdapterCtr::new_with_redis_config(&client, config).await?;
        Ok(limited(path).with_adapter::<Clustered>(adapter).build_layer())
    }
}
#[cfg(feature = "redis")]
use cluster::{Clustered, clustered};
