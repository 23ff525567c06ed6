//! Whether sockets come through the layer that was made for them.
//!
//! A layer that guards another path than socketioxide serves is passed by no request, and nothing else
//! would tell: the connect middlewares decide as ever, but a connection belongs to no session, its
//! cookie stays in the headers, and foreign origins are refused late.

use std::sync::atomic::{AtomicBool, Ordering};

use http::request::Parts;

use super::Handover;
use crate::Authorizer;
use crate::observe::events;

/// What one authorizer knows of its layers.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    has_layer: AtomicBool,
    has_warned: AtomicBool,
}

impl Passage {
    pub(super) fn has_layer(&self) {
        self.has_layer.store(true, Ordering::Relaxed);
    }
}

/// Warns, once, of a socket that passed no layer of `auth` although there is one.
pub(crate) fn check_passage<U: Send + Sync + 'static>(request: &Parts, auth: &Authorizer<U>) {
    let passage = auth.passage();
    if passage.has_layer.load(Ordering::Relaxed)
        && !Handover::has_passed(request, auth)
        && !passage.has_warned.swap(true, Ordering::Relaxed)
    {
        events::passed_no_layer(auth.path());
    }
}
