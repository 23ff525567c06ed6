//! What the servers did: connections, the sockets that live, how others ended, what operators ordered.

use std::collections::HashMap;

use passport_socketio::live::EndReason;

use crate::bus::Bus;
use crate::config::Config;
use crate::world::{Moment, Place, Sid, UserId};

/// A socket: its node, its connection (they are numbered), its namespace.
pub(crate) type Key = (usize, usize, &'static str);

#[derive(Default)]
pub(crate) struct Record {
    pub(crate) connections: Vec<Connection>,
    /// By what the server calls them.
    pub(crate) by_id: HashMap<(usize, String), usize>,
    /// Admitted, and neither ended nor left since.
    pub(crate) live: HashMap<Key, Socket>,
    /// Ended, and perhaps not out of the server yet.
    pub(crate) ended: HashMap<Key, (EndReason, Moment)>,
    pub(crate) orders: Vec<Order>,
    /// The nodes that run, and since when.
    pub(crate) nodes: HashMap<usize, Moment>,
    pub(crate) bus: Bus,
    /// Whom `success` was asked about last, at an authorizer, for a session and a namespace.
    pub(crate) candidates: HashMap<(Place, Sid, String), UserId>,
}

pub(crate) struct Connection {
    pub(crate) node: usize,
    /// Its session at each authorizer.
    pub(crate) sids: Vec<Sid>,
    pub(crate) cookie: String,
    pub(crate) opened: Moment,
    pub(crate) id: Option<String>,
    pub(crate) is_closed: bool,
    /// The client closed it.
    pub(crate) was_given_up: bool,
    /// When a socket of it ended last: it may be cut soon after, whatever was admitted meanwhile.
    pub(crate) ended: Option<Moment>,
    /// How many CONNECTs were refused since one was admitted.
    pub(crate) refused: u32,
    pub(crate) connects: HashMap<&'static str, Connect>,
}

/// A CONNECT packet, and what became of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connect {
    pub(crate) sent: Moment,
    /// It is the connection's first.
    pub(crate) is_first: bool,
    pub(crate) state: ConnectState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectState {
    Sent,
    Admitted,
    /// Refused, or over.
    Over,
}

/// A live socket.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    /// At each authorizer that guards its namespace.
    pub(crate) logins: Vec<Login>,
    pub(crate) connect: Connect,
    pub(crate) admitted: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) authorizer: usize,
    pub(crate) sid: Sid,
    pub(crate) user: UserId,
}

/// What an operator wanted of a node's first authorizer, or through it of all nodes.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) node: usize,
    pub(crate) everywhere: bool,
    pub(crate) what: Ordered,
    pub(crate) given: Moment,
    /// When it was done, and how far.
    pub(crate) done: Option<(Moment, Done)>,
    /// The nodes that the one which gave it may not have known.
    pub(crate) unknown: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// On every node that was asked.
    Complete,
    /// On some nodes: on this one, at least.
    Here,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ordered {
    RevokeUser(UserId),
    RevokeSession(Sid),
    Disconnect(UserId),
    /// And the user's version when it was given.
    Refresh(UserId, u32),
}

impl Order {
    pub(crate) fn was_done_before(&self, moment: Moment) -> bool {
        self.done.is_some_and(|(done, _)| done < moment)
    }
}

impl Record {
    /// Notes which nodes the one that gives an order may not know.
    ///
    /// A revoked session that the store did not destroy may be let in by a node that was cut off for so long
    /// that it served nobody, and came back later: as by one that joins later (`Revoked::is_final`).
    pub(crate) fn note_unknown(&mut self, order: usize, now: Moment, config: &Config) {
        let by = self.orders[order].node;
        let others = self.nodes.keys().filter(|node| **node != by);
        let unknown = others.filter(|node| {
            let is_session = matches!(self.orders[order].what, Ordered::RevokeSession(_));
            self.bus.may_not_know(by, **node, now)
                || is_session && self.bus.may_be_closed(**node, config, now)
        });
        let unknown: Vec<usize> = unknown.copied().collect();
        self.orders[order].unknown.extend(unknown);
    }

    /// The connection's `n`th last one that is not closed.
    pub(crate) fn open_connection(&self, n: usize) -> Option<usize> {
        let open = (0..self.connections.len()).rev().filter(|at| !self.connections[*at].is_closed);
        let open: Vec<usize> = open.collect();
        (!open.is_empty()).then(|| open[n % open.len()])
    }

    /// Orders that an authorizer may obey, or have obeyed.
    pub(crate) fn orders_to(&self, place: Place) -> impl Iterator<Item = &Order> {
        let started = self.nodes.get(&place.0).copied().unwrap_or_default();
        let concerns = move |order: &&Order| {
            // It may still be under way when a node joins.
            let is_new = !order.was_done_before(started);
            let comes = order.node == place.0 || (order.everywhere && is_new);
            place.1 == 0 && comes
        };
        self.orders.iter().filter(concerns)
    }

    /// Orders that an authorizer obeys from the moment when they are given.
    pub(crate) fn orders_at(&self, place: Place) -> impl Iterator<Item = &Order> {
        self.orders.iter().filter(move |order| place == (order.node, 0))
    }

    /// Orders that an authorizer must have obeyed by now.
    pub(crate) fn orders_done(&self, place: Place, now: Moment) -> impl Iterator<Item = &Order> {
        let started = self.nodes.get(&place.0).copied().unwrap_or_default();
        let is_done = move |order: &&Order| match order.done {
            Some((done, how)) if done < now => {
                let is_known = order.given >= started && !order.unknown.contains(&place.0);
                order.node == place.0 && how != Done::Failed || how == Done::Complete && is_known
            }
            _ => false,
        };
        self.orders_to(place).filter(is_done)
    }
}
