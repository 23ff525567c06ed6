//! How much a client may send before a namespace has let it in.
//!
//! socketioxide keeps what it has of a message in memory until the rest has come, up to limits that are
//! made for users. A client without a login, or before it has shown one, needs little: a CONNECT for each
//! namespace, with what the page gives as `auth`.
//!
//! So a connection has [`MOST`] bytes, over all its transports, until an answer to a CONNECT has passed on
//! its way to the client: of any namespace, also of one that has no gate of ours, and for a guest as well.
//! A refusal is none. With one byte more, or with a frame that says that it will be longer, it is cut.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// In bytes. Twice what the largest header can be that a cookie arrives in.
pub(super) const MOST: usize = 64 * 1024;

/// Why it was cut.
pub(super) const TOO_MUCH: &str = "it sent too much before a namespace had let it in";

/// What one connection has left.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    received: AtomicUsize,
    /// From then on there is no limit but socketioxide's.
    is_admitted: AtomicBool,
}

impl Allowance {
    pub(super) fn is_admitted(&self) -> bool {
        self.is_admitted.load(Ordering::Relaxed)
    }

    pub(super) fn admitted(&self) {
        self.is_admitted.store(true, Ordering::Relaxed);
    }

    /// Whether the client may have sent so many bytes more.
    pub(super) fn receive(&self, bytes: usize) -> bool {
        self.is_admitted()
            || self.received.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= MOST
    }
}
