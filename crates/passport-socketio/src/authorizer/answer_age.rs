//! How old the store's answer about a session is.

use std::time::Duration;

use tokio::time::Instant;

/// How long an answer may wait for what comes next: for the connect middleware after the layer, which
/// is a few milliseconds later, or for `success`.
const FRESH: Duration = Duration::from_secs(1);

/// When the store was asked about a session, and when it answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerAge {
    asked: Instant,
    answered: Instant,
}

impl AnswerAge {
    /// An answer that came just now.
    pub(crate) fn answered_now(asked: Instant) -> Self {
        Self { asked, answered: Instant::now() }
    }

    /// When the store was asked. What it answered may have been so then, and not later.
    pub(crate) fn asked(&self) -> Instant {
        self.asked
    }

    /// Whether the layer's answer may still be used for a CONNECT. Another lookup costs little, so that
    /// what the store took counts, too.
    pub(crate) fn serves_connect(&self, max_stale: Duration) -> bool {
        self.asked.elapsed() <= fresh_for(max_stale)
    }

    /// Whether nobody may be let in by it any more: it has waited for too long, or so much of
    /// `max_stale` is over that the sweep could not keep that promise.
    pub(crate) fn is_old(&self, max_stale: Duration) -> bool {
        self.answered.elapsed() > fresh_for(max_stale) || self.asked.elapsed() > max_stale / 2
    }
}

/// How long an answer may wait for what comes next.
pub(crate) fn fresh_for(max_stale: Duration) -> Duration {
    FRESH.min(max_stale / 2)
}
