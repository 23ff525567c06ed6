//! What the builder says about live sessions.

use std::time::Duration;

#[derive(Clone, Copy)]
pub(crate) struct LiveSettings {
    /// How long a login that ended may keep its sockets, while the store answers.
    pub(crate) max_stale: Duration,
    /// How long live sockets stay while the store does not answer.
    pub(crate) grace: Duration,
    /// Whether this node serves on although it is cut off from the others of its cluster.
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "there is no cluster"))]
    pub(crate) serves_when_cut_off: bool,
    pub(crate) limit: Option<(usize, OverLimit)>,
    pub(crate) touch_every: Option<Duration>,
    pub(crate) max_connection_age: Option<Duration>,
}

/// What becomes of a user's connection that is one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverLimit {
    /// It is refused (`too_many_connections`).
    Refuse,
    /// It comes in, and the user's oldest connection is closed (`evicted`).
    EvictOldest,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            max_stale: Duration::from_secs(30),
            grace: Duration::from_secs(60),
            serves_when_cut_off: false,
            limit: None,
            touch_every: None,
            max_connection_age: None,
        }
    }
}
