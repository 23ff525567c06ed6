//! The task that keeps the live sessions true to the store.
//!
//! 1. It takes what is [due](super::schedule), some sessions at a time, loads them in one round
//!    trip, and settles what it found: a login that ended takes its sockets with it. Where that gives
//!    no answer, each is looked up alone, and so until it does: nobody else waits for a session that
//!    the store hangs for.
//! 2. It listens to the [feeds of changes](super::feeds), which make sessions due at once.
//! 3. While the store is away it only asks whether it is back; when it is, everybody is looked at
//!    again, one after the other.
//! 4. A socket that the store says nothing about stays for a [grace](super::grace).

use std::panic::AssertUnwindSafe;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use express_session::SessionId;
use express_session::store::StoredSession;
use express_session::watch::SessionWatch;
use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::feeds::Feeds;
use super::grace::Grace;
use super::schedule::{Due, Finding};
use super::slots::Manner;
use super::{LiveSettings, Registry};
use crate::authorizer::{Decider, NoLogin, NoTrace};
use crate::model::{AuthorizeError, EndReason};
use crate::mutant::Mutant;
use crate::observe::{Observer, Promise, events};

/// Sessions that are loaded in one round trip.
const BATCH: usize = 100;
/// Round trips under way at once.
const IN_FLIGHT: usize = 4;
/// What becomes due within this is looked at together.
const COALESCE: Duration = Duration::from_millis(5);
/// A store whose clock ends a life a moment later is not asked without a pause.
const SOONEST: Duration = Duration::from_millis(50);
/// Sessions that are looked up alone, at once.
const ALONE: usize = 32;
/// How often it is looked whose grace is over, while the store owes an answer.
const OFTEN: Duration = Duration::from_secs(1);
/// How often a store that is away is asked whether it is back: from, to. A short `max_stale` leaves
/// less time to notice.
const PROBE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Looks after one authorizer's live sessions.
pub(crate) struct Keeper<U> {
    decider: Arc<Decider<U>>,
    registry: Arc<Registry<U>>,
    settings: LiveSettings,
    watches: Vec<Arc<dyn SessionWatch>>,
    observer: Observer,
    promise: Mutex<Promise>,
}

/// A keeper's task, which ends with this.
#[derive(Default)]
pub(super) struct KeeperTask(Mutex<Option<JoinHandle<()>>>);

impl KeeperTask {
    /// Starts the task, unless it is running. To be called in a runtime.
    pub(crate) fn start<U: Send + Sync + 'static>(&self, keeper: &Arc<Keeper<U>>) {
        let mut task = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Its runtime may have ended, and this is another one.
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            *task = Some(tokio::spawn(keeper.clone().keep_on(task.is_some())));
        }
    }
}

