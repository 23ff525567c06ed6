//! How often.

use std::time::Duration;

/// How often something may happen: a bucket that is full at first, gives one token for each time,
/// and is refilled evenly.
///
/// ```
/// use passport_socketio::RateLimit;
///
/// // 60 at once, and then one each second.
/// let limit = RateLimit::per_minute(60);
/// // 10 at once, and then one each second.
/// assert_ne!(limit.burst(10), limit);
/// assert_eq!(RateLimit::per_second(5).burst(5), RateLimit::per_second(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub(crate) times: u32,
    pub(crate) period: Duration,
    pub(crate) burst: u32,
}

impl RateLimit {
    /// So often a second, and as often at once.
    pub const fn per_second(times: u32) -> Self {
        Self::per(Duration::from_secs(1), times)
    }

    /// So often a minute, and as often at once.
    pub const fn per_minute(times: u32) -> Self {
        Self::per(Duration::from_secs(60), times)
    }

    /// So often an hour, and as often at once.
    pub const fn per_hour(times: u32) -> Self {
        Self::per(Duration::from_secs(3600), times)
    }

    const fn per(period: Duration, times: u32) -> Self {
        Self { times, period, burst: times }
    }

    /// How often at once, by who has not been there for a while.
    pub const fn burst(self, times: u32) -> Self {
        Self { burst: times, ..self }
    }
}
