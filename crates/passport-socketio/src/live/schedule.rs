//! When each live session is looked at again.
//!
//! One time for each: the end of its life, its turn in the sweep, or at once, if a change was told.
//! Whoever looks [takes](Registry::take_due) what is due, asks the store, and
//! [settles](Registry::settle) what came of it.

use std::time::Duration;

use express_session::SessionId;
use tokio::time::Instant;

#[cfg(doc)]
use super::Registry;
use crate::model::{EndReason, Session};

/// An app writes a session several times in a row, and each write is told.
pub(super) const DEBOUNCE: Duration = Duration::from_millis(100);
/// When everybody is looked at: 200 sessions a second, two round trips, are nothing to a store.
pub(super) const APART: Duration = Duration::from_millis(5);

/// A session that is being looked at.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) sid: SessionId,
    pub(super) epoch: u64,
    /// Before the store was asked.
    pub(super) taken: Instant,
    /// When a feed told of a change; else, when it was due.
    pub(super) since: Instant,
    pub(super) was_told: bool,
}

/// What a look at the store gave.
pub(super) enum Finding {
    /// There it is, with a user in it.
    Stands(Session),
    /// It is not there any more: somebody destroyed it, or its time was over.
    Gone,
    /// It is over.
    Over(EndReason),
    /// It can't be told, and that is no fault of the store as a whole. As what it ends, should that
    /// stay so.
    Unclear(EndReason),
}
