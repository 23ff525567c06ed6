//! What a decision may cost.

use std::time::Duration;

use express_session::RecordLimits;

/// How large, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Real browsers send less than 4 KiB per cookie; Node itself stops at 16 KiB of headers.
    pub(crate) cookie_header: usize,
    /// Browsers keep some 180 for a site at most.
    pub(crate) cookies: usize,
    pub(crate) record: RecordLimits,
    /// A store that takes longer is as good as down for the person who waits.
    pub(crate) store_timeout: Duration,
    /// Deserializers ask databases, which may be cold.
    pub(crate) deserializer_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cookie_header: 8 * 1024,
            cookies: 256,
            record: RecordLimits::default(),
            store_timeout: Duration::from_secs(2),
            deserializer_timeout: Duration::from_secs(5),
        }
    }
}
