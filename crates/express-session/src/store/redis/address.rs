//! What a URL says, and how to connect there.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::cluster::ClusterClient;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ErrorKind, IntoConnectionInfo as _,
    Pipeline, ProtocolVersion, PushInfo, RedisError, RedisFuture, TlsCertificates, Value,
};
use tokio::sync::broadcast;
use tokio::time::timeout;

use super::super::{StoreError, StoreUrl, parameters};
use super::masters::Nodes;
use super::sentinel::{self, Sentinels};
use super::slots::Slots;
use super::told::{refuses_resp3, told};

/// What the server tells unasked.
pub(crate) type Pushes = broadcast::Sender<PushInfo>;

/// A server that is there accepts within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// What a node of a cluster may take for an answer before it is asked again.
const NODE_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a cluster is asked again within one call, and after how many milliseconds at most.
const RETRIES: u32 = 3;
const RETRY_MS: (u64, u64) = (20, 500);

/// Where to connect.
pub(super) enum Address {
    /// RESP3 first, in which a server can tell of changes (Redis 6.0), unless the URL says otherwise.
    Server {
        resp3: Option<Box<Client>>,
        client: Box<Client>,
    },
    Cluster {
        client: Box<ClusterClient>,
        nodes: Box<Nodes>,
    },
    Sentinel(Box<Sentinels>),
}

impl Address {
    /// The address, and the URL's `prefix`.
    pub(super) fn from_url(url: &str) -> Result<(Self, Option<String>), StoreError> {
        let mut url = parameters::read(url)?;
        let sentinel = sentinel::Named::take(&mut url)?;
        let is_socket = url.scheme().ends_with("unix");
        let prefix = url.take("prefix")?;
        let cluster = switch(&mut url, "cluster")?;
        let certificates = certificates(&mut url)?;
        let is_the_drivers = |name: &str| {
            name == "protocol" || (is_socket && ["db", "user", "pass"].contains(&name))
        };
        if let Some(unknown) = url.names().find(|name| !is_the_drivers(name)) {
            return Err(StoreError::message(format!(
                "a Redis URL has no parameter `{unknown}`; there are prefix, cluster, sentinel, ca, \
                 cert and key"
            )));
        }
        if matches!(url.scheme(), "rediss" | "valkeys") {
            use_ring();
        } else if certificates.is_some() {
            return Err(StoreError::message("certificates are for rediss:, not for redis:"));
        }
        let nodes = if is_socket { vec![url.rest()] } else { nodes(&url.rest()) };
        let address = match (sentinel, nodes.as_slice()) {
            (Some(_), _) if cluster => {
                return Err(StoreError::message("a Redis has either a cluster or sentinels"));
            }
            (Some(named), nodes) => Sentinels::new(nodes, named, certificates.as_ref())
                .map(|sentinels| Self::Sentinel(Box::new(sentinels))),
            (None, _) if cluster => Self::cluster(nodes, certificates),
            (None, [server]) => Self::server(server, certificates.as_ref()),
            (None, _) => {
                return Err(StoreError::message(
                    "a Redis URL with several servers needs ?cluster=true or ?sentinel=NAME",
                ));
            }
        };
        let address = address.map_err(|error| told("reading the Redis URL", error))?;
        Ok((address, prefix))
    }

    fn server(url: &str, certificates: Option<&TlsCertificates>) -> Result<Self, RedisError> {
        let open = |protocol: Option<ProtocolVersion>| {
            let mut info = url.into_connection_info()?;
            if let Some(protocol) = protocol {
                let redis = info.redis_settings().clone().set_protocol(protocol);
                info = info.set_redis_settings(redis);
            }
            Ok::<_, RedisError>(Box::new(match certificates {
                Some(certificates) => Client::build_with_tls(info, certificates.clone())?,
                None => Client::open(info)?,
            }))
        };
        let is_open = !url.contains("protocol=");
        let resp3 = if is_open { Some(open(Some(ProtocolVersion::RESP3))?) } else { None };
        Ok(Self::Server { resp3, client: open(None)? })
    }

