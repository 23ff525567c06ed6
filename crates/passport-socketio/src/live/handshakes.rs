//! Handshakes that are under way.
//!
//! A handshake begins once: at the layer, where there is one, else at the connect middleware. It is one
//! and the same however often its session is looked up, and whatever it waits for: a penalty, a crowd,
//! the app's `success`. What an operator does to its user meanwhile is [remembered](super::denied) for
//! as long as it is under way.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::Registry;

/// The numbers of the handshakes that are under way: later ones are greater.
#[derive(Default)]
pub(super) struct OngoingHandshakes(BTreeSet<u64>);

impl OngoingHandshakes {
    pub(super) fn begin(&mut self, number: u64) {
        self.0.insert(number);
    }

    /// Whether a handshake is under way that began before this number was taken.
    pub(super) fn began_before(&self, number: u64) -> bool {
        self.0.first().is_some_and(|oldest| *oldest < number)
    }
}

/// A handshake that is under way, for as long as this lives.
#[must_use]
pub(crate) struct OngoingHandshake<U> {
    registry: Arc<Registry<U>>,
    number: u64,
}

impl<U> OngoingHandshake<U> {
    /// Made by [`Registry::begin_handshake`].
    pub(super) fn new(registry: Arc<Registry<U>>, number: u64) -> Self {
        Self { registry, number }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl<U> Drop for OngoingHandshake<U> {
    fn drop(&mut self) {
        self.registry.state().ongoing.0.remove(&self.number);
    }
}

impl<U> fmt::Debug for OngoingHandshake<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OngoingHandshake").field(&self.number).finish()
    }
}
