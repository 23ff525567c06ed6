//! Several nodes as one, for what an operator wants acknowledged.
//!
//! Logouts and expiries need none of this: every node watches the store. Neither does what is sent
//! to a user, which goes through the host's own adapter. But an adapter's messages carry no
//! acknowledgement, so revocations have a control channel over Redis: each returns when every live
//! node has answered, or names those that did not.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use express_session::{SessionId, SidHash};
use socketioxide::adapter::{Adapter, LocalAdapter};
use tokio::time::Instant;

use super::{Live, Revoked, revoke};
use crate::model::UserKey;
use crate::observe::nodes;

mod answers;
mod bus;
mod error;
mod fence;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod member;
#[doc(hidden)]
pub mod memory;
mod message;
mod obey;
mod presence;
mod redis;
#[doc(hidden)]
pub mod transport;

use bus::{Bus, Collected, Obey};
use member::Member;
use message::{Order, Report, Seal, to_hashes, to_hex, to_value};
use presence::A_YEAR;
use redis::RedisTransport;
use transport::Transport;

pub use answers::{Answers, RefreshedCount};
pub use error::ClusterError;
pub use message::NodeId;

/// A node may have to destroy sessions in a slow store before it answers.
const PATIENCE: Duration = Duration::from_secs(5);

/// All nodes of a server. Made by [`Live::join`]; cheap to clone. A node leaves with its last clone.
pub struct Cluster<U, A: Adapter = LocalAdapter> {
    live: Live<U, A>,
    member: Arc<Member>,
    patience: Duration,
}

