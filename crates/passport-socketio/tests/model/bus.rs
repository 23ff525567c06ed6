//! What the nodes can know of each other, as the guide says: no node can know of one that was cut off before
//! it joined, if the bus has forgotten that one. And which nodes are cut off, and since when: for their
//! outage grace and `max_stale` they serve on, then nobody.

use std::collections::HashMap;

use crate::config::Config;
use crate::world::Moment;

/// How often a node says that it is there.
const BEAT: Moment = Moment::from_secs(2);
/// After so long a node that can reach the bus again has connected, and was heard.
const CONNECTED: Moment = Moment::from_secs(6);

#[derive(Default)]
pub(crate) struct Bus {
    /// From when on nodes surely say, and hear, that they are there; and since when others can't.
    there: HashMap<usize, Moment>,
    cut: HashMap<usize, Moment>,
    /// Since when nodes may not have heard themselves, and until when their ways were cut.
    silent: HashMap<usize, (Moment, Option<Moment>)>,
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
                self.silent.entry(node).and_modify(|(_, until)| *until = Some(now));
                self.there.insert(node, now + CONNECTED);
            }
        } else if let Some(since) = self.there.remove(&node) {
            self.cut.insert(node, now);
            // It may be cut again before it has heard itself.
            let silent = self.silent.entry(node).or_insert((now, None));
            let heard_itself = silent.1.is_some_and(|until| until + CONNECTED <= now);
            *silent = (if heard_itself { now } else { silent.0 }, None);
            for (other, there) in &self.there {
                if since.max(*there) <= now {
                    self.heard.insert((node, *other), now);
                    self.heard.insert((*other, node), now);
                }
            }
        }
    }

    /// Whether a node may not name another one that does not answer.
    pub(crate) fn may_not_know(&self, by: usize, node: usize, now: Moment) -> bool {
        let is_there = |node: usize| self.there.get(&node).is_some_and(|there| *there <= now);
        !(self.heard.contains_key(&(by, node)) || is_there(by) && is_there(node))
    }

    /// Whether a node may have closed its sockets, and let nobody in: it heard itself a beat before it was
    /// cut off, at the latest, and hears itself again some seconds after.
    pub(crate) fn may_be_closed(&self, node: usize, config: &Config, now: Moment) -> bool {
        let serves_for = (config.grace + config.max_stale).saturating_sub(BEAT);
        self.silent.get(&node).is_some_and(|(since, until)| {
            now >= *since + serves_for && until.is_none_or(|until| now < until + CONNECTED)
        })
    }
}
