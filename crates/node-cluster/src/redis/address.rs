//! What a URL says, and how to connect there.

use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, PubSub};
use ::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use ::redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, IntoConnectionInfo as _, TlsCertificates,
    TlsMode, Value,
};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::timeout;
use url::Url;

use super::{PATIENCE, RedisError};

/// Where to connect.
pub(crate) enum Address {
    Server(Box<Client>),
    /// Any node of a cluster passes on what is published: its seeds, and what makes a client of a
    /// master's host and port.
    Cluster {
        seeds: Vec<Client>,
        base: Box<Base>,
    },
    /// The master that the sentinels name.
    Sentinel(Box<Mutex<SentinelClient>>),
}

/// A URL without its host, and the certificates beside it.
pub(crate) struct Base {
    url: Url,
    certificates: Option<TlsCertificates>,
}

impl Base {
    fn client(&self, host: &str, port: Option<u16>) -> Result<Client, RedisError> {
        let mut url = self.url.clone();
        let bad_host = || RedisError::message("a host of the Redis cannot be read");
        url.set_host(Some(host)).map_err(|_| bad_host())?;
        url.set_port(port).map_err(|()| bad_host())?;
        client(&url, self.certificates.as_ref())
    }
}

fn client(url: &Url, certificates: Option<&TlsCertificates>) -> Result<Client, RedisError> {
    let reading = |error| RedisError::new("reading the Redis URL", error);
    let info = url.as_str().into_connection_info().map_err(reading)?;
    match certificates {
        Some(certificates) => Client::build_with_tls(info, certificates.clone()).map_err(reading),
        None => Client::open(info).map_err(reading),
    }
}

impl Address {
    /// The address, and the URL's `key`.
    pub(super) fn from_url(text: &str) -> Result<(Self, Option<String>), RedisError> {
        let mut nodes = Vec::new();
        for node in each_host(text) {
            let node = Url::parse(&node);
            nodes.push(node.map_err(|_| RedisError::message("the Redis URL cannot be read"))?);
        }
        let Some(first) = nodes.first() else {
            return Err(RedisError::message("the Redis URL names no server"));
        };
        if !matches!(first.scheme(), "redis" | "rediss") {
            return Err(RedisError::message("a Redis URL starts with redis: or rediss:"));
        }
        let options = Options::read(first)?;
        let is_tls = first.scheme() == "rediss";
        if is_tls {
            use_ring();
        } else if options.certificates.is_some() {
            return Err(RedisError::message("certificates are for rediss:, not for redis:"));
        }
        for node in &mut nodes {
            node.set_query(None);
        }
        let Options { key, cluster, sentinel, certificates } = options;
        let address = match (sentinel, nodes.as_slice()) {
            (Some(_), _) if cluster => {
                return Err(RedisError::message("a Redis has either a cluster or sentinels"));
            }
            (Some(name), nodes) => Self::sentinel(nodes, &name, is_tls, certificates.as_ref())?,
            (None, nodes) if cluster => {
                let seeds = nodes.iter().map(|node| client(node, certificates.as_ref()));
                let seeds = seeds.collect::<Result<_, _>>()?;
                let url = nodes.first().cloned();
                let url =
                    url.ok_or_else(|| RedisError::message("the Redis URL names no server"))?;
                Self::Cluster { seeds, base: Box::new(Base { url, certificates }) }
            }
            (None, [node]) => Self::Server(Box::new(client(node, certificates.as_ref())?)),
            (None, _) => {
                return Err(RedisError::message(
                    "a Redis URL with several servers needs ?cluster=true or ?sentinel=NAME",
                ));
            }
        };
        Ok((address, key))
    }

