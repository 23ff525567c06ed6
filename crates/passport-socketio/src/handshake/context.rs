//! What the layers of one authorizer, and its connect middlewares, have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::HandshakeSettings;
use crate::lookup::SessionLookup;

/// One for each authorizer.
pub(crate) struct HandshakeContext<U> {
    pub(crate) lookup: SessionLookup<U>,
    pub(crate) settings: HandshakeSettings,
    has_layer: AtomicBool,
}

impl<U: Send + Sync + 'static> HandshakeContext<U> {
    pub(crate) fn new(lookup: SessionLookup<U>, settings: HandshakeSettings) -> Arc<Self> {
        Arc::new(Self { lookup, settings, has_layer: AtomicBool::new(false) })
    }

    /// Whether a layer was made, which every request should pass.
    pub(crate) fn has_layer(&self) -> bool {
        self.has_layer.load(Ordering::Relaxed)
    }

    pub(super) fn layer_was_made(&self) {
        self.has_layer.store(true, Ordering::Relaxed);
    }
}
