//! Gauges, each the sum over all authorizers of this process.
//!
//! Whoever has something to show holds a [`Share`] of the gauge, sets it to what is so now, and takes
//! it back by being dropped: no path out of a function leaves a gauge wrong.

use std::sync::{LazyLock, Mutex, PoisonError};

#[cfg(feature = "redis")]
use super::metrics::CLUSTERS;
use super::metrics::{FEEDS, SESSIONS, SOCKETS, STORES_AWAY, USERS};
use super::{Repeats, recorder, unpanicked};

/// A gauge of the whole process.
pub(super) struct Total {
    name: &'static str,
    sum: Mutex<usize>,
}

/// Panics of the recorder, which is one for the whole process as well.
static RECORDER: LazyLock<Repeats> = LazyLock::new(Repeats::default);

static LIVE_SOCKETS: Total = Total::of(SOCKETS);
static LIVE_SESSIONS: Total = Total::of(SESSIONS);
static LIVE_USERS: Total = Total::of(USERS);
pub(super) static STORES: Total = Total::of(STORES_AWAY);
pub(super) static LISTENING: Total = Total::of(FEEDS);
#[cfg(feature = "redis")]
pub(super) static CONNECTED: Total = Total::of(CLUSTERS);

impl Total {
    const fn of(name: &'static str) -> Self {
        Self { name, sum: Mutex::new(0) }
    }

    /// Under the lock, so that the last that the recorder is told is the last that was so.
    fn change(&self, from: usize, to: usize) {
        let mut sum = self.sum.lock().unwrap_or_else(PoisonError::into_inner);
        *sum = (*sum + to).saturating_sub(from);
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
        let value = *sum as f64;
        // Shares are changed under locks of our callers, too, which no recorder may poison.
        unpanicked("metrics recorder", &RECORDER, || recorder::set(self.name, value));
    }
}

/// A part of a gauge.
pub(super) struct Share {
    total: &'static Total,
    value: usize,
}

impl Share {
    pub(super) fn of(total: &'static Total, value: usize) -> Self {
        let mut share = Self { total, value: 0 };
        share.set(value);
        share
    }

    pub(super) fn set(&mut self, value: usize) {
        self.total.change(self.value, value);
        self.value = value;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// How many sockets, sessions and users a registry has. It says so with each change.
pub(crate) struct Tally {
    sockets: Share,
    sessions: Share,
    users: Share,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            sockets: Share::of(&LIVE_SOCKETS, 0),
            sessions: Share::of(&LIVE_SESSIONS, 0),
            users: Share::of(&LIVE_USERS, 0),
        }
    }
}

impl Tally {
    /// A session has so many sockets now, and had so many before.
    pub(crate) fn session(&mut self, before: usize, now: usize) {
        if before == now {
            return;
        }
        self.sockets.set((self.sockets.value + now).saturating_sub(before));
        let is_live = |sockets: usize| usize::from(sockets > 0);
        if is_live(before) != is_live(now) {
            self.sessions.set((self.sessions.value + is_live(now)).saturating_sub(is_live(before)));
        }
    }

    /// There are so many users now.
    pub(crate) fn users(&mut self, now: usize) {
        if self.users.value != now {
            self.users.set(now);
        }
    }

    /// Says it once more, to a recorder that came later, or that forgets what it is not told again.
    pub(crate) fn repeat(&mut self) {
        for share in [&mut self.sockets, &mut self.sessions, &mut self.users] {
            share.set(share.value);
        }
    }
}
