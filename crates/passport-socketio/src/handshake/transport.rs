//! How a connection is closed from within.
//!
//! The host has no way to close a connection, only to take a socket out of its namespace. Where our
//! layer [holds the host's](crate::Authorizer::layer_over), it is done from both sides: a WebSocket's
//! stream is cut, and a connection that polls is closed by the packet with which its client would.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::cuttable::CutSwitch;
use super::engine::EngineId;

/// Sends a connection that polls its client's goodbye. `true` for Engine.IO 3.
pub(super) type ClosePolling = Arc<dyn Fn(EngineId, bool) + Send + Sync>;

/// What a connection can be cut by. Nothing, where the layer does not hold the host's.
#[derive(Default)]
pub(super) struct Transport {
    polling: OnceLock<(ClosePolling, bool)>,
    /// More than one while somebody tries to upgrade twice.
    websockets: Mutex<Vec<Weak<CutSwitch>>>,
}

impl Transport {
    pub(super) fn polls(&self, version_3: bool, close: &ClosePolling) {
        self.polling.get_or_init(|| (close.clone(), version_3));
    }

    pub(super) fn has_websocket(&self, switch: &Arc<CutSwitch>) {
        let mut websockets = self.websockets.lock().unwrap_or_else(PoisonError::into_inner);
        websockets.retain(|other| other.strong_count() > 0);
        websockets.push(Arc::downgrade(switch));
    }

    pub(super) fn can_be_cut(&self) -> bool {
        self.polling.get().is_some() || !self.websockets().is_empty()
    }

    /// Whether a WebSocket's client has said anything.
    pub(super) fn has_received(&self) -> bool {
        self.websockets().iter().any(|switch| switch.has_received())
    }

    /// In a runtime.
    pub(super) fn cut(&self, id: Option<EngineId>) {
        for switch in self.websockets() {
            switch.throw();
        }
        self.close_polling(id);
    }

    /// In a runtime.
    pub(super) fn close_polling(&self, id: Option<EngineId>) {
        if let (Some((close, version_3)), Some(id)) = (self.polling.get(), id) {
            close(id, *version_3);
        }
    }

    fn websockets(&self) -> Vec<Arc<CutSwitch>> {
        let websockets = self.websockets.lock().unwrap_or_else(PoisonError::into_inner);
        websockets.iter().filter_map(Weak::upgrade).collect()
    }
}
