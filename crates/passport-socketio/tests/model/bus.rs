//! What the nodes can know of each other, as the guide says: a node that fell silent is named for 6 s, its
//! outage grace and its `max_stale`; and no node can know of one that was cut off before it joined, if the
//! bus has forgotten that one.

use std::collections::HashMap;

use crate::config::Config;
use crate::world::Moment;

/// A node that says nothing for so long is silent.
const ALIVE: Moment = Moment::from_secs(6);
/// How often a node says that it is there.
const BEAT: Moment = Moment::from_secs(2);
/// After so long a node that can reach the bus again has connected, and was heard.
const CONNECTED: Moment = Moment::from_secs(6);

#[derive(Default)]
pub(crate) struct Bus {
    /// From when on nodes surely say, and hear, that they are there; and since when others can't.
    there: HashMap<usize, Moment>,
    cut: HashMap<usize, Moment>,
    /// When a node last heard of another one.
    heard: HashMap<(usize, usize), Moment>,
    /// When it last lost its list, or its clock was put forward.
    pub(crate) emptied: Option<Moment>,
}

impl Bus {
    /// A node joins, and reads in the list who else is there.
    pub(crate) fn joins(&mut self, node: usize, now: Moment) {
        for (other, there) in &self.there {
            if *there <= now {
                self.heard.insert((node, *other), now);
                self.heard.insert((*other, node), now);
            }
        }
        for (other, since) in &self.cut {
            if self.emptied.is_none_or(|at| at + BEAT < *since) {
                self.heard.insert((node, *other), *since);
            }
        }
        self.there.insert(node, now);
    }

    pub(crate) fn is_cut(&mut self, node: usize, is_cut: bool, now: Moment) {
        if !is_cut {
            if self.cut.remove(&node).is_some() {
                self.there.insert(node, now + CONNECTED);
            }
        } else if let Some(since) = self.there.remove(&node) {
            self.cut.insert(node, now);
            for (other, there) in &self.there {
                if since.max(*there) <= now {
                    self.heard.insert((node, *other), now);
                    self.heard.insert((*other, node), now);
                }
            }
        }
    }

    /// Whether a node may not name another one that does not answer.
    pub(crate) fn may_not_know(
        &self,
        by: usize,
        node: usize,
        config: &Config,
        now: Moment,
    ) -> bool {
        let is_there = |node: usize| self.there.get(&node).is_some_and(|there| *there <= now);
        // Its last word may have been said a beat before.
        let remembered = config.grace + config.max_stale + ALIVE - BEAT;
        let heard = self.heard.get(&(by, node)).copied();
        !(is_there(by) && is_there(node)) && heard.is_none_or(|heard| now - heard > remembered)
    }
}
