//! A node that may not know whom an operator revoked lets nobody in.

use std::sync::Arc;

use super::Registry;

/// For as long as it lives, nobody is let in. Made by [`Registry::cut_off`].
#[must_use]
pub(crate) struct CutOff<U>(Arc<Registry<U>>);

impl<U> CutOff<U> {
    /// Made by [`Registry::cut_off`].
    pub(super) fn new(registry: Arc<Registry<U>>) -> Self {
        Self(registry)
    }
}

impl<U> Drop for CutOff<U> {
    fn drop(&mut self) {
        self.0.state().cut_off -= 1;
    }
}
