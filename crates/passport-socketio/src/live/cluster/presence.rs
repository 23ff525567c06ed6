//! Which nodes are there: a heartbeat each, in a list of them, by the time of Redis' own clock.
//!
//! A node that leaves is gone. One that falls silent is remembered: it may be cut off, and serve on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::ClusterError;
use super::message::NodeId;
use super::transport::{Connection, ListChange};

/// A node whose last heartbeat is older is not waited for.
const ALIVE: Duration = Duration::from_secs(6);
/// A Redis that takes longer for a heartbeat is as good as gone.
pub(super) const SILENCE: Duration = Duration::from_secs(2);

pub(super) struct Presence {
    node: NodeId,
    /// The list's name.
    list: String,
    /// How long a silent one is remembered.
    remember: Duration,
    /// It beats no more, and still hears the others.
    has_left: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    alive: Vec<NodeId>,
    silent: Vec<NodeId>,
    /// Redis' clock at a moment of ours.
    time: Option<(u64, Instant)>,
}

impl Presence {
    /// For `remember` after it fell silent, a node may have sockets of a login that ended.
    pub(super) fn new(list: String, remember: Duration) -> Self {
        let remember = ALIVE.saturating_add(remember);
        Self {
            node: NodeId::new(),
            list,
            remember,
            has_left: AtomicBool::new(false),
            seen: Mutex::default(),
        }
    }

    /// This one.
    pub(super) fn node(&self) -> &NodeId {
        &self.node
    }

    /// The others as of the last heartbeat: those that are there, and those that fell silent.
    pub(super) fn others<C: FromIterator<NodeId>>(&self) -> (C, C) {
        let seen = self.seen();
        let others =
            |nodes: &[NodeId]| nodes.iter().filter(|n| **n != self.node).cloned().collect();
        (others(&seen.alive), others(&seen.silent))
    }

    /// Redis' time, as far as is known.
    pub(super) fn time(&self) -> Option<u64> {
        self.seen().time.map(|(redis, then)| redis.saturating_add(millis(then.elapsed())))
    }

    /// A heartbeat. Redis' time.
    pub(super) async fn beat(&self, connection: &dyn Connection) -> Result<u64, ClusterError> {
        let beaten = timeout(SILENCE, self.try_beat(connection)).await;
        beaten.map_err(|late| ClusterError::new("a heartbeat", late))?
    }

    async fn try_beat(&self, connection: &dyn Connection) -> Result<u64, ClusterError> {
        let now = connection.time().await?;
        let is_here = !self.has_left.load(Ordering::SeqCst);
        let at = now.to_string();
        let change = ListChange {
            list: &self.list,
            write: is_here.then_some((self.node.as_str(), &at)),
            remove: &[],
            keep: self.remember * 2,
        };
        let mut seen = Seen { time: Some((now, Instant::now())), ..Seen::default() };
        for entry in connection.list(change).await? {
            let (Ok(name), Ok(at)) = (String::from_utf8(entry.name), str::from_utf8(&entry.text))
            else {
                continue;
            };
            let age = Duration::from_millis(now.saturating_sub(at.parse().unwrap_or(0)));
            if age <= ALIVE {
                seen.alive.push(name.into());
            } else if age <= self.remember {
                seen.silent.push(name.into());
            }
        }
        *self.seen() = seen;
        Ok(now)
    }

    /// Leaves the others, who then forget this one.
    pub(super) async fn leave(&self, connection: &dyn Connection) -> Result<(), ClusterError> {
        self.has_left.store(true, Ordering::SeqCst);
        let gone = [self.node.as_str().to_owned()];
        let keep = self.remember * 2;
        let change = ListChange { list: &self.list, write: None, remove: &gone, keep };
        let left = timeout(SILENCE, connection.list(change)).await;
        left.map_err(|late| ClusterError::new("leaving", late))?.map(|_| ())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many as fit.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
