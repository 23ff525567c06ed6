//! A cluster tells of changes as a single Redis does: each of its masters on a connection of its own.
//!
//! Loads go through the driver's connections, which come and go as the cluster changes. What a master
//! would remember of keys read there would be lost with each of them, without a word. So each master
//! is asked to tell of every key with the prefix (`CLIENT TRACKING … BCAST`), on one more connection
//! that does nothing else: nothing is remembered, and a slot that moves from one master to another is
//! told of by both.
//!
//! - A connection that is lost is made again. As soon as it listens, anything may have changed.
//! - Every moment the cluster is asked who its masters are, and which slots they have. A new master
//!   is listened to, one that is none any more is not; after any such change, too, anything may have
//!   changed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, PushInfo, PushKind, RedisError,
    TlsCertificates,
};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::super::StoreError;
use super::link::Link;
use super::slots::{Node, Slots};
use super::told::{refuses_resp3, told};
use super::tracking::{is_refusal, report};
use crate::watch::{Change, Changes, WatchError};

/// How often the cluster is asked for its masters.
const LOOK: Duration = Duration::from_secs(1);
/// A connection that has died says nothing: it is asked.
const PING: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_secs(2);
/// Pauses before a master is connected to again: from, to.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How a node of the cluster is connected to, wherever it is.
#[derive(Clone)]
pub(super) struct Nodes {
    /// One that the URL names, in RESP3.
    pub(super) info: ConnectionInfo,
    pub(super) certificates: Option<TlsCertificates>,
    /// Unless the URL forbids it, with another protocol.
    pub(super) permits_resp3: bool,
}

impl Nodes {
    fn client(&self, (host, port): &Node) -> Result<Client, RedisError> {
        // A node that does not know its own name leaves it out: it is reached as before.
        let host = |known: &str| match String::from_utf8_lossy(host) {
            host if host.is_empty() => known.to_owned(),
            host => host.into_owned(),
        };
        let address = match self.info.addr().clone() {
            ConnectionAddr::Tcp(known, _) => ConnectionAddr::Tcp(host(&known), *port),
            ConnectionAddr::TcpTls { host: known, insecure, tls_params, .. } => {
                let (host, port) = (host(&known), *port);
                ConnectionAddr::TcpTls { host, port, insecure, tls_params }
            }
            other => other,
        };
        let info = self.info.clone().set_addr(address);
        match &self.certificates {
            Some(certificates) => Client::build_with_tls(info, certificates.clone()),
            None => Client::open(info),
        }
    }
}

/// Reports the changes that the masters publish, also after one has taken another's place.
pub(super) async fn watch(
    link: &Link,
    nodes: &Nodes,
    prefix: &str,
    changes: &Changes,
) -> Result<Infallible, WatchError> {
    if !nodes.permits_resp3 {
        let error = "its URL names a protocol, in which nothing is told";
        return Err(WatchError::Refused(StoreError::message(error)));
    }
    let mut known = slots(link).await.map_err(WatchError::Lost)?;
    let mut listeners =
        Listeners { nodes, prefix, changes, tasks: JoinSet::new(), of: HashMap::new() };
    listeners.keep_to(&known)?;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            refused = listeners.refused() => return Err(WatchError::Refused(refused)),
            _ = looks.tick() => {
                // No node has answered: the masters known so far are listened to.
                let Ok(now) = timeout(SILENCE, slots(link)).await.unwrap_or_else(
                    |late| Err(StoreError::new("asking the cluster for its masters", late)),
                ) else { continue };
                if now != known {
                    listeners.keep_to(&now)?;
                    known = now;
                    changes.report(Change::Unknown);
                }
            }
        }
    }
}

/// Who has which slots, as one of the nodes sees it.
async fn slots(link: &Link) -> Result<Slots, StoreError> {
    let answer = link.change(async |mut connection| {
        let mut ask = ::redis::cmd("CLUSTER");
        ask.arg("SLOTS").query_async(&mut connection).await
    });
    let slots = Slots::read(&answer.await?);
    slots.ok_or_else(|| StoreError::message("CLUSTER SLOTS was answered with something else"))
}

