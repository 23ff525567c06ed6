//! How long sockets stay while the store does not say whether their login stands.
//!
//! Each has a grace of its own. It begins when the store was asked for the last answer that said that
//! the login stands, whether that let the socket in or was found by the sweep, and no outage that
//! begins or ends meanwhile changes it: else a store that answers for a moment from time to time would
//! let a login that ended keep its sockets for ever.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{LiveSocket, Registry};
use crate::model::EndReason;

/// How long without an answer is too long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grace {
    /// For a socket, since the store was asked for the last answer about it.
    pub(super) socket: Duration,
    /// For one question, before it counts as not answered.
    pub(super) question: Duration,
}

/// While the store is away. Made by [`Registry::store_is_away`].
#[must_use]
pub(super) struct StoreAway<'r, U>(pub(super) &'r Registry<U>);

impl<U> Drop for StoreAway<'_, U> {
    fn drop(&mut self) {
        self.0.state().is_away = false;
    }
}

/// Sockets whose grace is over, by what they end as.
pub(super) type Overdue<U> = HashMap<EndReason, Vec<Arc<LiveSocket<U>>>>;
