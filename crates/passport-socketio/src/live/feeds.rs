//! The feeds of changes that a keeper listens to, each in a task that starts it again.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use express_session::store::StoreError;
use express_session::watch::{Change, Changes, SessionWatch, WatchError};
use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Registry;
use crate::observe::Feed;

/// Pauses before a feed that was lost is asked for again: from, to.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// An operator may grant the missing permission.
const ASK_AGAIN: Duration = Duration::from_secs(300);

/// Ends its tasks with itself.
pub(super) struct Feeds {
    _tasks: JoinSet<()>,
}

impl Feeds {
    pub(super) fn start<U: Send + Sync + 'static>(
        watches: &[Arc<dyn SessionWatch>],
        max_stale: Duration,
        registry: &Arc<Registry<U>>,
    ) -> Self {
        let mut tasks = JoinSet::new();
        for watch in watches {
            // A third of the budget to look at everybody, so that the others are left for the rest.
            let window = max_stale / 3;
            let registry = registry.clone();
            let changes = Changes::to(move |change| match change {
                Change::Session(sid) => registry.session_changed(&sid),
                Change::Hashed(hash) => {
                    registry.loads.forget(&hash);
                    if let Some(sid) = registry.by_hash(&hash) {
                        registry.session_changed(&sid);
                    }
                }
                // All there is to say of one of a later version is that something happened.
                _ => registry.all_changed(window),
            });
            tasks.spawn(listen(watch.clone(), changes, max_stale));
        }
        Self { _tasks: tasks }
    }
}

async fn listen(watch: Arc<dyn SessionWatch>, changes: Changes, max_stale: Duration) {
    let mut pause = PAUSE.0;
    let feed = Arc::new(Feed::default());
    let heard = {
        let (feed, changes) = (feed.clone(), changes.clone());
        Changes::to(move |change| {
            feed.is_heard();
            changes.report(change);
        })
    };
    loop {
        let started = Instant::now();
        let watched = AssertUnwindSafe(watch.watch(&heard)).catch_unwind().await;
        let error = match watched {
            Ok(Err(error)) => error,
            Err(_panic) => WatchError::Lost(StoreError::message("it panicked")),
        };
        if started.elapsed() > PAUSE.1 {
            pause = PAUSE.0;
        }
        changes.report(Change::Unknown);
        if let WatchError::Refused(_) = error {
            feed.was_refused(&error, max_stale);
            sleep(ASK_AGAIN).await;
        } else {
            feed.was_lost(&error);
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = PAUSE.1.min(pause * 2);
        }
    }
}
