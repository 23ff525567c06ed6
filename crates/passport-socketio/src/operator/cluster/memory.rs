//! The nodes' transport in memory, for tests without Redis and under paused time.
//!
//! One [`MemoryBus`] stands for the Redis that all nodes share, and each node has its own
//! [`MemoryTransport`] to it, which fails on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::ClusterError;
use super::presence::millis;
use super::transport::{Connected, Connection, Heard, ListChange, Listed, Transport};

/// What stands for the Redis of all nodes. Cheap to clone: clones are one bus.
#[derive(Clone, Debug)]
pub struct MemoryBus(Arc<Mutex<Bus>>);

/// Each list's entries, by the list's name: names and texts.
pub type Lists = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

#[derive(Debug)]
struct Bus {
    lists: Lists,
    listeners: Vec<Listener>,
    taps: Vec<mpsc::UnboundedSender<Heard>>,
    /// The clock's time at a moment of ours.
    clock: (u64, Instant),
}

#[derive(Debug)]
struct Listener {
    channels: Vec<String>,
    way: watch::Receiver<Way>,
    hear: mpsc::UnboundedSender<Heard>,
}

/// How a node's connections fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As they should.
    Open,
    /// They are lost, and no new ones come about.
    Cut,
    /// Nothing gets through, and nothing says so: calls hang, and what is published is not heard.
    Silent,
}

impl MemoryBus {
    /// An empty one, whose clock goes with tokio's.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Bus {
            lists: Lists::new(),
            listeners: Vec::new(),
            taps: Vec::new(),
            clock: (1_800_000_000_000, Instant::now()),
        })))
    }

    /// One node's way to it.
    pub fn transport(&self) -> MemoryTransport {
        MemoryTransport { bus: self.clone(), way: watch::Sender::new(Way::Open) }
    }

    /// Everything is forgotten. The connections stay.
    pub fn empty(&self) {
        self.bus().lists.clear();
    }

    /// All connections are lost, and come about again as soon as the nodes try.
    pub fn disconnect_all(&self) {
        self.bus().listeners.clear();
    }

    /// Publishes as anybody could who can write to the bus. How many listeners heard it.
    pub fn publish(&self, channel: &str, message: impl Into<Vec<u8>>) -> u64 {
        self.bus().publish(&Heard { channel: channel.to_owned(), message: message.into() })
    }

    /// Everything that is published from now on.
    pub fn tap(&self) -> mpsc::UnboundedReceiver<Heard> {
        let (tap, tapped) = mpsc::unbounded_channel();
        self.bus().taps.push(tap);
        tapped
    }

    /// The lists, with their entries, for whoever wants to look or to change them.
    pub fn change_lists(&self, change: impl FnOnce(&mut Lists)) {
        change(&mut self.bus().lists);
    }

    /// Its clock, in milliseconds since 1970.
    pub fn time(&self) -> u64 {
        self.bus().time()
    }

    /// Lets its clock jump.
    pub fn set_time(&self, now: u64) {
        self.bus().clock = (now, Instant::now());
    }

    /// No code that holds the lock can panic, so a poisoned one is whole.
    fn bus(&self) -> MutexGuard<'_, Bus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryBus {
    fn default() -> Self {
        Self::new()
    }
}

impl Bus {
    fn time(&self) -> u64 {
        let (time, then) = self.clock;
        time.saturating_add(millis(then.elapsed()))
    }

    fn publish(&mut self, message: &Heard) -> u64 {
        let mut hearers = 0;
        self.taps.retain(|tap| tap.send(message.clone()).is_ok());
        self.listeners.retain(|listener| {
            let hears =
                *listener.way.borrow() == Way::Open && listener.channels.contains(&message.channel);
            let is_there = !listener.hear.is_closed()
                && (!hears || listener.hear.send(message.clone()).is_ok());
            hearers += u64::from(hears && is_there);
            is_there
        });
        hearers
    }
}

/// One node's way to a [`MemoryBus`]. Clones are one way.
#[derive(Clone, Debug)]
pub struct MemoryTransport {
    bus: MemoryBus,
    way: watch::Sender<Way>,
}

impl MemoryTransport {
    /// Lets it fail, or work again.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
        if way == Way::Cut {
            let ours = self.way.subscribe();
            self.bus.bus().listeners.retain(|listener| !listener.way.same_channel(&ours));
        }
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    async fn connect(&self, channels: &[String]) -> Result<Connected, ClusterError> {
        let mut way = self.way.subscribe();
        pass(&mut way).await?;
        let (hear, heard) = mpsc::unbounded_channel();
        let listener = Listener { channels: channels.to_vec(), way: way.clone(), hear };
        // While it is there, the connection is.
        let alive = listener.hear.downgrade();
        self.bus.bus().listeners.push(listener);
        let connection = MemoryConnection { bus: self.bus.clone(), way, alive };
        Ok(Connected { connection: Arc::new(connection), heard })
    }
}

struct MemoryConnection {
    bus: MemoryBus,
    way: watch::Receiver<Way>,
    alive: mpsc::WeakUnboundedSender<Heard>,
}

impl MemoryConnection {
    async fn pass(&self) -> Result<(), ClusterError> {
        pass(&mut self.way.clone()).await?;
        match self.alive.upgrade() {
            Some(_) => Ok(()),
            None => Err(ClusterError::message("the connection was lost")),
        }
    }
}

#[async_trait]
impl Connection for MemoryConnection {
    async fn time(&self) -> Result<u64, ClusterError> {
        self.pass().await?;
        Ok(self.bus.time())
    }

    async fn publish(&self, channel: &str, message: &str) -> Result<u64, ClusterError> {
        self.pass().await?;
        Ok(self.bus.publish(channel, message))
    }

    async fn list(&self, change: ListChange<'_>) -> Result<Vec<Listed>, ClusterError> {
        self.pass().await?;
        let mut bus = self.bus.bus();
        let list = bus.lists.entry(change.list.to_owned()).or_default();
        for name in change.remove {
            list.remove(name.as_bytes());
        }
        if let Some((name, text)) = change.write {
            list.insert(name.into(), text.into());
        }
        let entries = list.iter();
        Ok(entries.map(|(name, text)| Listed { name: name.clone(), text: text.clone() }).collect())
    }
}

/// Waits until something gets through, or says that nothing does.
async fn pass(way: &mut watch::Receiver<Way>) -> Result<(), ClusterError> {
    match way.wait_for(|way| *way != Way::Silent).await.as_deref() {
        Ok(Way::Open) => Ok(()),
        _ => Err(ClusterError::message("it can't be reached")),
    }
}