    fn cluster(
        nodes: Vec<String>,
        certificates: Option<TlsCertificates>,
    ) -> Result<Self, RedisError> {
        let (shortest, longest) = RETRY_MS;
        let first = nodes.first().map_or("", String::as_str).into_connection_info()?;
        let redis = first.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = first.set_redis_settings(redis);
        let permits_resp3 = !nodes.iter().any(|node| node.contains("protocol="));
        let each = Nodes { info, certificates: certificates.clone(), permits_resp3 };
        let mut client = ClusterClient::builder(nodes)
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(NODE_TIMEOUT)
            .overall_response_timeout(None)
            .retries(RETRIES)
            .min_retry_wait(shortest)
            .max_retry_wait(longest);
        if let Some(certificates) = certificates {
            client = client.certs(certificates);
        }
        Ok(Self::Cluster { client: Box::new(client.build()?), nodes: Box::new(each) })
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster { .. })
    }

    pub(super) fn nodes(&self) -> Option<&Nodes> {
        match self {
            Self::Cluster { nodes, .. } => Some(nodes),
            Self::Server { .. } | Self::Sentinel(_) => None,
        }
    }

    /// Returns when the server that was connected to last is not the right one any more.
    pub(super) async fn has_moved(&self) {
        match self {
            Self::Sentinel(sentinels) => sentinels.has_moved().await,
            Self::Server { .. } | Self::Cluster { .. } => pending().await,
        }
    }

    /// Whether a connection may speak RESP3 as far as the URL is concerned.
    pub(super) fn permits_resp3(&self) -> bool {
        match self {
            Self::Server { resp3, .. } => resp3.is_some(),
            Self::Sentinel(sentinels) => sentinels.permits_resp3,
            Self::Cluster { .. } => false,
        }
    }

    /// A new connection, made within a few seconds. What the server tells unasked goes to `pushes`.
    pub(super) async fn connect(&self, pushes: &Pushes) -> Result<Connection, StoreError> {
        let operation = "connecting to Redis";
        let connecting = async {
            let connected = match self {
                Self::Server { resp3, client } => connect(resp3.as_deref(), client, pushes).await,
                Self::Sentinel(sentinels) => {
                    let (resp3, client) = sentinels.master().await?;
                    connect(resp3.as_ref(), &client, pushes).await
                }
                Self::Cluster { client, .. } => client.get_async_connection().await.map(|to| {
                    Connection::Cluster(Cluster { connection: to, slots: Arc::default() })
                }),
            };
            connected.map_err(|error| told(operation, error))
        };
        match timeout(2 * CONNECT_TIMEOUT, connecting).await {
            Ok(connected) => connected,
            Err(late) => Err(StoreError::new(operation, late).server_away()),
        }
    }
}

/// To one server: in RESP3 if the server takes it.
async fn connect(
    resp3: Option<&Client>,
    client: &Client,
    pushes: &Pushes,
) -> Result<Connection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        // How long a call may take is for `Link` to say.
        .set_response_timeout(None);
    if let Some(client) = resp3 {
        let config = config.clone().set_push_sender(pushes.clone());
        match client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(to) => return Ok(Connection::Server { to, tells_changes: true }),
            Err(error) if refuses_resp3(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let to = client.get_multiplexed_async_connection_with_config(&config).await?;
    Ok(Connection::Server { to, tells_changes: false })
}

/// One server by its URL, with the same rules and the same TLS as a store's: for what else of this
/// project speaks with Redis.
#[doc(hidden)]
#[derive(Debug)]
pub struct SingleServer(Client);

impl SingleServer {
    /// It is spoken with in RESP3, in which a connection that listens can also ask.
    ///
    /// # Errors
    /// [`StoreError`] if the URL is none, is that of a cluster, or has a `prefix` or a `protocol`.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        match Address::from_url(url)? {
            (_, Some(_)) => Err(StoreError::message("this Redis URL takes no parameter `prefix`")),
            (Address::Cluster { .. } | Address::Sentinel(_), _) => Err(StoreError::message(
                "this Redis URL must name one server, neither a cluster nor sentinels",
            )),
            (Address::Server { resp3: Some(client), .. }, None) => Ok(Self(*client)),
            (Address::Server { resp3: None, .. }, None) => {
                Err(StoreError::message("this Redis URL takes no parameter `protocol`"))
            }
        }
    }

    /// The driver's client.
    pub fn into_client(self) -> Client {
        self.0
    }
}

/// To a server, or to a cluster. Clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Server { to: MultiplexedConnection, tells_changes: bool },
    Cluster(Cluster),
}

impl Connection {
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Whether it speaks RESP3, and so can tell of changes unasked.
    pub(super) fn tells_changes(&self) -> bool {
        matches!(self, Self::Server { tells_changes: true, .. })
    }
}

#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) connection: ClusterConnection,
    /// As they were when somebody last asked.
    slots: Arc<Mutex<Option<Arc<Slots>>>>,
}

