//! Warnings that come again and again, for as long as a store is away or a client tries.
//!
//! The first is told at once, with all that is known. Those of its kind that follow are counted, and told
//! at `debug` only: every [`EVERY`] one line says how many they were, and one says when they are over.
//! A kind is a warning and a code, so there are few of them, whatever clients do. Metrics and the audit
//! hook are told each one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::events;

/// How often a warning that goes on is told, and for how long it must not come again to be over.
pub(super) const EVERY: Duration = Duration::from_secs(15);

/// What clients, or an outage, can repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Warning {
    Refused,
    Unreadable,
    NotTouched,
    StoreIsAway,
    FeedWasLost,
    Reaped,
    Panicked,
    KeeperPanicked,
    #[cfg(feature = "redis")]
    NodesAway,
    #[cfg(feature = "redis")]
    NotReached,
    #[cfg(feature = "redis")]
    NotTold,
    #[cfg(feature = "redis")]
    NotAllAnswered,
    #[cfg(feature = "redis")]
    MessageIgnored,
    #[cfg(feature = "redis")]
    AnswerLost,
}

/// How often each warning has come since it began. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats(Arc<Mutex<HashMap<Kind, Count>>>);

type Kind = (Warning, &'static str);

/// Of those that followed the first.
#[derive(Debug)]
struct Count {
    since: Instant,
    all: u64,
    told: u64,
}

/// What a warning that was told once has become.
enum Now {
    /// So many more.
    GoesOn(u64),
    /// So many in all that followed the first, within this time. It began anew if it comes again.
    IsOver(u64, Duration),
}

impl Repeats {
    /// Whether a warning is to be told at once. Else it is counted, and told with the others.
    pub(super) fn is_first(&self, warning: Warning, code: &'static str) -> bool {
        // Without a runtime nothing could tell later how many there were.
        let Ok(runtime) = Handle::try_current() else {
            return true;
        };
        let kind = (warning, code);
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(&kind) {
            count.all += 1;
            return false;
        }
        counts.insert(kind, Count { since: Instant::now(), all: 0, told: 0 });
        drop(counts);
        let watch = Watch { repeats: self.clone(), kind, is_over: false };
        runtime.spawn(watch.until_it_is_over());
        true
    }

    fn look(&self, kind: Kind) -> Option<Now> {
        let mut counts = self.counts();
        let count = counts.get_mut(&kind)?;
        let more = count.all - count.told;
        if more > 0 {
            count.told = count.all;
            return Some(Now::GoesOn(more));
        }
        let over = Now::IsOver(count.all, count.since.elapsed());
        counts.remove(&kind);
        Some(over)
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Kind, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells how a warning goes on.
struct Watch {
    repeats: Repeats,
    kind: Kind,
    is_over: bool,
}

impl Watch {
    async fn until_it_is_over(mut self) {
        let (warning, code) = self.kind;
        while !self.is_over {
            sleep(EVERY).await;
            match self.repeats.look(self.kind) {
                Some(Now::GoesOn(times)) => events::goes_on(warning, code, times),
                Some(Now::IsOver(times, lasted)) => {
                    self.is_over = true;
                    // One that came once is over with that.
                    if times > 0 {
                        events::is_over(warning, code, times + 1, lasted);
                    }
                }
                None => self.is_over = true,
            }
        }
    }
}

/// Its runtime may end before the warning does: what comes then is told anew.
impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_over {
            self.repeats.counts().remove(&self.kind);
        }
    }
}

#[cfg(test)]
mod tests;