/// A task for each master. They end with it.
struct Listeners<'a> {
    nodes: &'a Nodes,
    prefix: &'a str,
    changes: &'a Changes,
    /// Each ends only if the feed is refused.
    tasks: JoinSet<StoreError>,
    of: HashMap<Node, AbortHandle>,
}

impl Listeners<'_> {
    fn keep_to(&mut self, slots: &Slots) -> Result<(), WatchError> {
        let masters = slots.masters();
        self.of.retain(|node, task| {
            let stays = masters.contains(node);
            if !stays {
                task.abort();
            }
            stays
        });
        for node in masters {
            if self.of.contains_key(&node) {
                continue;
            }
            let client = self.nodes.client(&node);
            let client = client
                .map_err(|error| WatchError::Lost(told("reading a master's address", error)))?;
            let (prefix, changes) = (self.prefix.to_owned(), self.changes.clone());
            let task =
                self.tasks.spawn(async move { keep_listening(client, prefix, changes).await });
            self.of.insert(node, task);
        }
        Ok(())
    }

    async fn refused(&mut self) -> StoreError {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(refused)) => return refused,
                // One that was ended, because its node is no master any more.
                Some(Err(_)) => {}
                None => return pending().await,
            }
        }
    }
}

/// Returns if the master refuses to tell.
async fn keep_listening(client: Client, prefix: String, changes: Changes) -> StoreError {
    let mut pause = PAUSES.0;
    loop {
        let mut has_listened = false;
        match listen(&client, &prefix, &changes, &mut has_listened).await {
            Ok(never) => match never {},
            Err(WatchError::Refused(refused)) => return refused,
            Err(WatchError::Lost(error)) => {
                tracing::debug!(?error, "a master of the Redis cluster tells nothing for a while");
            }
        }
        if has_listened {
            changes.report(Change::Unknown);
            pause = PAUSES.0;
        }
        sleep(pause).await;
        pause = PAUSES.1.min(pause * 2);
    }
}

async fn listen(
    client: &Client,
    prefix: &str,
    changes: &Changes,
    has_listened: &mut bool,
) -> Result<Infallible, WatchError> {
    let (push, mut pushes) = mpsc::unbounded_channel::<PushInfo>();
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(SILENCE))
        .set_response_timeout(Some(SILENCE))
        .set_push_sender(push);
    let connected = client.get_multiplexed_async_connection_with_config(&config).await;
    // It holds a sender of the changes.
    drop(config);
    let operation = "connecting to a master of the cluster";
    let mut connection = connected.map_err(|error| {
        let is_refused = refuses_resp3(&error);
        ended(is_refused, told(operation, error))
    })?;
    let mut track = ::redis::cmd("CLIENT");
    track.arg("TRACKING").arg("ON").arg("BCAST");
    if !prefix.is_empty() {
        track.arg("PREFIX").arg(prefix);
    }
    let tracked: Result<(), RedisError> = track.query_async(&mut connection).await;
    tracked.map_err(|error| {
        let is_refused = is_refusal(&error);
        ended(is_refused, told("CLIENT TRACKING", error))
    })?;
    *has_listened = true;
    // What changed before is told by nobody.
    changes.report(Change::Unknown);
    let mut pings = interval(PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            push = pushes.recv() => match push {
                Some(push) if push.kind != PushKind::Disconnection => {
                    report(&push, prefix, None, changes);
                }
                _ => return Err(WatchError::Lost(StoreError::message("its connection has ended"))),
            },
            _ = pings.tick() => {
                let ping = ::redis::cmd("PING");
                let answer: Result<(), RedisError> = ping.exec_async(&mut connection).await;
                match answer {
                    // It may not be permitted: an answer is a sign of life all the same.
                    Err(error) if !is_refusal(&error) => {
                        let error = told("asking a master whether it is there", error);
                        return Err(WatchError::Lost(error));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn ended(is_refused: bool, error: StoreError) -> WatchError {
    if is_refused { WatchError::Refused(error) } else { WatchError::Lost(error) }
}
