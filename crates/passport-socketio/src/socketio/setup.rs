//! Whether the server around an authorizer is set up as it should be. What is not is warned of, once.
//!
//! - A layer that guards another path than socketioxide serves is passed by no request, and nothing else
//!   would tell: the connect middlewares decide as ever, but a connection belongs to no session, its
//!   cookie stays in the headers, and foreign origins are refused late.
//! - socketioxide takes messages of 64 MiB over a WebSocket by default, from any client that was let in. Node
//!   takes 1 MB.
//!
//! socketioxide's settings can be read where there is a [`SocketIo`]: at `attach`, and at a CONNECT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::socket::Socket;

use super::context::GateContext;
use super::server::server_of;
use crate::handshake::Handover;
use crate::model::ConfigError;
use crate::observe::events;

/// Socket.IO's `maxHttpBufferSize` in Node, in bytes.
const NODES_LIMIT: u64 = 1_000_000;

/// Which warnings of one authorizer were given.
#[derive(Debug, Default)]
pub(super) struct SetupWarnings {
    no_layer: AtomicBool,
    limits_checked: AtomicBool,
    not_attached: AtomicBool,
}

impl<U: Send + Sync + 'static> GateContext<U> {
    /// To be called for each CONNECT.
    pub(super) fn check_setup<A: Adapter>(&self, socket: &Arc<Socket<A>>) {
        if self.handshake.has_layer()
            && !Handover::has_passed(socket.req_parts(), &self.handshake)
            && !self.warnings.no_layer.swap(true, Ordering::Relaxed)
        {
            events::passed_no_layer(&self.handshake.settings.path);
        }
        if !self.warnings.limits_checked.load(Ordering::Relaxed) {
            self.check_limits(&server_of(socket));
        }
    }

    /// How much socketioxide takes of a client that was let in.
    pub(crate) fn check_limits<A: Adapter>(&self, io: &SocketIo<A>) {
        let engine = &io.config().engine_config;
        let (message, frame) = (engine.ws_max_message_size as u64, engine.ws_max_frame_size as u64);
        let largest = engine.max_payload.max(message).max(frame);
        if !self.warnings.limits_checked.swap(true, Ordering::Relaxed) && largest > NODES_LIMIT {
            events::takes_large_messages(largest);
        }
    }

    /// Says why no connect middleware of this authorizer admits anything.
    pub(super) fn warn_not_attached(&self, error: &ConfigError) {
        if !self.warnings.not_attached.swap(true, Ordering::Relaxed) {
            events::not_attached(error);
        }
    }
}
