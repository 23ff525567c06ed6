//! A node that may not know whom an operator revoked lets nobody in.

use std::sync::Arc;

use super::Registry;
use super::registry::end_all;
use crate::model::EndReason;

/// For as long as it lives, nobody is let in. Made by [`Registry::cut_off`].
#[must_use]
pub(crate) struct CutOff<U>(Arc<Registry<U>>);

impl<U> Registry<U> {
    /// Ends all sockets of users, and lets nobody in. How many sockets those were.
    pub(crate) fn cut_off(self: &Arc<Self>) -> (CutOff<U>, usize) {
        let sockets: Vec<_> = {
            let mut state = self.state();
            state.cut_off += 1;
            let entries = state.sessions.values();
            entries.flat_map(|entry| entry.sockets.values()).cloned().collect()
        };
        (CutOff(self.clone()), end_all(&sockets, EndReason::CouldNotTell))
    }
}

impl<U> Drop for CutOff<U> {
    fn drop(&mut self) {
        self.0.state().cut_off -= 1;
    }
}
