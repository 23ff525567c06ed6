//! The master that sentinels know.
//!
//! A connection is made to whichever server is the master then. After a failover the old master
//! closes it, or is gone; one that is neither, because the sentinels lost sight of it, is found by
//! asking them again and again.

use std::sync::{Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use ::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use ::redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, ProtocolVersion,
    RedisError, TlsCertificates, TlsMode,
};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::super::{StoreError, StoreUrl};
use super::told::told;

const PORT: u16 = 26379;
/// How often the sentinels are asked whether the master is still the same, and for how long.
const ASK_AGAIN: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(3);

/// What a URL says of sentinels: the rest of it is of the servers.
pub(super) struct Named {
    master: String,
    user: Option<String>,
    password: Option<String>,
}

impl Named {
    /// Takes out what is of the sentinels, and makes the URL an ordinary one of Redis:
    /// `redis://H1,H2/?sentinel=NAME`, or `redis-sentinel://H1,H2/DB#NAME` as Lettuce writes it, or
    /// `redis+sentinel://H1,H2/NAME/DB` as Python does.
    pub(super) fn take(url: &mut StoreUrl) -> Result<Option<Self>, StoreError> {
        let mut master = url.take("sentinel")?;
        let (user, password) = (url.take("sentinelUsername")?, url.take("sentinelPassword")?);
        let is_tls = url.scheme().starts_with("rediss");
        let by_scheme = url.scheme().ends_with("sentinel");
        if by_scheme {
            let found = rewrite(url, if is_tls { "rediss" } else { "redis" });
            master = master.or(found);
        }
        match master {
            Some(master) if !master.is_empty() => Ok(Some(Self { master, user, password })),
            None if !by_scheme && user.is_none() && password.is_none() => Ok(None),
            _ => Err(StoreError::message(
                "the sentinels' URL names their master: redis://H1,H2/?sentinel=NAME",
            )),
        }
    }
}

/// Leaves `SCHEME://AUTHORITY/DB` of the URL. The master's name, if it was there.
fn rewrite(url: &mut StoreUrl, scheme: &str) -> Option<String> {
    let (fragment, rest) = (url.take_fragment(), url.rest());
    let (base, query) = rest.split_once('?').unwrap_or((&rest, ""));
    let after = base.split_once("://").map_or("", |(_, after)| after);
    let (authority, path) = after.split_once('/').unwrap_or((after, ""));
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = || path.split('/').filter(|part| !part.is_empty());
    let name = parts().find(|part| !is_number(part)).map(str::to_owned);
    let db = parts().find(is_number).unwrap_or_default();
    let mark = if query.is_empty() { "" } else { "?" };
    *url = StoreUrl::new(&format!("{scheme}://{authority}/{db}{mark}{query}"));
    fragment.filter(|name| !name.is_empty()).or(name)
}

/// The sentinels of one master.
pub(super) struct Sentinels {
    name: String,
    asked: Mutex<SentinelClient>,
    /// Where the last connection was made to.
    connected: SyncMutex<Option<ConnectionAddr>>,
    /// Whether RESP3 may be spoken, in which a server can tell of changes.
    pub(super) permits_resp3: bool,
}

