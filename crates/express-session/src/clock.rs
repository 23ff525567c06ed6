//! Time as an argument.

use std::fmt;
use std::time::SystemTime;

/// A source of the time, so that code that depends on it can be tested with a clock of the test's own.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use express_session::Clock;
///
/// #[derive(Debug)]
/// struct Stopped(SystemTime);
///
/// impl Clock for Stopped {
///     fn now(&self) -> SystemTime {
///         self.0
///     }
/// }
///
/// let clock = Stopped(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
/// assert_eq!(clock.now(), clock.now());
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock's time: session stores keep expiries as dates.
    fn now(&self) -> SystemTime;
}

/// The machine's own clock.
///
/// ```
/// use express_session::{Clock, SystemClock};
///
/// assert!(SystemClock.now() > std::time::SystemTime::UNIX_EPOCH);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
