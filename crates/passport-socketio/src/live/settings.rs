//! What the builder says about live sessions.

use std::sync::Arc;
use std::time::Duration;

use express_session::watch::SessionWatch;

use super::OnEnd;

#[derive(Clone)]
pub(crate) struct LiveSettings {
    /// How long a login that ended may keep its sockets, while the store answers.
    pub(crate) max_stale: Duration,
    /// How long live sockets stay while the store does not answer.
    pub(crate) grace: Duration,
    pub(crate) watches: Vec<Arc<dyn SessionWatch>>,
    pub(crate) on_end: Option<OnEnd>,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            max_stale: Duration::from_secs(30),
            grace: Duration::from_secs(60),
            watches: Vec::new(),
            on_end: None,
        }
    }
}
