//! What the app wants of the layer.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Denial, Failure, Reads};

/// What is refused before there is a socket, and how long one may be nobody's.
#[derive(Clone, Debug)]
pub(crate) struct HandshakeSettings {
    /// Whoever no check let in.
    pub(crate) refuse_at_http: bool,
    /// Whom nobody could tell just now.
    pub(crate) retry_at_http: bool,
    /// How long a connection may be nobody's.
    pub(crate) connect_within: Duration,
    /// How many CONNECTs in a row may be refused on one connection.
    pub(crate) max_refused_connects: u32,
    /// Where Socket.IO is served, without the slash at the end.
    pub(crate) path: Arc<str>,
    /// Whether the `Cookie` header stays where it is.
    pub(crate) keep_cookies: bool,
}

impl Default for HandshakeSettings {
    fn default() -> Self {
        Self {
            refuse_at_http: false,
            retry_at_http: false,
            // Clients connect within a few round trips.
            connect_within: Duration::from_secs(10),
            // A page has that many namespaces at most that refuse it.
            max_refused_connects: 5,
            path: "/socket.io".into(),
            keep_cookies: false,
        }
    }
}

impl HandshakeSettings {
    pub(super) fn answers_at_http(&self, failure: &Failure) -> bool {
        let transient = failure.is_error() && failure.reason().reads() == Reads::TryAgain;
        // No namespace could let them in: as with an origin, it costs no socket.
        let limited = matches!(failure, Failure::Denied(Denial::RateLimited { .. }));
        limited || self.refuse_at_http || (self.retry_at_http && transient)
    }
}
