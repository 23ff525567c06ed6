//! Which nodes are there: each says so every two seconds, signed, to all and into a list.
//!
//! What is heard makes a node known; the list tells those that join later. Only its own signed word
//! makes a node leave. One that falls silent may be cut off, and serve on: each node remembers whom it
//! has known for as long as that one may [have sockets](super::fence), whatever becomes of the list.
//!
//! A node numbers its words, and an order names the latest word that its giver knows of each node. A
//! node obeys it only if it said that word within the last half minute, on this connection. So an order
//! that was recorded is of no use later, nor to a node that joined or came back later. The clock that
//! all nodes share may jump: it only says how old the entries of the list are.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::try_join;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::ClusterError;
use super::message::{NodeId, Seal};
use super::transport::{Connection, ListChange, Listed};
use crate::mutant::Mutant;

/// A node whose last word is older is not waited for.
pub(super) const ALIVE: Duration = Duration::from_secs(6);
/// A Redis that takes longer for a heartbeat is as good as gone.
pub(super) const SILENCE: Duration = Duration::from_secs(2);
/// A word that is older is good for no order.
pub(super) const FRESH: Duration = Duration::from_secs(30);
/// So many words of unknown nodes wait for the clock to be read.
const DOUBTFUL: usize = 256;
/// The longest that a node may ask to be remembered.
pub(super) const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

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
    /// When it said the last of its words that came back to it.
    pub(super) heard_itself: watch::Sender<Instant>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    others: HashMap<NodeId, Seen>,
    /// The shared clock at a moment of ours.
    time: Option<(u64, Instant)>,
    /// This node's words since it listens on this connection, and when it said them: the first one, and
    /// the fresh ones.
    since: u64,
    said: VecDeque<(u64, Instant)>,
    /// Words of unknown nodes that seem too old: until the clock is read once more.
    doubtful: Vec<Word>,
    /// How many connections heard its last word.
    hearers: u64,
    /// Entries of the list that no node has signed.
    unsigned: usize,
    /// Names of entries that are out of date.
    outdated: Vec<String>,
}

/// What is known of another node.
struct Seen {
    /// Its latest word, and its first one since it listens on its connection.
    count: u64,
    since: u64,
    has_left: bool,
    /// How old its word was when it was heard, as far as the shared clock tells.
    age: Duration,
    heard: Instant,
    /// For how long it is remembered once it has fallen silent: until then. No clock but our own may shorten
    /// that.
    remember: Duration,
    until: Instant,
}

/// What a node says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Word {
    node: NodeId,
    /// Later ones are greater.
    count: u64,
    /// Its first one since it listens on this connection.
    since: u64,
    /// By the shared clock, in milliseconds since 1970.
    at: u64,
    /// For how many milliseconds after it fell silent it may have sockets of a login that ended.
    remember: u64,
    left: bool,
}

/// What a node says of another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Acquaintance {
    node: NodeId,
    count: u64,
    since: u64,
    /// In milliseconds: for how long it has been, and for how long it is to be remembered yet.
    silent: u64,
    remember: u64,
}