    /// User, password and database are the servers'. Sentinels are asked without.
    fn sentinel(
        nodes: &[Url],
        name: &str,
        is_tls: bool,
        certificates: Option<&TlsCertificates>,
    ) -> Result<Self, RedisError> {
        let reading = |error| RedisError::new("reading the Redis URL", error);
        let infos = nodes.iter().map(|node| node.as_str().into_connection_info());
        let infos = infos.collect::<Result<Vec<_>, _>>().map_err(reading)?;
        let sentinels = infos.iter().map(|info| info.addr().clone());
        let mut builder = SentinelClientBuilder::new(sentinels, name, SentinelServerType::Master)
            .map_err(reading)?;
        if let Some(redis) = infos.first().map(::redis::ConnectionInfo::redis_settings) {
            builder = builder.set_client_to_redis_db(redis.db());
            if let Some(user) = redis.username() {
                builder = builder.set_client_to_redis_username(user);
            }
            if let Some(password) = redis.password() {
                builder = builder.set_client_to_redis_password(password);
            }
        }
        if is_tls {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
        Ok(Self::Sentinel(Box::new(Mutex::new(builder.build().map_err(reading)?))))
    }

    /// A connection that hears what is published.
    pub(super) async fn subscriber(&self) -> Result<PubSub, RedisError> {
        let connect = |client: Client| async move { client.get_async_pubsub().await }.boxed();
        first(self.clients().await?, connect).await
    }

    /// A connection for commands.
    pub(super) async fn commands(&self) -> Result<MultiplexedConnection, RedisError> {
        let connect = |client: Client| async move { commands(&client).await }.boxed();
        first(self.clients().await?, connect).await
    }

    /// Those of which one will do.
    async fn clients(&self) -> Result<Vec<Client>, RedisError> {
        match self {
            Self::Server(client) => Ok(vec![(**client).clone()]),
            Self::Sentinel(sentinel) => {
                let asking = async { sentinel.lock().await.async_get_client().await };
                let client = timeout(PATIENCE, asking).await.map_err(|_| late())?;
                Ok(vec![client.map_err(|error| RedisError::new("asking the sentinels", error))?])
            }
            // Node counts the subscribers of masters alone.
            Self::Cluster { base, .. } => {
                let masters = self.masters().await?;
                masters.iter().map(|(host, port)| base.client(host, Some(*port))).collect()
            }
        }
    }

    /// How many connections are subscribed to exactly this channel.
    pub(super) async fn subscribers(&self, channel: &str) -> Result<u64, RedisError> {
        let mut count = 0;
        for client in self.clients().await? {
            let connected = timeout(PATIENCE, commands(&client)).await.map_err(|_| late())?;
            let mut connection =
                connected.map_err(|error| RedisError::new("connecting to Redis", error))?;
            count += subscribers(&mut connection, channel).await?;
        }
        Ok(count)
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster { .. })
    }

    /// The masters of a cluster, the one that was asked first.
    async fn masters(&self) -> Result<Vec<(String, u16)>, RedisError> {
        let Self::Cluster { seeds, .. } = self else { return Ok(Vec::new()) };
        let mut last = RedisError::message("the Redis URL names no server");
        for seed in seeds {
            let asking = async {
                let mut connection = commands(seed).await?;
                let slots: Value =
                    ::redis::cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
                Ok::<_, ::redis::RedisError>(slots)
            };
            match timeout(PATIENCE, asking).await {
                Ok(Ok(slots)) => {
                    let asked = seed.get_connection_info().addr().to_string();
                    return Ok(masters(&slots, &asked));
                }
                Ok(Err(error)) => last = RedisError::new("asking the Redis cluster", error),
                Err(_) => last = RedisError::message("the Redis cluster did not answer in time"),
            }
        }
        Err(last)
    }
}

fn late() -> RedisError {
    RedisError::message("the Redis did not answer in time")
}

/// The first that can be connected.
async fn first<T>(
    clients: Vec<Client>,
    connect: impl Fn(Client) -> BoxFuture<'static, Result<T, ::redis::RedisError>>,
) -> Result<T, RedisError> {
    let mut last = RedisError::message("the Redis cluster has no master");
    for client in clients {
        match timeout(PATIENCE, connect(client)).await {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) => last = RedisError::new("connecting to Redis", error),
            Err(_) => last = late(),
        }
    }
    Err(last)
}

/// `[[start, end, [host, port, …], …replicas], …]`. A node that does not know its own address leaves it
/// empty: then it is the one that was asked.
fn masters(slots: &Value, asked: &str) -> Vec<(String, u16)> {
    let asked = asked.rsplit_once(':').map_or(asked, |(host, _)| host);
    let mut masters = Vec::new();
    let Value::Array(ranges) = slots else { return masters };
    for range in ranges {
        let Value::Array(range) = range else { continue };
        let Some(Value::Array(master)) = range.get(2) else { continue };
        let host = match master.first() {
            Some(Value::BulkString(host)) if !host.is_empty() => {
                String::from_utf8_lossy(host).into_owned()
            }
            Some(Value::SimpleString(host)) if !host.is_empty() => host.clone(),
            _ => asked.to_owned(),
        };
        let Some(Value::Int(port)) = master.get(1) else { continue };
        let Ok(port) = u16::try_from(*port) else { continue };
        if !masters.contains(&(host.clone(), port)) {
            masters.push((host, port));
        }
    }
    masters
}

async fn commands(client: &Client) -> Result<MultiplexedConnection, ::redis::RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(Duration::from_secs(5)));
    client.get_multiplexed_async_connection_with_config(&config).await
}

