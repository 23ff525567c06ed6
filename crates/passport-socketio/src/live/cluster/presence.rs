//! Which nodes are there: each says so every two seconds, signed, to all and into a list.
//!
//! What is heard makes a node known; the list tells those that join later. Only its own signed word
//! makes a node leave. One that falls silent may be cut off, and serve on: each node remembers whom it
//! has known for as long as that one may have sockets, whatever becomes of the list.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::ClusterError;
use super::message::{NodeId, Seal};
use super::transport::{Connection, ListChange, Listed};
use crate::mutant::Mutant;

/// A node whose last word is older is not waited for.
pub(super) const ALIVE: Duration = Duration::from_secs(6);
/// A Redis that takes longer for a heartbeat is as good as gone.
pub(super) const SILENCE: Duration = Duration::from_secs(2);
/// The longest that a node may ask to be remembered.
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) struct Presence {
    node: NodeId,
    /// The list's name, and that of the channel.
    list: String,
    /// How long this one is to be remembered when it falls silent.
    remember: Duration,
    seal: Seal,
    words: AtomicU64,
    /// It beats no more, and still hears the others.
    has_left: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    others: HashMap<NodeId, Seen>,
    /// The shared clock at a moment of ours.
    time: Option<(u64, Instant)>,
    /// When this node first listened, and since when it listens on this connection: by that clock.
    joined: Option<u64>,
    since: Option<u64>,
    /// How many connections heard its last word.
    hearers: u64,
    /// Entries of the list that no node has signed.
    unsigned: usize,
    /// Names of entries that are out of date.
    outdated: Vec<String>,
}

/// What is known of another node.
struct Seen {
    count: u64,
    has_left: bool,
    /// How old its word was when it was heard.
    age: Duration,
    heard: Instant,
    joined: u64,
    remember: Duration,
}

/// What a node says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Word {
    node: NodeId,
    /// Later ones are greater.
    count: u64,
    /// By the shared clock, in milliseconds since 1970.
    at: u64,
    joined: u64,
    /// For how many milliseconds after it fell silent it may have sockets of a login that ended.
    remember: u64,
    left: bool,
}

/// What a node says of another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Acquaintance {
    node: NodeId,
    /// In milliseconds.
    silent: u64,
    joined: u64,
    remember: u64,
}

/// The other nodes, as far as is known.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) alive: Vec<NodeId>,
    pub(super) silent: Vec<NodeId>,
}

impl Seen {
    fn silent(&self) -> Duration {
        self.age.saturating_add(self.heard.elapsed())
    }

    /// Nothing needs to be known of it any more.
    fn is_over(&self) -> bool {
        self.silent() > self.remember.saturating_add(ALIVE)
    }
}