/// The nodes that an order is given to, each by the latest word that is known of it.
pub(super) type Addressees = HashMap<NodeId, u64>;

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
        self.until < Instant::now()
    }

    /// Whether an order may reach it, or it may have sockets.
    fn counts(&self) -> bool {
        !self.has_left && !self.is_over()
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
            heard_itself: watch::Sender::new(Instant::now()),
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
        let mut others = Others::default();
        for (node, seen) in self.state().others.iter().filter(|(_, seen)| seen.counts()) {
            let is_alive = seen.silent() <= ALIVE;
            (if is_alive { &mut others.alive } else { &mut others.silent }).push(node.clone());
        }
        others
    }

    /// Those of them to whom an order has yet to be given that was given to `already`: to them as they
    /// are now.
    pub(super) fn addressees(&self, already: &Addressees) -> Addressees {
        let state = self.state();
        let is_new = |(node, seen): &(&NodeId, &Seen)| {
            seen.counts() && already.get(*node).is_none_or(|count| *count < seen.since)
        };
        state.others.iter().filter(is_new).map(|(node, seen)| (node.clone(), seen.count)).collect()
    }

    /// Whether an order is given to this node as it is now.
    pub(super) fn is_addressed(&self, to: &Addressees) -> bool {
        if Mutant::OrdersToAll.is_here() {
            return true;
        }
        let Some(word) = to.get(&self.node) else { return false };
        let state = self.state();
        let mut said = state.said.iter();
        said.any(|(count, said)| count == word && said.elapsed() <= FRESH)
    }

    /// Whether this one leaves, or has left.
    pub(super) fn leaves(&self) -> bool {
        self.has_left.load(Ordering::SeqCst)
    }

    /// Whether it said so itself.
    pub(super) fn has_left(&self, node: &NodeId) -> bool {
        self.state().others.get(node).is_some_and(|seen| seen.has_left)
    }

    /// A heartbeat.
    pub(super) async fn beat(&self, connection: &dyn Connection) -> Result<(), ClusterError> {
        let beaten = timeout(SILENCE, self.try_beat(connection)).await;
        beaten.map_err(|late| ClusterError::new("a heartbeat", late))?
    }

    /// The first heartbeat on a connection that listens.
    pub(super) async fn first_beat(&self, connection: &dyn Connection) -> Result<(), ClusterError> {
        {
            let mut state = self.state();
            state.since = self.words.load(Ordering::SeqCst) + 1;
            state.said.clear();
            // Until now it may have said what was not heard here.
            for seen in state.others.values_mut() {
                seen.until = seen.until.max(Instant::now() + seen.remember);
            }
        }
        self.beat(connection).await
    }

    async fn try_beat(&self, connection: &dyn Connection) -> Result<(), ClusterError> {
        let now = connection.time().await?;
        {
            let mut state = self.state();
            state.set_time(now);
            for word in std::mem::take(&mut state.doubtful) {
                state.learn(&self.node, word);
            }
        }
        let is_here = !self.has_left.load(Ordering::SeqCst);
        self.say(connection, is_here.then(|| self.word(now, false)).flatten()).await?;
        if is_here && self.has_left.load(Ordering::SeqCst) {
            // It left meanwhile, and its last word may have been overwritten.
            self.say(connection, self.word(now, true)).await?;
        }
        Ok(())
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
        let (node, remember) = (self.node.clone(), millis(self.remember));
        let mut state = self.state();
        let count = self.words.fetch_add(1, Ordering::SeqCst) + 1;
        state.said.retain(|(_, said)| said.elapsed() <= FRESH);
        state.said.push_back((count, Instant::now()));
        let since = state.since;
        drop(state);
        let word = Word { node, count, since, at: now, remember, left };
        self.seal.close(&self.list, &word)
    }

    /// Whether a node of this cluster has said it.
    pub(super) fn hear(&self, sealed: &str) -> bool {
        let word = self.seal.open::<Word>(&self.list, sealed);
        let is_signed = word.is_some();
        match word {
            Some(word) if word.node == self.node => {
                let state = self.state();
                let said = state.said.iter().find(|(count, _)| *count == word.count);
                if let Some((_, said)) = said {
                    self.heard_itself.send_if_modified(|last| {
                        let is_later = *last < *said;
                        *last = *said.max(last);
                        is_later
                    });
                }
            }
            Some(word) => self.state().hear(&self.node, word),
            None => {}
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
                    let name = word.node.as_str().to_owned();
                    if !state.learn(&self.node, word) {
                        state.outdated.push(name);
                    }
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
        let known = state.others.iter().filter(|(_, seen)| seen.counts());
        let known = known.map(|(node, seen)| Acquaintance {
            node: node.clone(),
            count: seen.count,
            since: seen.since,
            silent: millis(seen.silent()),
            remember: millis(seen.until.duration_since(Instant::now())),
        });
        known.collect()
    }

    /// Learns of nodes that another one knows.
    pub(super) fn introduce(&self, acquaintances: Vec<Acquaintance>) {
        let mut state = self.state();
        if Mutant::OnlyTheList.is_here() {
            return;
        }
        for Acquaintance { node, count, since, silent, remember } in acquaintances {
            let heard = Instant::now();
            let remember = Duration::from_millis(remember).min(A_YEAR);
            let until = heard + remember;
            let age = Duration::from_millis(silent);
            let seen = Seen { count, since, has_left: false, age, heard, remember, until };
            let is_news = |known: &Seen| known.is_over() && !known.has_left;
            if node != self.node && state.others.get(&node).is_none_or(is_news) {
                state.others.insert(node, seen);
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
    }

    /// What a node has just said, or somebody who has recorded it says again.
    fn hear(&mut self, this: &NodeId, word: Word) {
        if let Err(word) = self.learn_of(this, word, true)
            && self.doubtful.len() < DOUBTFUL
        {
            // The clock may have been put back a moment ago.
            self.doubtful.push(word);
        }
    }

    /// What stands in the list. Whether it is of any use yet.
    fn learn(&mut self, this: &NodeId, word: Word) -> bool {
        self.learn_of(this, word, false).is_ok()
    }

    /// The error is a word that is too old, of a node that is not known.
    fn learn_of(&mut self, this: &NodeId, word: Word, is_heard: bool) -> Result<(), Word> {
        if word.node == *this {
            return Ok(());
        }
        let heard = Instant::now();
        let age = self.now().unwrap_or(word.at).saturating_sub(word.at);
        let age = Duration::from_millis(age);
        let remember = Duration::from_millis(word.remember).min(A_YEAR).saturating_add(ALIVE);
        let Word { count, since, left: has_left, .. } = word;
        let until = heard + remember;
        let seen = Seen { count, since, has_left, age, heard, remember, until };
        match self.others.get_mut(&word.node) {
            Some(known) if seen.count > known.count && !known.has_left => {
                // It is later than the one before, whatever the clock says.
                let age = if is_heard { Duration::ZERO } else { seen.age.min(known.silent()) };
                *known = Seen { age, ..seen };
            }
            Some(known) if known.is_over() => return Err(word),
            Some(_) => {}
            None => match remember.checked_sub(age) {
                Some(left) => {
                    self.others.insert(word.node, Seen { until: heard + left, ..seen });
                }
                None => return Err(word),
            },
        }
        Ok(())
    }
}

/// As many as fit.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
