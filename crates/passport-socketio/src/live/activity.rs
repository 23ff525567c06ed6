//! A session is prolonged by what its user does on the socket, where the app wants that.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Session;
use crate::authorizer::Decider;

/// What connect-redis, connect-pg-simple and others give a session whose cookie has no `maxAge`.
const ONE_DAY: Duration = Duration::from_secs(24 * 3600);

/// Touches sessions, each at most once in a while.
#[derive(Clone)]
pub(crate) struct Toucher {
    pub(crate) every: Duration,
    touch: Arc<dyn Fn(Session) + Send + Sync>,
}

impl Toucher {
    pub(crate) fn new<U: Send + Sync + 'static>(decider: Arc<Decider<U>>, every: Duration) -> Self {
        let touch = move |session: Session| {
            let decider = decider.clone();
            tokio::spawn(async move {
                let max_age = session.cookie().ok().and_then(|cookie| cookie.original_max_age);
                if let Err(error) = decider.touch(session.id(), max_age.unwrap_or(ONE_DAY)).await {
                    let (session, why) = (session.id().hash().short(), crate::log::chain(&error));
                    tracing::warn!(session, why, "a session could not be touched");
                }
            });
        };
        Self { every, touch: Arc::new(touch) }
    }
}

/// When a socket's session was last touched on its account.
pub(super) struct Activity {
    toucher: Toucher,
    last: Mutex<Instant>,
}

impl Activity {
    pub(super) fn new(toucher: Toucher) -> Self {
        Self { toucher, last: Mutex::new(Instant::now()) }
    }

    /// The client said something: an event, never a heartbeat.
    pub(super) fn happened(&self, session: impl FnOnce() -> Session) {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if now - *last >= self.toucher.every {
            *last = now;
            (self.toucher.touch)(session());
        }
    }
}
