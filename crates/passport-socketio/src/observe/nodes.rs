//! Several nodes: whether they hear each other, and what comes of orders.

use std::error::Error;
use std::time::Duration;

use tracing::{debug, error, info};

use super::Repeats;
use super::events::{CLUSTER, told};
use super::metrics::{IGNORED, ORDER};
use super::recorder::{count, took};
use super::repeats::Warning;
use super::tally::{CONNECTED, Share};
use super::text::chain;

/// The connection to the other nodes.
pub(crate) struct Link {
    share: Share,
    repeats: Repeats,
    was_told: bool,
}

impl Link {
    pub(crate) fn up() -> Self {
        let share = Share::of(&CONNECTED, 1);
        Self { share, repeats: Repeats::default(), was_told: false }
    }

    pub(crate) fn was_lost(&mut self, error: &dyn Error) {
        self.share.set(0);
        self.was_told = self.repeats.is_first(Warning::NodesAway, "nodes_away");
        told!(self.was_told, warn, target: CLUSTER, why = chain(error), "the nodes' Redis is away");
    }

    pub(crate) fn came_back(&mut self) {
        self.share.set(1);
        told!(self.was_told, info, target: CLUSTER, "the nodes' Redis is back");
    }
}

/// This node serves nobody, until it hears the others again.
pub(crate) fn cut_off(ended: usize) {
    error!(
        target: CLUSTER,
        ended, "cut off from the other nodes for too long: nobody is let in until they are back"
    );
}

pub(crate) fn heard_again() {
    info!(target: CLUSTER, "the other nodes are back: whoever is logged in is let in");
}

/// The nodes have done what they were ordered, or some have not.
pub(crate) fn answered(
    order: &'static str,
    answers: usize,
    missing: usize,
    reached: bool,
    time: Duration,
    repeats: &Repeats,
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
        told!(
            repeats.is_first(Warning::NotAllAnswered, order),
            warn,
            target: CLUSTER,
            order, answers, missing, reached, "not all nodes have answered"
        );
    }
}

pub(crate) fn not_reached(error: &dyn Error, repeats: &Repeats) {
    let (why, first) = (chain(error), repeats.is_first(Warning::NotReached, "not_reached"));
    told!(first, error, target: CLUSTER, why, "the other nodes were not reached");
}

pub(crate) fn not_told(repeats: &Repeats) {
    let first = repeats.is_first(Warning::NotTold, "not_told");
    told!(first, warn, target: CLUSTER, "the other nodes were not told");
}

pub(crate) fn message_ignored(repeats: &Repeats) {
    count(IGNORED, &[], 1);
    told!(
        repeats.is_first(Warning::MessageIgnored, "message_ignored"),
        warn,
        target: CLUSTER,
        "a message among the nodes was none of this cluster, or old: ignored"
    );
}

pub(crate) fn answer_lost(error: &dyn Error, repeats: &Repeats) {
    let (why, first) = (chain(error), repeats.is_first(Warning::AnswerLost, "answer_lost"));
    told!(first, warn, target: CLUSTER, why, "an order was obeyed, and its answer lost");
}