impl Drop for KeeperTask {
    fn drop(&mut self) {
        let task = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

impl<U: Send + Sync + 'static> Keeper<U> {
    pub(crate) fn new(
        decider: Arc<Decider<U>>,
        registry: Arc<Registry<U>>,
        settings: LiveSettings,
        watches: Vec<Arc<dyn SessionWatch>>,
        observer: Observer,
    ) -> Arc<Self> {
        let promise = Mutex::new(Promise::of(settings.max_stale));
        Arc::new(Self { decider, registry, settings, watches, observer, promise })
    }

    /// When a session is looked at again about which the store was asked at `asked`, and which will be
    /// over at `ends`.
    pub(crate) fn next_check(&self, asked: Instant, ends: Option<Instant>) -> Instant {
        let now = Instant::now();
        let asked = if Mutant::OldAnswers.is_here() { now } else { asked };
        // Spread, so that sessions which came together do not stay together.
        let turn = asked + self.settings.max_stale.mul_f64(0.5 + 0.4 * fastrand::f64());
        ends.map_or(turn, |ends| ends.max(now + SOONEST).min(turn))
    }

    /// Keeps, whatever happens: a sweep that stopped would be noticed by nobody.
    async fn keep_on(self: Arc<Self>, mut again: bool) {
        loop {
            if again {
                // What was being looked at when the last one stopped is due no more.
                self.registry.all_changed(self.settings.max_stale / 2);
            }
            if AssertUnwindSafe(self.keep()).catch_unwind().await.is_err() {
                self.observer.keeper_panicked();
            }
            sleep(PROBE.0).await;
            again = true;
        }
    }

    async fn keep(&self) {
        let _feeds = Feeds::start(&self.watches, self.settings.max_stale, &self.registry);
        tokio::select! {
            () = self.sweep() => {}
            () = self.end_overdue() => {}
        }
    }

    /// Looks at what is due.
    async fn sweep(&self) {
        let (mut batches, mut alone) = (FuturesUnordered::new(), FuturesUnordered::new());
        loop {
            let places = ALONE.saturating_sub(alone.len());
            let looked = tokio::select! {
                Some(looked) = batches.next() => looked,
                Some(looked) = alone.next() => looked,
                due = self.due(Manner::InBatches, BATCH), if batches.len() < IN_FLIGHT => {
                    batches.push(self.check_batch(due));
                    Ok(())
                }
                due = self.due(Manner::Alone, places), if places > 0 => {
                    alone.extend(due.into_iter().map(|due| self.check_one(due)));
                    Ok(())
                }
            };
            if let Err(away) = looked {
                // The others would only fail, too. When it is back, everybody is looked at.
                batches.clear();
                alone.clear();
                self.wait_for_store(&away).await;
            }
        }
    }

    /// Ends the sockets that the store has not said anything about for too long.
    async fn end_overdue(&self) {
        let grace = Grace { socket: self.settings.grace, question: self.decider.store.timeout() };
        let mut is_told = false;
        loop {
            let asked = self.registry.asked.notified();
            let (ended, next) = if is_told && Mutant::OneGraceForAll.is_here() {
                (0, None)
            } else {
                self.registry.end_overdue(grace)
            };
            let is_away = self.registry.is_store_away();
            if is_away && ended > 0 && !is_told {
                events::store_stayed_away(ended);
            }
            is_told = is_away && (is_told || ended > 0);
            match next {
                // Whoever comes in meanwhile may have less time.
                Some(next) => sleep_until(next.min(Instant::now() + OFTEN)).await,
                None => asked.await,
            }
        }
    }

    /// The next sessions that are due.
    async fn due(&self, manner: Manner, at_most: usize) -> Vec<Due> {
        loop {
            let sooner = self.registry.sooner.notified();
            match self.registry.next_due(manner) {
                Some(at) if at + COALESCE <= Instant::now() => {
                    return self.registry.take_due(manner, at_most);
                }
                Some(at) => tokio::select! {
                    () = sleep_until(at + COALESCE) => {}
                    () = sooner => {}
                },
                None => sooner.await,
            }
        }
    }

    /// Looks at these sessions. The error is that of a store that is away.
    async fn check_batch(&self, due: Vec<Due>) -> Result<(), AuthorizeError> {
        self.registry.tell_tally();
        self.reap(&due);
        if !self.decider.store.is_there() {
            for due in &due {
                self.settle_carried(due);
            }
            return Ok(());
        }
        let sids: Vec<_> = due.iter().map(|due| due.sid.clone()).collect();
        if let Ok(stored) = self.decider.store.load_many(&sids).await {
            for (due, stored) in due.iter().zip(stored) {
                self.settle(due, stored.as_ref());
            }
        } else {
            // One may be such that the store fails for it: the others shall not suffer.
            self.probe().await?;
            self.registry.set_apart(&due);
        }
        Ok(())
    }

    /// Looks at a session that the store may have no answer about, although it answers otherwise.
    async fn check_one(&self, due: Due) -> Result<(), AuthorizeError> {
        self.reap(slice::from_ref(&due));
        if let Ok(stored) = self.decider.store.load(&due.sid).await {
            self.settle(&due, stored.as_ref());
        } else {
            self.probe().await?;
            let now = Instant::now();
            let soon = self.next_check(now, Some(now + PROBE.1));
            let unclear = Finding::Unclear(EndReason::StoreUnavailable);
            self.registry.settle(&due, &unclear, soon);
        }
        Ok(())
    }

    /// Forgets what is left of sockets whose disconnect handlers panicked.
    fn reap(&self, due: &[Due]) {
        let reaped = self.registry.reap(due);
        if reaped > 0 {
            self.observer.reaped(reaped);
        }
    }

    /// Whether the store answers at all. Any answer will do.
    async fn probe(&self) -> Result<(), AuthorizeError> {
        self.decider.store.load(&SessionId::new("passport-socketio")).await.map(|_answer| ())
    }

    /// The cookie carries the session: there is nobody to ask, and only time ends it. The app may
    /// have given the client a cookie that lives longer.
    fn settle_carried(&self, due: &Due) {
        let Some(session) = self.registry.session_of(&due.sid) else {
            return;
        };
        let ends = session.ends();
        let finding = if ends.is_some_and(|ends| ends <= Instant::now()) {
            Finding::Over(EndReason::ConnectionAge)
        } else {
            Finding::Stands(session)
        };
        self.settle_as(due, &finding, ends);
    }

    fn settle(&self, due: &Due, stored: Option<&StoredSession>) {
        let finding = match self.decider.read(due.sid.clone(), stored, &mut NoTrace) {
            Ok((session, _)) => Finding::Stands(session),
            Err(NoLogin::NotFound) => Finding::Gone,
            Err(NoLogin::Expired { .. }) => Finding::Over(EndReason::Expired),
            Err(NoLogin::NotLoggedIn(_)) => Finding::Over(EndReason::LoggedOut),
            Err(NoLogin::Unclear(error)) => {
                self.observer.unreadable(&due.sid, &error);
                Finding::Unclear(EndReason::CouldNotTell)
            }
        };
        let ends = match &finding {
            Finding::Stands(session) => session.ends(),
            Finding::Gone | Finding::Over(_) | Finding::Unclear(_) => None,
        };
        self.settle_as(due, &finding, ends);
    }

    fn settle_as(&self, due: &Due, finding: &Finding, ends: Option<Instant>) {
        let again = self.next_check(due.taken, ends);
        if let Some(known_since) = self.registry.settle(due, finding, again) {
            self.promise().was_looked_up(known_since);
        }
    }

    fn promise(&self) -> MutexGuard<'_, Promise> {
        self.promise.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the store answers again.
    async fn wait_for_store(&self, away: &AuthorizeError) {
        let mut outage = self.observer.store_is_away(away, self.settings.grace);
        let is_away = self.registry.store_is_away();
        let longest = (self.settings.max_stale / 8).min(PROBE.1);
        let mut pause = longest.min(PROBE.0);
        loop {
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            if self.probe().await.is_ok() {
                break;
            }
            outage.goes_on();
            pause = longest.min(pause * 2);
        }
        drop(is_away);
        outage.end();
        self.promise().begins_anew();
        self.registry.all_changed(self.settings.max_stale / 2);
    }
}
