//! How handshakes ask the store: each session once at a time, and not too many at once.
//!
//! A thousand clients that come back at once, after a deploy or a network's hiccup, must not become
//! a thousand questions at once.
//!
//! 1. **One load of a session at a time.** A request that comes while a session is being loaded waits
//!    for the *next* load of it, together with all others that do. No request joins a load that has
//!    begun: that may have read the session before the request entered the registry of live sessions,
//!    and a logout between the two would be missed. A load that begins after a request's own
//!    registration either sees the logout, or is followed by the announcement that the gate's epochs
//!    catch. An *error* is shared with those that wait for the next load, too: it admits no request, so
//!    it can't be out of date.
//! 2. **Bounded.** So many loads are [in flight](LoadLimits::in_flight), so many more
//!    [wait](LoadLimits::queued), first come, first served, and none longer than the store's
//!    timeout. The rest get [try again](AuthorizeError::Overloaded) at once, while that is
//!    still cheap. A load keeps its place until the store has answered or its time is over, whether
//!    or not a request still waits for it: clients that ask and go away can't ask for more than the
//!    bound. One that no request waits for any more before it has begun does not begin.
//! 3. **Cached, if configured.** Records may be [cached](LoadLimits::cached_for) for a moment, by the
//!    [rules](cache) that say what that costs.
//!
//! The sweep over live sessions does not come this way: it has few loads of its own in flight, many
//! sessions in each, and no crowd of new clients can make it late.

mod cache;
mod pending;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use express_session::store::StoredSession;
use express_session::{SessionId, SidHash};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use self::pending::{Asked, Next, PendingLoads};
use super::StoreAccess;
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
    pub(crate) cached_for: Option<Duration>,
}

impl Default for LoadLimits {
    fn default() -> Self {
        Self { in_flight: 256, queued: 8192, cached_for: None }
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
    /// Its time is also that of the wait before a load.
    store: StoreAccess,
    places: Semaphore,
    pending: Mutex<PendingLoads>,
}

impl Loads {
    pub(crate) fn new(store: StoreAccess, limits: LoadLimits) -> Arc<Self> {
        let places = Semaphore::new(limits.in_flight.min(Semaphore::MAX_PERMITS));
        let pending = Mutex::new(PendingLoads::new(limits));
        Arc::new(Self { store, places, pending })
    }

    /// The session as it was at some moment after this call, or as it is cached.
    pub(crate) async fn load(self: &Arc<Self>, sid: &SessionId) -> Answer {
        let key = sid.hash();
        let asked = self.pending().ask(&key, Instant::now());
        let mut answer = match asked {
            Asked::Cached(loaded) => return Ok(loaded),
            Asked::Full => return Err(AuthorizeError::Overloaded),
            Asked::Joined(answer) => answer,
            Asked::Start(answer) => {
                let task = LoadTask { loads: self.clone(), key, is_done: false };
                tokio::spawn(task.run(sid.clone()));
                answer
            }
        };
        match answer.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(answer)) => answer.clone(),
            Ok(None) | Err(_) => Err(AuthorizeError::LoadAbandoned),
        }
    }

    /// Something happened to the session: no record of it that was asked for before now stays cached.
    ///
    /// To be called *before* the registry's epoch moves. A handshake that registers under the new
    /// epoch then finds nothing older, and one that found something older has the old epoch.
    pub(crate) fn forget(&self, key: &SidHash) {
        self.pending().forget(key);
    }

    /// The same for every session.
    pub(crate) fn forget_all(&self) {
        self.pending().forget_all();
    }

    /// No code that holds the lock can panic, so a poisoned one is whole.
    fn pending(&self) -> MutexGuard<'_, PendingLoads> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that makes one session's loads, one after the other, for as long as a request waits.
struct LoadTask {
    loads: Arc<Loads>,
    key: SidHash,
    is_done: bool,
}

impl LoadTask {
    async fn run(mut self, sid: SessionId) {
        let loads = self.loads.clone();
        while let Some(next) = self.next() {
            let place = tokio::select! {
                place = timeout_at(next.since + loads.store.timeout(), loads.places.acquire()) => place,
                () = next.is_abandoned() => continue,
            };
            let Ok(Ok(_place)) = place else {
                loads.pending().give_up(&self.key, &AuthorizeError::Overloaded);
                continue;
            };
            let asked = Instant::now();
            let answer_to = loads.pending().begin(&self.key);
            let answer = loads.store.load(&sid).await;
            let answer = answer.map(|stored| Loaded { stored: stored.map(Arc::new), asked });
            loads.pending().finish(&self.key, &answer);
            answer_to.give(answer);
        }
        self.is_done = true;
    }

    fn next(&self) -> Option<Next> {
        self.loads.pending().next(&self.key)
    }
}

/// Its runtime may end before it does: the requests that wait fail, and the next one starts a new task.
impl Drop for LoadTask {
    fn drop(&mut self) {
        if !self.is_done {
            self.loads.pending().end(&self.key);
        }
    }
}
