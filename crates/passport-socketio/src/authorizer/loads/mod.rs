//! How handshakes ask the store: each session once at a time, and not too many at once.
//!
//! A thousand clients that come back at once, after a deploy or a network's hiccup, must not become
//! a thousand questions at once.
//!
//! 1. **Single flight.** Of each session at most one load is under way. Who asks meanwhile waits
//!    for the *next* one, together with all others who do. Nobody joins a load that has begun: it
//!    may have read the session before they entered the registry of live sessions, and a logout
//!    between the two would be told to nobody. A load that begins after one's own registration
//!    either sees the logout, or is followed by the announcement that the gate's epochs catch.
//!    An *error* is shared with those who wait for the next load, too: it lets nobody in, so it
//!    can't be out of date.
//! 2. **Bounded.** So many loads are [in flight](LoadLimits::in_flight), so many more
//!    [wait](LoadLimits::queued), first come, first served, and none longer than the store's
//!    timeout. The rest is told to [try again](AuthorizeError::Overloaded) at once, while that is
//!    still cheap. A load keeps its place until the store has answered or its time is over, whether
//!    or not anybody waits for it: clients that ask and go away can't ask for more than the bound.
//!    One that nobody waits for any more before it has begun does not begin.
//! 3. **Kept, where wanted.** Records may be [kept](LoadLimits::kept_for) for a moment, by the
//!    [rules](kept) that say what that costs.
//!
//! The sweep over live sessions does not come this way: it has few loads of its own in flight, many
//! sessions in each, and no crowd of newcomers can make it late.

mod flights;
mod kept;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use express_session::store::{SessionStore, StoredSession};
use express_session::{SessionId, SidHash};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::flights::{Asked, Flights, Next};
use super::in_time::in_time;
use crate::model::AuthorizeError;

/// How many loads, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadLimits {
    /// More would make most stores slower, not faster.
    pub(crate) in_flight: usize,
    /// 256 loads of 50 ms each are 5,120 a second: who comes behind 8,192 others would wait for
    /// about 2 s, the store's timeout, for nothing.
    pub(crate) queued: usize,
    /// How long a record is used again. Not at all by default.
    pub(crate) kept_for: Option<Duration>,
}

impl Default for LoadLimits {
    fn default() -> Self {
        Self { in_flight: 256, queued: 8192, kept_for: None }
    }
}

/// A session as the store has answered, and when it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) stored: Option<Arc<StoredSession>>,
    pub(crate) asked: Instant,
}

type Answer = Result<Loaded, AuthorizeError>;

/// All loads of one authorizer's handshakes.
pub(crate) struct Loads {
    store: Option<Arc<dyn SessionStore>>,
    /// For a load, and for the wait before it.
    timeout: Duration,
    places: Semaphore,
    flights: Mutex<Flights>,
}

impl Loads {
    pub(crate) fn new(
        store: Option<Arc<dyn SessionStore>>,
        timeout: Duration,
        limits: LoadLimits,
    ) -> Arc<Self> {
        let places = Semaphore::new(limits.in_flight.min(Semaphore::MAX_PERMITS));
        let flights = Mutex::new(Flights::new(limits));
        Arc::new(Self { store, timeout, places, flights })
    }

    /// The session as it was at some moment after this call, or as it is kept.
    pub(crate) async fn load(self: &Arc<Self>, sid: &SessionId) -> Answer {
        let key = sid.hash();
        let asked = self.flights().ask(&key, Instant::now());
        let mut answer = match asked {
            Asked::Kept(loaded) => return Ok(loaded),
            Asked::Full => return Err(AuthorizeError::Overloaded),
            Asked::Joined(answer) => answer,
            Asked::First(answer) => {
                let pilot = Pilot { loads: self.clone(), key, has_landed: false };
                tokio::spawn(pilot.fly(sid.clone()));
                answer
            }
        };
        match answer.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(answer)) => answer.clone(),
            Ok(None) | Err(_) => Err(AuthorizeError::LoadAbandoned),
        }
    }

    /// Something happened to the session: no record of it that was asked for before now is kept.
    ///
    /// To be called *before* the registry's epoch moves. A handshake that registers under the new
    /// epoch then finds nothing older, and one that found something older has the old epoch.
    pub(crate) fn forget(&self, key: &SidHash) {
        self.flights().forget(key);
    }

    /// The same for every session.
    pub(crate) fn forget_all(&self) {
        self.flights().forget_all();
    }

    /// No code that holds the lock can panic, so a poisoned one is whole.
    fn flights(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that makes one session's loads, one after the other, for as long as somebody waits.
struct Pilot {
    loads: Arc<Loads>,
    key: SidHash,
    has_landed: bool,
}

impl Pilot {
    async fn fly(mut self, sid: SessionId) {
        let loads = self.loads.clone();
        while let Some(next) = self.next() {
            let place = tokio::select! {
                place = timeout_at(next.since + loads.timeout, loads.places.acquire()) => place,
                () = next.nobody_waits() => continue,
            };
            let Ok(Ok(_place)) = place else {
                loads.flights().give_up(&self.key, &AuthorizeError::Overloaded);
                continue;
            };
            let asked = Instant::now();
            let answer_to = loads.flights().begin(&self.key);
            let answer = loads.ask(&sid).await;
            let answer = answer.map(|stored| Loaded { stored: stored.map(Arc::new), asked });
            loads.flights().land(&self.key, &answer);
            answer_to.give(answer);
        }
        self.has_landed = true;
    }

    fn next(&self) -> Option<Next> {
        self.loads.flights().next(&self.key)
    }
}

/// Its runtime may end before it does: who waits is told, and the next one to ask starts anew.
impl Drop for Pilot {
    fn drop(&mut self) {
        if !self.has_landed {
            self.loads.flights().end(&self.key);
        }
    }
}

impl Loads {
    async fn ask(&self, sid: &SessionId) -> Result<Option<StoredSession>, AuthorizeError> {
        let store = self.store.as_deref().ok_or(AuthorizeError::NoStore)?;
        in_time("load", self.timeout, async { store.load(sid).await }).await
    }
}
