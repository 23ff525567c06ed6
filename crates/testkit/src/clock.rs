//! A clock that stands still until a test moves it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use express_session::Clock;

/// Stands at a moment of its own, and moves when [`advance`](Self::advance) is called.
///
/// ```
/// use std::time::Duration;
/// use express_session::Clock;
/// use testkit::FakeClock;
///
/// let clock = FakeClock::default();
/// let start = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), start + Duration::from_secs(60));
/// ```
#[derive(Debug)]
pub struct FakeClock(Mutex<SystemTime>);

impl Default for FakeClock {
    /// Noon of the first of January 2026.
    fn default() -> Self {
        Self(Mutex::new(UNIX_EPOCH + Duration::from_secs(1_767_268_800)))
    }
}

impl FakeClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += by;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