impl Sentinels {
    /// `nodes`: a URL for each sentinel, with the user, password and database of the servers.
    pub(super) fn new(
        nodes: &[String],
        named: Named,
        certificates: Option<&TlsCertificates>,
    ) -> Result<Self, RedisError> {
        let infos = nodes.iter().map(|node| with_port(node).into_connection_info());
        let infos = infos.collect::<Result<Vec<_>, _>>()?;
        let addresses = infos.iter().map(|info| info.addr().clone());
        let Named { master: name, user, password } = named;
        let mut builder = SentinelClientBuilder::new(addresses, &name, SentinelServerType::Master)?;
        let permits_resp3 = !nodes.iter().any(|node| node.contains("protocol="));
        if let Some(redis) = infos.first().map(ConnectionInfo::redis_settings) {
            builder = builder.set_client_to_redis_db(redis.db());
            if let Some(user) = redis.username() {
                builder = builder.set_client_to_redis_username(user);
            }
            if let Some(password) = redis.password() {
                builder = builder.set_client_to_redis_password(password);
            }
        }
        if let Some(user) = user {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = password {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if matches!(infos.first().map(ConnectionInfo::addr), Some(ConnectionAddr::TcpTls { .. })) {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
        let asked = Mutex::new(builder.build()?);
        Ok(Self { name, asked, connected: SyncMutex::default(), permits_resp3 })
    }

    /// The master, which has just said that it is one; in RESP3 if that is permitted, and without.
    pub(super) async fn master(&self) -> Result<(Option<Client>, Client), StoreError> {
        let client = self.ask().await?;
        let info = client.get_connection_info().clone();
        *self.connected() = Some(info.addr().clone());
        if !self.permits_resp3 {
            return Ok((None, client));
        }
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let resp3 = Client::open(info.set_redis_settings(redis));
        let resp3 = resp3.map_err(|error| told("connecting to the master", error))?;
        Ok((Some(resp3), client))
    }

    /// Returns when the sentinels name another master than the one that is connected to.
    pub(super) async fn has_moved(&self) {
        loop {
            sleep(ASK_AGAIN).await;
            let Ok(now) = self.ask().await else {
                // A failover is under way, or the sentinels are: the connection may be good.
                continue;
            };
            let is_same = |known: &ConnectionAddr| known == now.get_connection_info().addr();
            if !self.connected().as_ref().is_some_and(is_same) {
                return;
            }
        }
    }

    async fn ask(&self) -> Result<Client, StoreError> {
        const ASKING: &str = "asking the sentinels for the master";
        let asking = async {
            let mut sentinels = self.asked.lock().await;
            match sentinels.async_get_client().await {
                Err(error) if error.kind() == ErrorKind::MasterNameNotFoundBySentinel => {
                    if self.is_unknown(&mut sentinels).await {
                        let unknown = format!("the sentinels know no master {:?}", self.name);
                        return Err(StoreError::message(unknown));
                    }
                    Err(told(ASKING, error).server_away())
                }
                client => client.map_err(|error| told(ASKING, error)),
            }
        };
        match timeout(PATIENCE, asking).await {
            Ok(client) => client,
            Err(late) => Err(StoreError::new(ASKING, late).server_away()),
        }
    }

    /// Whether a sentinel says that there is no master of this name, up or down.
    async fn is_unknown(&self, sentinels: &mut SentinelClient) -> bool {
        let Ok(sentinel) = sentinels.async_get_sentinel_client().await else {
            return false;
        };
        let Ok(mut sentinel) = sentinel.get_multiplexed_async_connection().await else {
            return false;
        };
        let mut ask = ::redis::cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        matches!(ask.query_async(&mut sentinel).await, Ok(::redis::Value::Nil))
    }

    fn connected(&self) -> std::sync::MutexGuard<'_, Option<ConnectionAddr>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sentinels have a port of their own where a URL names none.
fn with_port(node: &str) -> String {
    let (scheme, after) = node.split_once("://").unwrap_or(("redis", node));
    let (authority, path) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let port = if has_port { String::new() } else { format!(":{PORT}") };
    format!("{scheme}://{authority}{port}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masters_name_is_read_in_each_form_that_clients_use() {
        for (url, name, rest) in [
            ("redis://h1,h2:1/3?sentinel=main", "main", "redis://h1,h2:1/3"),
            ("redis-sentinel://u:p@h1,h2/3#main", "main", "redis://u:p@h1,h2/3"),
            ("rediss-sentinel://h1?ca=x#main", "main", "rediss://h1/?ca=x"),
            ("redis-sentinel://h1/0#main?prefix=a%3A", "main", "redis://h1/0?prefix=a%3A"),
            ("redis+sentinel://h1,h2/main/3?prefix=a:", "main", "redis://h1,h2/3?prefix=a:"),
            ("redis-sentinel://h1/?sentinel=main", "main", "redis://h1/"),
        ] {
            let mut url = StoreUrl::new(url);
            let named = Named::take(&mut url).unwrap().unwrap();
            assert_eq!((named.master.as_str(), url.rest().as_str()), (name, rest));
        }
        let none = Named::take(&mut StoreUrl::new("redis://h1/")).unwrap();
        assert!(none.is_none());
        for url in
            ["redis-sentinel://h1/0", "redis://h/?sentinel=", "redis://h/?sentinelPassword=x"]
        {
            let error = Named::take(&mut StoreUrl::new(url)).err().unwrap();
            assert!(error.to_string().contains("?sentinel=NAME"), "{error}");
        }
    }

    #[test]
    fn a_sentinel_has_its_own_default_port() {
        for (node, with) in [
            ("redis://h", "redis://h:26379"),
            ("redis://u:p@h/0?x=1", "redis://u:p@h:26379/0?x=1"),
            ("redis://h:1/0", "redis://h:1/0"),
            ("redis://[::1]/", "redis://[::1]:26379/"),
            ("redis://[::1]:7/", "redis://[::1]:7/"),
        ] {
            assert_eq!(with_port(node), with);
        }
    }
}
