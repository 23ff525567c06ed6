//! Several nodes: whether they hear each other, and what comes of orders.

use std::error::Error;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::metrics::{IGNORED, ORDER};
use super::recorder::{count, took};
use super::tally::{CONNECTED, Share};
use super::text::chain;

const CLUSTER: &str = "passport_socketio::cluster";

/// The connection to the other nodes.
pub(crate) struct Link(Share);

impl Link {
    pub(crate) fn up() -> Self {
        Self(Share::of(&CONNECTED, 1))
    }

    pub(crate) fn was_lost(&mut self, error: &dyn Error) {
        self.0.set(0);
        warn!(target: CLUSTER, why = chain(error), "the nodes' Redis is away");
    }

    pub(crate) fn came_back(&mut self) {
        self.0.set(1);
        info!(target: CLUSTER, "the nodes' Redis is back");
    }
}

/// The nodes have done what they were ordered, or some have not.
pub(crate) fn answered(
    order: &'static str,
    answers: usize,
    missing: usize,
    reached: bool,
    time: Duration,
) {
    let outcome = match (reached, missing) {
        (true, 0) => "complete",
        (true, _) => "incomplete",
        (false, _) => "unreached",
    };
    took(ORDER, &[("order", order), ("outcome", outcome)], time);
    if outcome == "complete" {
        debug!(target: CLUSTER, order, answers, "all nodes have answered");
    } else {
        warn!(target: CLUSTER, order, answers, missing, reached, "not all nodes have answered");
    }
}

pub(crate) fn not_reached(error: &dyn Error) {
    error!(target: CLUSTER, why = chain(error), "the other nodes were not reached");
}

pub(crate) fn not_told() {
    warn!(target: CLUSTER, "the other nodes were not told");
}

pub(crate) fn message_ignored() {
    count(IGNORED, &[], 1);
    warn!(target: CLUSTER, "a message among the nodes was none of this cluster, or old: ignored");
}

pub(crate) fn answer_lost(error: &dyn Error) {
    warn!(target: CLUSTER, why = chain(error), "an order was obeyed, and its answer lost");
}
