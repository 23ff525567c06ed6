//! What the app wants of the layer.

use crate::{Denial, Failure};

/// What is refused before there is a socket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HandshakeSettings {
    /// Whoever no check let in.
    pub(crate) refuse_at_http: bool,
    /// Whom nobody could tell just now.
    pub(crate) retry_at_http: bool,
}

impl HandshakeSettings {
    pub(super) fn answers_at_http(self, failure: &Failure) -> bool {
        let transient = matches!(failure, Failure::Error(error) if error.is_transient());
        // No namespace could let them in: as with an origin, it costs no socket.
        let limited = matches!(failure, Failure::Denied(Denial::RateLimited { .. }));
        limited || self.refuse_at_http || (self.retry_at_http && transient)
    }
}