pub(super) async fn subscribers(
    connection: &mut MultiplexedConnection,
    channel: &str,
) -> Result<u64, RedisError> {
    let mut ask = ::redis::cmd("PUBSUB");
    let answer = ask.arg("NUMSUB").arg(channel).query_async::<(String, u64)>(connection).await;
    answer.map(|(_, count)| count).map_err(|error| RedisError::new("counting the servers", error))
}

struct Options {
    key: Option<String>,
    cluster: bool,
    sentinel: Option<String>,
    certificates: Option<TlsCertificates>,
}

impl Options {
    fn read(url: &Url) -> Result<Self, RedisError> {
        let (mut key, mut cluster, mut sentinel) = (None, false, None);
        let (mut root_cert, mut client_cert, mut client_key) = (None, None, None);
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("key", key_) => key = Some(key_.to_owned()),
                ("cluster", "true") => cluster = true,
                ("cluster", "false") => {}
                ("cluster", _) => return Err(RedisError::message("`cluster` is true or false")),
                ("sentinel", name) => sentinel = Some(name.to_owned()),
                ("ca", path) => root_cert = Some(file("ca", path)?),
                ("cert", path) => client_cert = Some(file("cert", path)?),
                ("tls-key", path) => client_key = Some(file("tls-key", path)?),
                (unknown, _) => {
                    return Err(RedisError::message(format!(
                        "a Redis URL has no parameter `{unknown}`"
                    )));
                }
            }
        }
        let client_tls = match (client_cert, client_key) {
            (Some(client_cert), Some(client_key)) => {
                Some(ClientTlsConfig { client_cert, client_key })
            }
            (None, None) => None,
            _ => return Err(RedisError::message("`cert` and `tls-key` come together")),
        };
        let any = root_cert.is_some() || client_tls.is_some();
        let certificates = any.then_some(TlsCertificates { client_tls, root_cert });
        Ok(Self { key, cluster, sentinel, certificates })
    }
}

fn file(name: &str, path: &str) -> Result<Vec<u8>, RedisError> {
    std::fs::read(path)
        .map_err(|_| RedisError::message(format!("the file of `{name}` cannot be read")))
}

/// Each host of `redis://ann:secret@host1,host2:7000/0` as a URL of its own.
fn each_host(url: &str) -> Vec<String> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
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
    fn what_a_url_must_not_say_is_named_without_its_password() {
        for (url, what) in [
            ("", "names no server"),
            ("http://:hunter2@h/", "redis: or rediss:"),
            ("redis://:hunter2@h/?layout=knex", "no parameter `layout`"),
            ("redis://:hunter2@h/?cluster=maybe", "`cluster` is true or false"),
            ("redis://:hunter2@h1,h2/", "?cluster=true or ?sentinel"),
            ("redis://:hunter2@h/?cluster=true&sentinel=a", "either"),
            ("redis://:hunter2@h/?ca=/none", "the file of `ca`"),
            ("redis://:hunter2@h/?ca=/dev/null", "for rediss:"),
            ("rediss://:hunter2@h/?cert=/dev/null", "come together"),
            ("redis://:hunter2@h/many", "reading the Redis URL"),
            ("redis://:hunter2@h:port/", "cannot be read"),
        ] {
            let error = Address::from_url(url).err().unwrap();
            let text = format!("{error} {error:?}");
            assert!(text.contains(what) || url.is_empty(), "{url}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn urls_name_a_server_a_cluster_or_sentinels() {
        let kind = |url: &str| match Address::from_url(url).unwrap().0 {
            Address::Server(_) => "server".to_owned(),
            Address::Cluster { seeds, .. } => format!("cluster of {}", seeds.len()),
            Address::Sentinel(_) => "sentinels".to_owned(),
        };
        assert_eq!(kind("redis://127.0.0.1/"), "server");
        assert_eq!(kind("rediss://ann:p%40s@h:1/2"), "server");
        assert_eq!(kind("redis://h1:1,h2:2/?cluster=true&key=a"), "cluster of 2");
        assert_eq!(kind("redis://:secret@h1:1,h2:2/?sentinel=mymaster"), "sentinels");
    }

    #[test]
    fn masters_are_read_of_the_answer_each_once() {
        let node =
            |host: &str, port| Value::Array(vec![Value::BulkString(host.into()), Value::Int(port)]);
        let range = |start, node| Value::Array(vec![Value::Int(start), Value::Int(start), node]);
        let slots = Value::Array(vec![
            range(0, node("", 7000)),
            range(1, node("h2", 7001)),
            range(2, node("h2", 7001)),
            Value::Nil,
        ]);
        let expected = [("h1".to_owned(), 7000), ("h2".to_owned(), 7001)];
        assert_eq!(masters(&slots, "h1:7000"), expected);
    }
}
