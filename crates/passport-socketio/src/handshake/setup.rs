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

use super::{Handover, host_of};
use crate::Authorizer;
use crate::model::ConfigError;
use crate::observe::events;

/// Socket.IO's `maxHttpBufferSize` in Node, in bytes.
const NODES_LIMIT: u64 = 1_000_000;

/// What one authorizer knows of its server.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    has_layer: AtomicBool,
    warned_of_layer: AtomicBool,
    looked_at_limits: AtomicBool,
    warned_of_claim: AtomicBool,
}

impl Setup {
    pub(super) fn has_layer(&self) {
        self.has_layer.store(true, Ordering::Relaxed);
    }

    /// Says why no connect middleware of this authorizer admits anything.
    pub(crate) fn warn_of_claim(&self, error: &ConfigError) {
        if !self.warned_of_claim.swap(true, Ordering::Relaxed) {
            events::not_attached(error);
        }
    }
}

/// To be called for each CONNECT.
pub(crate) fn check_setup<A: Adapter, U: Send + Sync + 'static>(
    socket: &Arc<Socket<A>>,
    auth: &Authorizer<U>,
) {
    let setup = auth.setup();
    if setup.has_layer.load(Ordering::Relaxed)
        && !Handover::has_passed(socket.req_parts(), auth)
        && !setup.warned_of_layer.swap(true, Ordering::Relaxed)
    {
        events::passed_no_layer(auth.path());
    }
    if !setup.looked_at_limits.load(Ordering::Relaxed) {
        check_limits(&host_of(socket), auth);
    }
}

/// How much socketioxide takes of a client that was let in.
pub(crate) fn check_limits<A: Adapter, U: Send + Sync + 'static>(
    io: &SocketIo<A>,
    auth: &Authorizer<U>,
) {
    let engine = &io.config().engine_config;
    let (message, frame) = (engine.ws_max_message_size as u64, engine.ws_max_frame_size as u64);
    let largest = engine.max_payload.max(message).max(frame);
    if !auth.setup().looked_at_limits.swap(true, Ordering::Relaxed) && largest > NODES_LIMIT {
        events::takes_large_messages(largest);
    }
}