impl Presence {
    /// For `remember` after it fell silent, this node may have sockets of a login that ended.
    pub(super) fn new(list: String, seal: Seal, remember: Duration) -> Self {
        Self {
            node: NodeId::new(),
            list,
            remember: remember.min(A_YEAR),
            seal,
            words: AtomicU64::new(0),
            has_left: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// This one.
    pub(super) fn node(&self) -> &NodeId {
        &self.node
    }

    /// The channel that nodes say on that they are there.
    pub(super) fn channel(&self) -> &str {
        &self.list
    }

    /// All that may have sockets.
    pub(super) fn others(&self) -> Others {
        self.others_where(|_, _| true)
    }

    /// Those that an order was given to at that time: these, and all that had joined by then.
    pub(super) fn others_at(&self, time: u64, these: &HashSet<NodeId>) -> Others {
        self.others_where(|node, seen| seen.joined <= time || these.contains(node))
    }

    fn others_where(&self, count: impl Fn(&NodeId, &Seen) -> bool) -> Others {
        let mut others = Others::default();
        for (node, seen) in &self.state().others {
            if seen.has_left || seen.is_over() || !count(node, seen) {
                continue;
            }
            let is_alive = seen.silent() <= ALIVE;
            (if is_alive { &mut others.alive } else { &mut others.silent }).push(node.clone());
        }
        others
    }

    /// Whether it said so itself.
    pub(super) fn has_left(&self, node: &NodeId) -> bool {
        self.state().others.get(node).is_some_and(|seen| seen.has_left)
    }

    /// The shared clock's time, as far as is known.
    pub(super) fn time(&self) -> Option<u64> {
        self.state().now()
    }

    /// Whether this node listened already when something was said.
    pub(super) fn listened_at(&self, time: u64) -> bool {
        self.state().since.is_some_and(|since| since <= time)
    }

    /// A heartbeat. The shared clock's time.
    pub(super) async fn beat(&self, connection: &dyn Connection) -> Result<u64, ClusterError> {
        let beaten = timeout(SILENCE, self.try_beat(connection)).await;
        beaten.map_err(|late| ClusterError::new("a heartbeat", late))?
    }

    /// The first heartbeat on a connection that listens.
    pub(super) async fn first_beat(&self, connection: &dyn Connection) -> Result<(), ClusterError> {
        self.state().since = None;
        self.beat(connection).await.map(|_| ())
    }

    async fn try_beat(&self, connection: &dyn Connection) -> Result<u64, ClusterError> {
        let now = connection.time().await?;
        self.state().set_time(now);
        let is_here = !self.has_left.load(Ordering::SeqCst);
        self.say(connection, is_here.then(|| self.word(now, false)).flatten()).await?;
        if is_here && self.has_left.load(Ordering::SeqCst) {
            // It left meanwhile, and its last word may have been overwritten.
            self.say(connection, self.word(now, true)).await?;
        }
        Ok(now)
    }

    /// Leaves the others, who then forget this one.
    pub(super) async fn leave(&self, connection: &dyn Connection) -> Result<(), ClusterError> {
        self.has_left.store(true, Ordering::SeqCst);
        let leaving = async {
            let now = connection.time().await?;
            self.say(connection, self.word(now, true)).await
        };
        let left = timeout(SILENCE, leaving).await;
        left.map_err(|late| ClusterError::new("leaving", late))?
    }

    /// Says a word to all, writes it into the list, and reads what the others have written there.
    async fn say(
        &self,
        connection: &dyn Connection,
        word: Option<String>,
    ) -> Result<(), ClusterError> {
        let outdated = std::mem::take(&mut self.state().outdated);
        let change = ListChange {
            list: &self.list,
            write: word.as_deref().map(|word| (self.node.as_str(), word)),
            remove: &outdated,
            keep: (self.remember + ALIVE) * 2,
        };
        let to_all = async {
            match &word {
                Some(word) => connection.publish(&self.list, word).await,
                None => Ok(0),
            }
        };
        let (entries, hearers) = try_join(connection.list(change), to_all).await?;
        self.state().hearers = hearers;
        self.read(entries);
        Ok(())
    }

    /// Whether there may be nodes that this one does not know yet: more connections heard its last word
    /// than there are nodes.
    pub(super) fn is_new_here(&self) -> bool {
        if Mutant::OnlyTheList.is_here() {
            return false;
        }
        let known = self.others().alive.len() + 1;
        self.state().hearers > u64::try_from(known).unwrap_or(u64::MAX)
    }

    fn word(&self, now: u64, left: bool) -> Option<String> {
        let word = Word {
            node: self.node.clone(),
            count: self.words.fetch_add(1, Ordering::SeqCst) + 1,
            at: now,
            joined: self.state().joined.unwrap_or(now),
            remember: millis(self.remember),
            left,
        };
        self.seal.close(&self.list, &word)
    }

    /// Whether a node of this cluster has said it.
    pub(super) fn hear(&self, sealed: &str) -> bool {
        let word = self.seal.open::<Word>(&self.list, sealed);
        let is_signed = word.is_some();
        if let Some(word) = word {
            self.state().learn(&self.node, word);
        }
        is_signed
    }

    fn read(&self, entries: Vec<Listed>) {
        let mut state = self.state();
        let mut unsigned = 0;
        if Mutant::OnlyTheList.is_here() {
            state.others.clear();
        }
        for Listed { name, text } in entries {
            let word = str::from_utf8(&text).ok();
            let word = word.and_then(|text| self.seal.open::<Word>(&self.list, text));
            match word.filter(|word| word.node.as_str().as_bytes() == name) {
                Some(word) => {
                    if state.is_over(&word) {
                        state.outdated.push(word.node.as_str().to_owned());
                    }
                    state.learn(&self.node, word);
                }
                None => unsigned += 1,
            }
        }
        state.others.retain(|_, seen| !seen.is_over());
        state.unsigned = unsigned;
    }

    /// How many entries of the list no node of this cluster has signed.
    pub(super) fn unsigned(&self) -> usize {
        self.state().unsigned
    }

    /// Whom this node knows, for another one that may not.
    pub(super) fn acquaintances(&self) -> Vec<Acquaintance> {
        let state = self.state();
        let known = state.others.iter().filter(|(_, seen)| !seen.has_left && !seen.is_over());
        let known = known.map(|(node, seen)| Acquaintance {
            node: node.clone(),
            silent: millis(seen.silent()),
            joined: seen.joined,
            remember: millis(seen.remember),
        });
        known.collect()
    }

    /// Learns of nodes that another one knows.
    pub(super) fn introduce(&self, acquaintances: Vec<Acquaintance>) {
        let mut state = self.state();
        if Mutant::OnlyTheList.is_here() {
            return;
        }
        for Acquaintance { node, silent, joined, remember } in acquaintances {
            let seen = Seen {
                count: 0,
                has_left: false,
                age: Duration::from_millis(silent),
                heard: Instant::now(),
                joined,
                remember: Duration::from_millis(remember).min(A_YEAR),
            };
            if node != self.node && !seen.is_over() {
                state.others.entry(node).or_insert(seen);
            }
        }
    }

    /// No code that holds the lock can panic, so a poisoned one is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn now(&self) -> Option<u64> {
        self.time.map(|(time, then)| time.saturating_add(millis(then.elapsed())))
    }

    fn set_time(&mut self, now: u64) {
        self.time = Some((now, Instant::now()));
        self.joined.get_or_insert(now);
        // It listened before it asked: where that is later, the clock was put back.
        self.since = Some(self.since.map_or(now, |since| since.min(now)));
    }

    fn age(&self, word: &Word) -> Duration {
        Duration::from_millis(self.now().unwrap_or(word.at).saturating_sub(word.at))
    }

    fn is_over(&self, word: &Word) -> bool {
        self.age(word) > ALIVE.saturating_add(Duration::from_millis(word.remember))
    }

    fn learn(&mut self, this: &NodeId, word: Word) {
        if word.node == *this {
            return;
        }
        let mut seen = Seen {
            count: word.count,
            has_left: word.left,
            age: self.age(&word),
            heard: Instant::now(),
            joined: word.joined,
            remember: Duration::from_millis(word.remember).min(A_YEAR),
        };
        match self.others.entry(word.node) {
            Entry::Vacant(entry) => {
                if !seen.is_over() {
                    entry.insert(seen);
                }
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if seen.count > known.count && !known.has_left {
                    // It is later than the one before, whatever the clock says.
                    seen.age = seen.age.min(known.silent());
                    *known = seen;
                }
            }
        }
    }
}

/// As many as fit.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
