//! What the registry knows, and how it changes. All of it happens under one lock, and none of it waits.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use express_session::{SessionId, SidHash};
use tokio::time::Instant;

use super::denied::{Denied, UserChanges};
use super::grace::{Grace, Overdue};
use super::handshakes::OngoingHandshakes;
use super::schedule::{DEBOUNCE, Due, Finding};
use super::slots::{Manner, Schedule, Slot};
use super::{LiveSocket, NotEntered, OverLimit};
use crate::model::{EndReason, SocketId, UserKey};
use crate::observe::Tally;

pub(super) struct State<U> {
    pub(super) sessions: HashMap<SessionId, Entry<U>>,
    pub(super) users: HashMap<UserKey, HashSet<SessionId>>,
    /// For feeds that tell hashes.
    pub(super) hashes: HashMap<SidHash, SessionId>,
    next_number: u64,
    pub(super) ongoing: OngoingHandshakes,
    pub(super) schedule: Schedule,
    /// Sessions about which the store was asked and has not answered.
    pub(super) unanswered: HashSet<SessionId>,
    /// Whether the store answers nothing at all.
    pub(super) is_away: bool,
    /// In how many clusters this node is cut off from the others: then it admits no socket.
    pub(super) cut_off: usize,
    pub(super) denied: Denied,
    /// Whose handshakes that began before know the user as they were.
    pub(super) refreshed: UserChanges,
    /// Who is shown in metrics.
    pub(super) tally: Tally,
}

/// A session that somebody is connected with, or is about to.
pub(super) struct Entry<U> {
    /// Counts announced changes.
    pub(super) epoch: u64,
    /// Handshakes that have registered and not finished.
    pub(super) pending: usize,
    pub(super) sockets: HashMap<u64, Arc<LiveSocket<U>>>,
    /// Since when a change is known that nobody has looked at.
    pub(super) told: Option<Instant>,
    /// When it is looked at again; `None` while it is being looked at, and while it has no socket.
    pub(super) due: Option<Slot>,
    pub(super) checked: Instant,
    /// When the store was asked for the last answer that said that the login stands.
    pub(super) confirmed: Option<Instant>,
    /// Since when the store is being asked about it.
    pub(super) asked: Option<Instant>,
    /// Where the last lookup of it gave no answer: as what it ends, should that stay so. It is looked
    /// up alone until one does.
    pub(super) unclear: Option<EndReason>,
}

impl<U> State<U> {
    pub(super) fn new() -> Self {
        Self {
            sessions: HashMap::new(),
            users: HashMap::new(),
            hashes: HashMap::new(),
            next_number: 0,
            ongoing: OngoingHandshakes::default(),
            schedule: Schedule::default(),
            unanswered: HashSet::new(),
            is_away: false,
            cut_off: 0,
            denied: Denied::default(),
            refreshed: UserChanges::default(),
            tally: Tally::default(),
        }
    }

    pub(super) fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The user's sockets whose login has not ended. Whether they are connected is for the host to
    /// say, and must not be asked under the lock: to ask may be to drop the host's last socket, which
    /// leaves by this same lock.
    pub(super) fn standing(&self, user: &UserKey) -> Vec<Arc<LiveSocket<U>>> {
        let sessions = self.users.get(user).into_iter().flatten();
        let entries = sessions.filter_map(|sid| self.sessions.get(sid));
        let sockets = entries.flat_map(|entry| entry.sockets.values());
        let theirs =
            |socket: &&Arc<LiveSocket<U>>| socket.user_key() == user && !socket.has_ended();
        sockets.filter(theirs).cloned().collect()
    }

    /// Changes an entry, and removes it when nobody is left in it.
    pub(super) fn leave(&mut self, sid: &SessionId, change: impl FnOnce(&mut Entry<U>)) {
        let Some(entry) = self.sessions.get_mut(sid) else {
            return;
        };
        let before = entry.sockets.len();
        change(entry);
        self.tally.session(before, entry.sockets.len());
        if entry.sockets.is_empty() {
            entry.told = None;
            (entry.asked, entry.unclear) = (None, None);
            self.unanswered.remove(sid);
            self.schedule.remove(entry.due.take());
            if entry.pending == 0 {
                self.sessions.remove(sid);
                self.hashes.remove(&sid.hash());
            }
        }
    }

    /// Forgets that a user has this session, unless a socket of it is still theirs.
    pub(super) fn forget_user(&mut self, user: &UserKey, sid: &SessionId) {
        let entry = self.sessions.get(sid);
        let mut sockets = entry.into_iter().flat_map(|entry| entry.sockets.values());
        if sockets.any(|socket| socket.user_key() == user) {
            return;
        }
        if let Some(sessions) = self.users.get_mut(user) {
            sessions.remove(sid);
            if sessions.is_empty() {
                self.users.remove(user);
            }
        }
    }

    /// The sockets that must go so that this one can come: none, or those of the oldest connection.
    pub(super) fn make_room(
        &self,
        socket: &LiveSocket<U>,
        most: usize,
        over: OverLimit,
    ) -> Result<Vec<Arc<LiveSocket<U>>>, NotEntered> {
        let theirs = self.standing(socket.user_key());
        // One connection has a socket in each of its namespaces, all with its id.
        let mut connections = HashMap::<SocketId, Instant>::new();
        for other in &theirs {
            let entered = connections.entry(other.id()).or_insert(other.entered());
            *entered = other.entered().min(*entered);
        }
        if connections.contains_key(&socket.id()) || connections.len() < most {
            return Ok(Vec::new());
        }
        let oldest = connections.iter().min_by_key(|(_, entered)| **entered);
        match (over, oldest) {
            (OverLimit::Refuse, _) | (OverLimit::EvictOldest, None) => Err(NotEntered::TooMany),
            (OverLimit::EvictOldest, Some((oldest, _))) => {
                let is_oldest = |other: &Arc<LiveSocket<U>>| other.id() == *oldest;
                Ok(theirs.iter().filter(|other| is_oldest(other)).cloned().collect())
            }
        }
    }

