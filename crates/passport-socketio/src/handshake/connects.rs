//! What became of the CONNECTs of one connection, so far.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Connects {
    /// Whether one has reached a connect middleware.
    begun: AtomicBool,
    /// How many were refused since one was admitted.
    refused: AtomicU32,
    /// Whether a task looks after the connection since one was refused.
    is_watched: AtomicBool,
}

impl Connects {
    /// One has reached a connect middleware.
    pub(crate) fn have_begun(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// How many were refused since one was admitted.
    pub(crate) fn refused(&self) -> u32 {
        self.refused.load(Ordering::SeqCst)
    }

    pub(crate) fn was_admitted(&self) {
        self.refused.store(0, Ordering::SeqCst);
    }

    /// Counts it, and says how many were refused since one was admitted.
    pub(crate) fn was_refused(&self) -> u32 {
        self.refused.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Whether a task has to be started that looks after the connection.
    pub(crate) fn watch(&self) -> bool {
        !self.is_watched.swap(true, Ordering::SeqCst)
    }

    /// Whether the task that looks after the connection may end: a CONNECT was admitted.
    pub(crate) fn stop_watching(&self) -> bool {
        if self.refused() > 0 {
            return false;
        }
        self.is_watched.store(false, Ordering::SeqCst);
        // Refused again in between: unless that has started another task, this one goes on.
        self.refused() == 0 || !self.watch()
    }
}