impl<U: Send + Sync + 'static, A: Adapter> Cluster<U, A> {
    pub(super) async fn join_over_redis(live: Live<U, A>, url: &str) -> Result<Self, ClusterError> {
        Self::join(live, RedisTransport::new(url)?).await
    }

    pub(super) async fn join(
        live: Live<U, A>,
        transport: impl Transport,
    ) -> Result<Self, ClusterError> {
        let scope = live.scope();
        let seal = Seal::new(scope.orders().ok_or(ClusterError::NoSecret)?.clone());
        let name = scope.channels();
        let obeying = live.clone();
        let obey: Obey = Box::new(move |order| {
            let live = obeying.clone();
            Box::pin(async move { obey::obey(&live, order).await })
        });
        let settings = live.lookup().live().settings();
        let within = settings.grace.saturating_add(settings.max_stale).min(A_YEAR);
        let serves_on = settings.serves_when_cut_off;
        let remember = if serves_on { A_YEAR } else { within };
        let mut member = Member::join(Bus::new(&name, seal, obey, remember), transport).await?;
        if !serves_on {
            let registry = live.lookup().live().registry().clone();
            let cut_off = move || {
                let (closed, ended) = registry.cut_off();
                (Box::new(closed) as Box<dyn Send>, ended)
            };
            member = member.serves_within(within, Box::new(cut_off));
        }
        Ok(Self { live, member: Arc::new(member), patience: PATIENCE })
    }

    /// Waits so long for the other nodes' answers. 5 s by default.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// This node.
    pub fn node(&self) -> &NodeId {
        self.member.bus.node()
    }

    /// How many messages were ignored: forged, malformed or old ones.
    pub fn ignored(&self) -> u64 {
        self.member.bus.ignored()
    }

    /// [`Live::revoke_user`] on every node: what any of them knows of the user's sessions, all refuse. It goes on
    /// if its future is dropped.
    pub async fn revoke_user(&self, key: impl Into<UserKey>) -> Answers<Revoked> {
        let key = key.into();
        let here = revoke::user(self.live.lookup(), &key);
        let cluster = self.clone();
        self.in_a_task(async move { cluster.revoke_user_everywhere(here, &key).await }).await
    }

    async fn revoke_user_everywhere(
        &self,
        here: impl Future<Output = (Revoked, Vec<SidHash>)>,
        key: &UserKey,
    ) -> Answers<Revoked> {
        let order = Order::RevokeUser { user: to_value(key) };
        let first = self.everywhere(here, order, |report| revoked(&report)).await;
        let which: HashSet<SidHash> =
            first.answers.iter().flat_map(|(_, (_, which))| which.iter().copied()).collect();
        let which: Vec<SidHash> = which.into_iter().collect();
        let first = first.map(|(revoked, _)| revoked);
        if which.is_empty() {
            return first;
        }
        // Who was thrown out by one node may be on their way in at another.
        let order = Order::RevokeSessions { sha256: to_hex(&which) };
        let here = async { revoke::sessions_of_another_node(self.live.lookup(), &which) };
        let then = self.everywhere(here, order, |report| Some(revoked(&report)?.0)).await;
        let answers = first.and(then);
        self.forget(&answers, &which).await;
        answers
    }

    /// [`Live::revoke_session`] on every node. This one destroys it in the store. It goes on if its future is
    /// dropped.
    pub async fn revoke_session(&self, sid: &SessionId) -> Answers<Revoked> {
        let which = [sid.hash()];
        let here = revoke::session(self.live.lookup(), sid);
        let cluster = self.clone();
        self.in_a_task(async move {
            let order = Order::RevokeSessions { sha256: to_hex(&which) };
            let read = |report| Some(revoked(&report)?.0);
            let answers = cluster.everywhere(here, order, read).await;
            cluster.forget(&answers, &which).await;
            answers
        })
        .await
    }

    /// An order that goes on when its caller is dropped. If it panics, or the runtime ends, no node is known to
    /// have obeyed.
    async fn in_a_task(
        &self,
        order: impl Future<Output = Answers<Revoked>> + Send + 'static,
    ) -> Answers<Revoked> {
        let missing = vec![self.node().clone()];
        let unknown = Answers { answers: Vec::new(), missing, is_reached: false };
        revoke::in_a_task(order).await.unwrap_or(unknown)
    }

    /// Sessions that are gone need not be refused for as long as the nodes live.
    async fn forget(&self, answers: &Answers<Revoked>, which: &[SidHash]) {
        if answers.answers.iter().all(|(_, revoked)| revoked.is_final()) {
            revoke::are_destroyed(self.live.lookup(), which);
            self.member.bus.tell(Order::ForgetSessions { sha256: to_hex(which) }).await;
        }
    }

    /// [`Live::disconnect_user`] on every node: how many sockets.
    pub async fn disconnect_user(&self, key: impl Into<UserKey>) -> Answers<usize> {
        let key = key.into();
        let order = Order::DisconnectUser { user: to_value(&key) };
        let here = async { self.live.disconnect_user(key) };
        self.everywhere(here, order, |report| match report {
            Report::Disconnected { sockets } => Some(sockets),
            _ => None,
        })
        .await
    }

    /// [`Live::refresh_user`] on every node. A node whose deserializer could not tell is missing.
    ///
    /// # Errors
    /// That of this node's own deserializer, after the others were asked.
    pub async fn refresh_user(
        &self,
        key: impl Into<UserKey>,
    ) -> Result<Answers<RefreshedCount>, crate::AuthorizeError> {
        let key = key.into();
        let order = Order::RefreshUser { user: to_value(&key) };
        let here = async {
            let refreshed = self.live.refresh_user(key).await?;
            Ok(RefreshedCount { kept: refreshed.kept.len(), ended: refreshed.ended })
        };
        let answers = self.everywhere(here, order, |report| match report {
            Report::Refreshed { kept, ended } => Some(Ok(RefreshedCount { kept, ended })),
            _ => None,
        });
        let Answers { answers, missing, is_reached } = answers.await;
        let answers = answers.into_iter().map(|(node, count)| Ok((node, count?)));
        Ok(Answers { answers: answers.collect::<Result<_, _>>()?, missing, is_reached })
    }

    /// The keys of the users with sockets on any node, and what each node said.
    pub async fn online(&self) -> (HashSet<UserKey>, Answers<usize>) {
        let here = async { self.live.online() };
        let answers = self.everywhere(here, Order::Online, |report| match report {
            Report::Users(users) => Some(users.into_iter().map(UserKey::from).collect()),
            _ => None,
        });
        let Answers { answers, missing, is_reached } = answers.await;
        let counts = answers.iter().map(|(node, users)| (node.clone(), users.len())).collect();
        let users = answers.into_iter().flat_map(|(_, users)| users).collect();
        (users, Answers { answers: counts, missing, is_reached })
    }

    /// Says that this node is going: the others do not wait for it any more.
    ///
    /// # Errors
    /// [`ClusterError`] if Redis could not be told: then they find out within 6 seconds.
    pub async fn leave(self) -> Result<(), ClusterError> {
        self.member.bus.leave().await
    }

    /// Here and on all other nodes, at the same time.
    async fn everywhere<T>(
        &self,
        here: impl Future<Output = T>,
        order: Order,
        read: impl Fn(Report) -> Option<T>,
    ) -> Answers<T> {
        let (name, began) = (order.name(), Instant::now());
        let there = self.member.bus.order(order, self.patience);
        let (done, collected) = futures_util::future::join(here, there).await;
        let Collected { reports, mut missing, is_reached } = collected;
        let mut answers = vec![(self.node().clone(), done)];
        for (node, report) in reports {
            match read(report) {
                Some(answer) => answers.push((node, answer)),
                None => missing.push(node),
            }
        }
        let (time, repeats) = (began.elapsed(), &self.member.bus.repeats);
        nodes::answered(name, answers.len(), missing.len(), is_reached, time, repeats);
        Answers { answers, missing, is_reached }
    }
}

fn revoked(report: &Report) -> Option<(Revoked, Vec<SidHash>)> {
    match report {
        Report::Revoked { sockets, sessions, destroyed, sha256 } => {
            let (sockets, sessions, destroyed) = (*sockets, *sessions, *destroyed);
            Some((Revoked { sockets, sessions, destroyed }, to_hashes(sha256)?))
        }
        _ => None,
    }
}

impl<U, A: Adapter> Clone for Cluster<U, A> {
    fn clone(&self) -> Self {
        let (live, member) = (self.live.clone(), self.member.clone());
        Self { live, member, patience: self.patience }
    }
}

impl<U, A: Adapter> fmt::Debug for Cluster<U, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("node", self.member.bus.node()).finish_non_exhaustive()
    }
}
