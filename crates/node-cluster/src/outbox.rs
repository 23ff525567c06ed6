//! Each socket's queue behind socketioxide's buffer.
//!
//! socketioxide keeps 128 packets for a socket and refuses the next. Node keeps them all. Here a
//! packet that is refused waits in a queue, and all later ones behind it, so that their order is
//! kept. A socket that leaves more waiting than the queue takes is disconnected, rather than to miss
//! something unnoticed.
//!
//! A queue exists only while something waits in it, and a task of its own that hands it on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socketioxide::socket::Sid;
use tokio::time::sleep;

use crate::SocketAddress;
use crate::hooks::SharedHooks;
use crate::sockets::{Payload, Sent, Sockets};
use crate::stats::Stats;

/// How often a full buffer is tried again: nothing tells when there is room.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// How much may wait for one socket.
///
/// ```
/// use node_cluster::QueueLimits;
///
/// let limits = QueueLimits { packets: 1_000, ..QueueLimits::default() };
/// assert_eq!(limits.bytes, 16 * 1024 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// So many packets. 16,384 unless set.
    pub packets: usize,
    /// So many bytes. 16 MiB unless set. What waits for many sockets is kept once.
    pub bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { packets: 16_384, bytes: 16 * 1024 * 1024 }
    }
}

/// The queues of one namespace.
#[derive(Clone)]
pub(crate) struct Outboxes(Arc<Shared>);

struct Shared {
    sockets: Arc<dyn Sockets>,
    hooks: SharedHooks,
    stats: Arc<Stats>,
    limits: QueueLimits,
    /// Locked before any of the queues in it.
    queues: Mutex<HashMap<Sid, Arc<Mutex<Queue>>>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Payload>,
    bytes: usize,
    /// It receives nothing more, and is disconnected.
    is_ending: bool,
}

impl Outboxes {
    pub(crate) fn new(
        sockets: Arc<dyn Sockets>,
        hooks: SharedHooks,
        stats: Arc<Stats>,
        limits: QueueLimits,
    ) -> Self {
        Self(Arc::new(Shared { sockets, hooks, stats, limits, queues: Mutex::default() }))
    }

    /// Hands a packet to a socket, at once or in its turn.
    pub(crate) fn deliver(&self, id: Sid, payload: &Payload, volatile: bool) {
        let shared = &self.0;
        let mut queues = lock(&shared.queues);
        let Some(queue) = queues.get(&id) else {
            match shared.send(id, payload, volatile) {
                Sent::Done => shared.stats.delivered.add(),
                Sent::Gone => {}
                Sent::Full if volatile => shared.stats.missed_volatile.add(),
                Sent::Full => {
                    let mut queue = Queue::default();
                    if !queue.push(payload, shared.limits) {
                        shared.overflow(id, &mut queue);
                    }
                    shared.stats.queued.add();
                    self.start(id, queue, &mut queues);
                }
            }
            return;
        };
        if volatile {
            shared.stats.missed_volatile.add();
            return;
        }
        let mut queue = lock(queue);
        if queue.is_ending {
            return;
        }
        if queue.push(payload, shared.limits) {
            shared.stats.queued.add();
        } else {
            shared.overflow(id, &mut queue);
        }
    }

    /// Disconnects a socket, at once or as soon as there is room for that packet. It receives nothing
    /// from here on.
    pub(crate) fn disconnect(&self, id: Sid) {
        let shared = &self.0;
        let mut queues = lock(&shared.queues);
        if let Some(queue) = queues.get(&id) {
            lock(queue).end();
        } else if shared.end(id) == Sent::Full {
            let mut queue = Queue::default();
            queue.end();
            self.start(id, queue, &mut queues);
        }
    }

    fn start(&self, id: Sid, queue: Queue, queues: &mut HashMap<Sid, Arc<Mutex<Queue>>>) {
        let queue = Arc::new(Mutex::new(queue));
        queues.insert(id, queue.clone());
        tokio::spawn(self.0.clone().drain(id, queue));
    }
}

impl Shared {
    fn address<'a>(&'a self, id: &'a Sid) -> SocketAddress<'a> {
        SocketAddress { namespace: self.sockets.namespace(), id: id.as_str() }
    }

    fn send(&self, id: Sid, payload: &Payload, volatile: bool) -> Sent {
        if self.hooks.may_receive(self.address(&id)) {
            self.sockets.send(id, payload, volatile)
        } else {
            Sent::Gone
        }
    }

    /// Disconnects it. Its disconnect handler runs meanwhile: one that panics must not keep other sockets connected.
    fn end(&self, id: Sid) -> Sent {
        self.stats.guard(|| self.sockets.disconnect(id)).unwrap_or_else(|| {
            // socketioxide has not come to that.
            self.sockets.leave_all(id);
            Sent::Gone
        })
    }

    /// It reads too slowly.
    fn overflow(&self, id: Sid, queue: &mut Queue) {
        queue.end();
        self.stats
            .overflowed
            .warn_once("a socket reads too slowly: too much waits for it, and it is disconnected");
        self.sockets.leave_all(id);
        self.hooks.close_connection(self.address(&id));
    }

    async fn drain(self: Arc<Self>, id: Sid, queue: Arc<Mutex<Queue>>) {
        let mut pause = PAUSES.0;
        loop {
            sleep(pause).await;
            let (has_moved, sent) = self.hand_on(id, &mut lock(&queue));
            if sent != Sent::Full {
                let mut queues = lock(&self.queues);
                let queue = lock(&queue);
                // Something may have come meanwhile.
                if sent == Sent::Gone || (queue.waiting.is_empty() && !queue.is_ending) {
                    queues.remove(&id);
                    return;
                }
            }
            pause = if has_moved { PAUSES.0 } else { (2 * pause).min(PAUSES.1) };
        }
    }

    /// As much as there is room for: whether that was something, and what has become of the last.
    fn hand_on(&self, id: Sid, queue: &mut Queue) -> (bool, Sent) {
        let mut has_moved = false;
        if !queue.is_ending {
            while let Some(payload) = queue.waiting.front() {
                match self.send(id, payload, false) {
                    Sent::Done => {
                        self.stats.delivered.add();
                        queue.bytes = queue.bytes.saturating_sub(payload.size);
                        queue.waiting.pop_front();
                        has_moved = true;
                    }
                    other => return (has_moved, other),
                }
            }
            return (has_moved, Sent::Done);
        }
        match self.end(id) {
            // Then there is nothing more to do for it.
            Sent::Done | Sent::Gone => (true, Sent::Gone),
            Sent::Full => (false, Sent::Full),
        }
    }
}

impl Queue {
    fn push(&mut self, payload: &Payload, limits: QueueLimits) -> bool {
        let bytes = self.bytes.saturating_add(payload.size);
        if self.waiting.len() >= limits.packets || bytes > limits.bytes {
            return false;
        }
        self.bytes = bytes;
        self.waiting.push_back(payload.clone());
        true
    }

    fn end(&mut self) {
        self.is_ending = true;
        self.waiting = VecDeque::new();
        self.bytes = 0;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