impl Cluster {
    /// Which node has what: asked for once, until it turns out to be old.
    pub(super) async fn slots(&self) -> Result<Arc<Slots>, RedisError> {
        let known = self.known_slots().clone();
        if let Some(slots) = known {
            return Ok(slots);
        }
        let mut ask = ::redis::cmd("CLUSTER");
        let answer = ask.arg("SLOTS").query_async(&mut self.connection.clone()).await?;
        let slots = Arc::new(Slots::read(&answer).ok_or((
            ErrorKind::UnexpectedReturnType,
            "CLUSTER SLOTS was answered with something else",
        ))?);
        *self.known_slots() = Some(slots.clone());
        Ok(slots)
    }

    pub(super) fn forget_slots(&self) {
        *self.known_slots() = None;
    }

    fn known_slots(&self) -> MutexGuard<'_, Option<Arc<Slots>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server { to, .. } => to.req_packed_command(command),
            Self::Cluster(cluster) => cluster.connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server { to, .. } => to.req_packed_commands(commands, offset, count),
            Self::Cluster(cluster) => {
                cluster.connection.req_packed_commands(commands, offset, count)
            }
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server { to, .. } => to.get_db(),
            Self::Cluster(cluster) => cluster.connection.get_db(),
        }
    }
}

fn switch(url: &mut StoreUrl, name: &str) -> Result<bool, StoreError> {
    match url.take(name)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(StoreError::message(format!("`{name}` is true or false"))),
    }
}

/// `ca`, `cert` and `key`: the files are read once, here.
fn certificates(url: &mut StoreUrl) -> Result<Option<TlsCertificates>, StoreError> {
    let mut file = |name: &str| -> Result<Option<Vec<u8>>, StoreError> {
        let Some(path) = url.take(name)? else {
            return Ok(None);
        };
        std::fs::read(path)
            .map(Some)
            .map_err(|error| StoreError::new(format!("reading the file of `{name}`"), error))
    };
    let (root_cert, client_cert, client_key) = (file("ca")?, file("cert")?, file("key")?);
    let client_tls = match (client_cert, client_key) {
        (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
        (None, None) => None,
        _ => return Err(StoreError::message("`cert` and `key` come together")),
    };
    let any = root_cert.is_some() || client_tls.is_some();
    Ok(any.then_some(TlsCertificates { client_tls, root_cert }))
}

/// Each host of `redis://ann:secret@host1,host2:7000/0` as a URL of its own.
fn nodes(url: &str) -> Vec<String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    hosts.split(',').map(|host| format!("{scheme}://{user}{host}{path}")).collect()
}

/// The driver asks rustls for the process' cryptography, and brings the process down if there is
/// none, or several. A program that has chosen one keeps it.
fn use_ring() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_becomes_a_url_of_its_own() {
        for (url, expected) in [
            ("redis://h", vec!["redis://h"]),
            ("redis://h:1/3?protocol=resp3", vec!["redis://h:1/3?protocol=resp3"]),
            (
                "rediss://ann:p%40s,s@h1:1,h2/",
                vec!["rediss://ann:p%40s,s@h1:1/", "rediss://ann:p%40s,s@h2/"],
            ),
            ("redis://[::1]:1,[::1]:2", vec!["redis://[::1]:1", "redis://[::1]:2"]),
        ] {
            assert_eq!(nodes(url), expected);
        }
    }

    #[test]
    fn the_error_for_a_refused_url_says_why_and_hides_the_password() {
        for (url, what) in [
            ("redis://:hunter2@h/?layout=knex", "no parameter `layout`"),
            ("redis://:hunter2@h/?cluster=maybe", "`cluster` is true or false"),
            ("redis://:hunter2@h1,h2/", "?cluster=true or ?sentinel=NAME"),
            ("redis://:hunter2@h/?cluster=true&sentinel=a", "either a cluster or sentinels"),
            ("redis-sentinel://:hunter2@h/0", "?sentinel=NAME"),
            ("redis://h/?sentinelPassword=hunter2", "?sentinel=NAME"),
            ("redis://:hunter2@h/?ca=/none", "rediss:"),
            ("rediss://:hunter2@h/?ca=/none", "the file of `ca`"),
            ("rediss://:hunter2@h/?cert=/dev/null", "come together"),
            ("redis://:hunter2@h/many", "reading the Redis URL"),
            ("redis://:hunter2@h:port/", "reading the Redis URL"),
            ("redis://", "reading the Redis URL"),
        ] {
            let error = Address::from_url(url).err().unwrap();
            let told = format!("{error} {error:?}");
            assert!(told.contains(what) || what == "rediss:", "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
