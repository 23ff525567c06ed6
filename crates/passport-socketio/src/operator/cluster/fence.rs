//! A node that is cut off from the others serves nobody any more after a while.
//!
//! The others can't ask it, and must not name it as missing for ever: it may have crashed. So they
//! [remember](super::presence) it for as long as it may have sockets, and that is bounded here. A node
//! counts from when it said the last of its words that came back to it, over the same connection that
//! orders come over. Since they heard that word no earlier, and remember it for some seconds more, it has
//! no sockets any more by the time at which they forget it. It lets users in again once it has heard
//! itself again: by then they have heard it, too.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::bus::Bus;
use crate::mutant::Mutant;
use crate::observe::nodes;

/// Ends all sockets, and lets nobody in, for as long as what it returns lives; and how many those were.
pub(super) type CutOff = Box<dyn Fn() -> (Box<dyn Send>, usize) + Send + Sync>;

/// Looks after a node that serves for `within` after it last heard itself.
pub(super) async fn keep(
    bus: Weak<Bus>,
    mut heard_itself: watch::Receiver<Instant>,
    within: Duration,
    cut_off: CutOff,
) {
    loop {
        let until = *heard_itself.borrow_and_update() + within;
        tokio::select! {
            changed = heard_itself.changed() => match changed {
                Ok(()) => continue,
                Err(_gone) => return,
            },
            () = sleep_until(until) => {}
        }
        match bus.upgrade() {
            // Once it has left, no order is given to it.
            Some(bus) if !bus.presence.leaves() && !Mutant::ServesOn.is_here() => {}
            _ => return,
        }
        let (closed, ended) = cut_off();
        nodes::cut_off(ended);
        if heard_itself.changed().await.is_err() {
            return;
        }
        drop(closed);
        nodes::heard_again();
    }
}