    /// The sockets whose grace is over, and when the next grace is.
    pub(super) fn overdue(&self, grace: Grace) -> (Overdue<U>, Option<Instant>) {
        let now = Instant::now();
        let (mut over, mut next) = (Overdue::new(), None::<Instant>);
        let mut consider = |entry: &Entry<U>| {
            let answer_by = match entry.asked {
                Some(asked) if !self.is_away => asked + grace.question,
                _ => now,
            };
            for socket in entry.sockets.values().filter(|socket| !socket.has_ended()) {
                let ends = (entry.confirmed(socket) + grace.socket).max(answer_by);
                if ends <= now {
                    let reason = entry.unclear.filter(|_| !self.is_away);
                    let reason = reason.unwrap_or(EndReason::StoreUnavailable);
                    over.entry(reason).or_default().push(socket.clone());
                } else {
                    next = Some(next.map_or(ends, |next| next.min(ends)));
                }
            }
        };
        if self.is_away {
            self.sessions.values().for_each(&mut consider);
        } else {
            let entries = self.unanswered.iter().filter_map(|sid| self.sessions.get(sid));
            entries.for_each(&mut consider);
        }
        (over, next)
    }

    pub(super) fn take_due(&mut self, manner: Manner, at_most: usize) -> Vec<Due> {
        let now = Instant::now();
        let mut taken = Vec::new();
        while taken.len() < at_most
            && let Some((since, sid)) = self.schedule.pop(manner, now)
        {
            if let Some(entry) = self.sessions.get_mut(&sid) {
                entry.due = None;
                entry.checked = now;
                entry.asked = Some(now);
                self.unanswered.insert(sid.clone());
                let told = entry.told.take();
                let (since, was_told) = (told.unwrap_or(since), told.is_some());
                taken.push(Due { sid, epoch: entry.epoch, taken: now, since, was_told });
            }
        }
        taken
    }

    /// What [`Registry::settle`](super::Registry::settle) changes.
    pub(super) fn settle(&mut self, due: &Due, finding: &Finding, again: Instant) -> Settled<U> {
        let now = Instant::now();
        let unclear = match finding {
            Finding::Unclear(reason) => Some(*reason),
            Finding::Stands(_) | Finding::Gone | Finding::Over(_) => None,
        };
        if unclear.is_none() {
            self.unanswered.remove(&due.sid);
        }
        let mut known_since = None;
        let settled = self.with_entry(&due.sid, |schedule, entry| {
            if entry.sockets.is_empty() {
                return None;
            }
            let known = |socket: &&Arc<LiveSocket<U>>| socket.entered() < due.taken;
            let sockets: Vec<_> = entry.sockets.values().filter(known).cloned().collect();
            let changed = entry.epoch != due.epoch;
            let unsettled = changed || sockets.len() < entry.sockets.len();
            let next = if unsettled { now.max(entry.checked + DEBOUNCE) } else { again };
            if unclear.is_none() && entry.unclear.is_none() {
                known_since = sockets.iter().map(|socket| entry.confirmed(socket)).min();
            }
            entry.asked = None;
            entry.unclear = unclear;
            schedule.at_most(&due.sid, entry, next);
            match finding {
                Finding::Stands(session) => {
                    entry.confirmed = Some(due.taken);
                    let (same, other): (Vec<_>, Vec<_>) =
                        sockets.into_iter().partition(|socket| socket.is_of(session));
                    for socket in same.iter().filter(|_| !changed) {
                        socket.refresh_session(session);
                    }
                    Some((other, EndReason::UserChanged))
                }
                Finding::Gone => {
                    // A handshake that found it just before must look again.
                    entry.epoch += 1;
                    let outlived = sockets.iter().any(|socket| socket.has_outlived_its_session());
                    let reason = if outlived { EndReason::Expired } else { EndReason::LoggedOut };
                    Some((sockets, reason))
                }
                Finding::Over(reason) => {
                    entry.epoch += 1;
                    Some((sockets, *reason))
                }
                // Sockets stay for their [grace](super::grace).
                Finding::Unclear(_) => None,
            }
        });
        Settled { ended: settled.flatten(), known_since }
    }

    pub(super) fn with_entry<T>(
        &mut self,
        sid: &SessionId,
        change: impl FnOnce(&mut Schedule, &mut Entry<U>) -> T,
    ) -> Option<T> {
        let Self { sessions, schedule, .. } = self;
        sessions.get_mut(sid).map(|entry| change(schedule, entry))
    }
}

/// What came of a lookup by the sweep.
pub(super) struct Settled<U> {
    /// The sockets that end, and why.
    pub(super) ended: Option<(Vec<Arc<LiveSocket<U>>>, EndReason)>,
    /// When the store was asked for what was known before.
    pub(super) known_since: Option<Instant>,
}

impl<U> Entry<U> {
    /// When the store was asked for the last answer that said that this socket's login stands.
    pub(super) fn confirmed(&self, socket: &LiveSocket<U>) -> Instant {
        // What was asked before it came may have been answered about somebody else.
        let since_it_came = self.confirmed.filter(|asked| socket.entered() < *asked);
        since_it_came.unwrap_or_else(|| socket.asked())
    }
}
