//! Which nodes are there: a heartbeat each, in a sorted set of names, by the time of Redis' own clock.
//!
//! A node that leaves is gone. One that falls silent is remembered: it may be cut off, and serve on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use express_session::store::StoreError;
use redis::Script;
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, timeout};

use super::message::NodeId;

/// A node whose last heartbeat is older is not waited for.
const ALIVE: Duration = Duration::from_secs(6);
/// A Redis that takes longer for a heartbeat is as good as gone.
pub(super) const SILENCE: Duration = Duration::from_secs(2);

/// Notes that this node is there, and says what time it is, which are there, and which fell silent.
const HEARTBEAT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[4] == '1' then redis.call('ZADD', KEYS[1], now, ARGV[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[3] * 2)
local alive = now - ARGV[2]
return {
  now,
  redis.call('ZRANGEBYSCORE', KEYS[1], alive, '+inf'),
  redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. alive),
}
";

/// What a heartbeat says: Redis' time, and the nodes' names.
type Heartbeat = (u64, Vec<String>, Vec<String>);

pub(super) struct Presence {
    node: NodeId,
    /// The sorted set.
    key: String,
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
    pub(super) fn new(key: String, remember: Duration) -> Self {
        let remember = ALIVE.saturating_add(remember);
        Self {
            node: NodeId::new(),
            key,
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
    pub(super) async fn beat(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<u64, StoreError> {
        let script = Script::new(HEARTBEAT);
        let mut beat = script.prepare_invoke();
        beat.key(&self.key).arg(self.node.as_str()).arg(millis(ALIVE)).arg(millis(self.remember));
        beat.arg(u8::from(!self.has_left.load(Ordering::SeqCst)));
        let beaten = timeout(SILENCE, beat.invoke_async::<Heartbeat>(connection)).await;
        let beaten = beaten.map_err(|late| StoreError::new("a heartbeat", late))?;
        let (now, alive, silent) = beaten.map_err(|error| StoreError::new("a heartbeat", error))?;
        *self.seen() = Seen {
            alive: alive.into_iter().map(NodeId::from).collect(),
            silent: silent.into_iter().map(NodeId::from).collect(),
            time: Some((now, Instant::now())),
        };
        Ok(now)
    }

    /// Leaves the others, who then forget this one.
    pub(super) async fn leave(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), StoreError> {
        self.has_left.store(true, Ordering::SeqCst);
        let mut remove = redis::cmd("ZREM");
        remove.arg(&self.key).arg(self.node.as_str());
        remove.exec_async(connection).await.map_err(|error| StoreError::new("ZREM", error))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
