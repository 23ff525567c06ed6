//! A session is prolonged by what its user does on the socket, where the app wants that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::authorizer::StoreAccess;
use crate::model::Session;
use crate::observe::Observer;

/// Touches sessions, each at most once in a while.
#[derive(Clone)]
pub(crate) struct Toucher {
    pub(crate) every: Duration,
    touch: Arc<dyn Fn(Session, Duration) + Send + Sync>,
}

impl Toucher {
    pub(super) fn new(store: StoreAccess, every: Duration, observer: Observer) -> Self {
        let touch = move |session: Session, life: Duration| {
            let (store, observer) = (store.clone(), observer.clone());
            tokio::spawn(async move {
                if let Err(error) = store.touch(session.id(), life).await {
                    observer.not_touched(session.id(), &error);
                }
            });
        };
        Self { every, touch: Arc::new(touch) }
    }
}

/// What is known of a socket's session, so that it can be touched.
pub(super) struct Activity {
    toucher: Toucher,
    known: Mutex<Known>,
}

struct Known {
    touched: Instant,
    /// The most that was ever left of it: what its store gives a session whose cookie has no `maxAge`.
    longest: Duration,
}

impl Activity {
    pub(super) fn new(toucher: Toucher, session: &Session) -> Self {
        let known = Known { touched: Instant::now(), longest: left(session).unwrap_or_default() };
        Self { toucher, known: Mutex::new(known) }
    }

    pub(super) fn was_loaded(&self, session: &Session) {
        let mut known = self.known();
        known.longest = known.longest.max(left(session).unwrap_or_default());
    }

    /// The client said something: an event, never a heartbeat.
    pub(super) fn happened(&self, session: impl FnOnce() -> Session) {
        let now = Instant::now();
        let mut known = self.known();
        if now - known.touched < self.toucher.every {
            return;
        }
        known.touched = now;
        let session = session();
        let max_age = session.cookie().ok().and_then(|cookie| cookie.original_max_age);
        let life = max_age.unwrap_or(known.longest);
        // One without an end needs none, and no touch shortens a life.
        if left(&session).is_some_and(|left| left < life) {
            (self.toucher.touch)(session, life);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` if it has no end.
fn left(session: &Session) -> Option<Duration> {
    session.ends().map(|end| end.saturating_duration_since(Instant::now()))
}
