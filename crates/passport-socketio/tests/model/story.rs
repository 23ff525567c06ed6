//! Random sequences of what can happen.
//!
//! In each some things happen often and others not at all, so that what takes several of one kind happens,
//! too. And what is known to be delicate happens more often than by chance: something ends while its
//! handshake is under way; a CONNECT comes late, in a crowd, or again and again; a store that was away for
//! long is back for a moment.

use passport_socketio::cluster::memory::Way;

use crate::config::{Config, HookMode, StoreMode};
use crate::node::NAMESPACES;
use crate::operations::{BROWSERS, Op};
use crate::random::{
    CONNECT, KINDS, KINDS_OF_ONE, LOGIN, OPEN, PASS, USERS, any_operation, millis, pick,
};
use crate::world::UserId;

/// A sequence of about so many operations.
pub(crate) fn any_story(random: &mut fastrand::Rng, config: &Config, length: usize) -> Vec<Op> {
    let mut story = Story::new(random, config);
    while story.ops.len() < length {
        story.goes_on();
    }
    story.ops
}

struct Story<'s> {
    random: &'s mut fastrand::Rng,
    config: &'s Config,
    /// How often each kind of operation happens.
    weights: Vec<u32>,
    ops: Vec<Op>,
    is_away: bool,
    /// Who is logged in to each browser.
    users: [UserId; BROWSERS],
    /// Which browser opened a connection last, and to which node.
    opened: (usize, usize),
}

impl<'s> Story<'s> {
    fn new(random: &'s mut fastrand::Rng, config: &'s Config) -> Self {
        let kinds = if config.nodes > 1 { KINDS } else { KINDS_OF_ONE };
        let mut weights: Vec<u32> =
            (0..kinds).map(|_| *pick(random, &[0, 0, 1, 1, 2, 4])).collect();
        for (always, least) in [(LOGIN, 2), (OPEN, 3), (CONNECT, 5), (PASS, 5)] {
            weights[always] = weights[always].max(least);
        }
        let mut story = Self {
            random,
            config,
            weights,
            ops: Vec::new(),
            is_away: false,
            users: [0; BROWSERS],
            opened: (0, 0),
        };
        for browser in 0..BROWSERS {
            let user = story.random.u32(..USERS);
            story.happens(Op::Login { browser, user, life: None, renames: true });
        }
        story
    }

    fn goes_on(&mut self) {
        let op = self.any();
        self.happens(op);
        match op {
            Op::Open { .. } => self.connects(),
            Op::Store(_) if self.is_away && self.one_in(3) => {
                self.happens(Op::Pass(millis(self.config.grace) * 2));
            }
            _ => {}
        }
        if self.is_away && self.one_in(8) {
            self.is_back_for_a_moment();
        }
        if self.config.nodes > 1 && self.one_in(12) {
            self.is_cut_off();
        }
        // Troubles pass: most of the time most is well.
        if self.one_in(12) {
            self.happens(Op::Store(StoreMode::Up));
            self.happens(Op::Success(HookMode::Prompt));
            self.happens(Op::Deserializer(HookMode::Prompt));
        }
    }

    /// The client of the connection that was just opened.
    fn connects(&mut self) {
        let is_late = self.one_in(4);
        if is_late {
            self.happens(Op::Pass(1100));
        }
        let mut connection = 0;
        if is_late && self.one_in(2) {
            // The store is busy with another one's session.
            self.happens(Op::Store(StoreMode::Slow(200)));
            let opened = self.opened;
            self.happens(Op::Open {
                node: opened.0,
                browser: (opened.1 + 1) % BROWSERS,
                old: false,
            });
            (self.opened, connection) = (opened, 1);
        }
        if self.one_in(6) {
            // The app's `success` takes long.
            self.happens(Op::Success(HookMode::Slow(millis(self.config.max_stale) * 2)));
        }
        let namespace = self.random.usize(..NAMESPACES.len());
        let times = if self.one_in(8) { 6 } else { 1 };
        for _ in 0..times {
            self.happens(Op::Connect { connection, namespace });
        }
        if times > 1 && self.one_in(2) {
            self.happens(Op::Store(StoreMode::Up));
            self.happens(Op::Connect { connection, namespace });
        }
        if self.one_in(3) {
            self.ends_meanwhile();
        }
    }

    /// Something ends the login, or the user, that is about to be let in.
    fn ends_meanwhile(&mut self) {
        let (node, browser) = self.opened;
        let (user, other) = (self.users[browser], self.random.u32(..USERS));
        let everywhere = self.config.nodes > 1 && self.one_in(2);
        let renames = self.one_in(2);
        let ends = [
            Op::Logout { browser, destroys: renames },
            Op::Login { browser, user: other, life: None, renames },
            Op::Flush,
            Op::Ban { user, is_banned: true },
            Op::RevokeUser { node, user, everywhere },
            Op::RevokeUser { node, user, everywhere },
            Op::RevokeSession { node, browser, everywhere },
            Op::Refresh { node, user, everywhere },
            Op::Change { user },
        ];
        let end = *pick(self.random, &ends);
        self.happens(end);
        if matches!(end, Op::Ban { .. } | Op::Change { .. }) {
            self.happens(Op::Refresh { node, user, everywhere });
        }
    }

    /// A node is cut off from the others and serves on, when an operator orders something.
    fn is_cut_off(&mut self) {
        let (node, browser) = self.opened;
        let way = *pick(self.random, &[Way::Cut, Way::Silent]);
        self.happens(Op::Way { node, way });
        if self.one_in(2) {
            self.happens(Op::EmptyBus);
        }
        let passed = *pick(self.random, &[4, 2500, 7000]);
        self.happens(Op::Pass(passed));
        if self.one_in(2) {
            let open = Op::Open { node, browser, old: false };
            self.happens(open);
            self.happens(Op::Connect { connection: 0, namespace: 0 });
        }
        let (user, by) = (self.users[browser], (node + 1) % self.config.nodes);
        let orders = [
            Op::RevokeUser { node: by, user, everywhere: true },
            Op::Disconnect { node: by, user, everywhere: true },
        ];
        let order = *pick(self.random, &orders);
        self.happens(order);
    }

    fn is_back_for_a_moment(&mut self) {
        self.happens(Op::Store(StoreMode::Up));
        let open = any_operation(self.random, self.config, OPEN);
        self.happens(open);
        let namespace = self.random.usize(..NAMESPACES.len());
        self.happens(Op::Connect { connection: 0, namespace });
        if self.one_in(2) {
            self.happens(Op::Store(StoreMode::Away));
        }
    }

    fn any(&mut self) -> Op {
        let mut at = self.random.u32(..self.weights.iter().sum::<u32>());
        let is_it = |weight: &u32| {
            let is_it = at < *weight;
            at = at.saturating_sub(*weight);
            is_it
        };
        let kind = self.weights.iter().position(is_it).unwrap_or_default();
        any_operation(self.random, self.config, kind)
    }

    fn happens(&mut self, op: Op) {
        match op {
            Op::Login { browser, user, .. } => self.users[browser] = user,
            Op::Open { node, browser, .. } => self.opened = (node, browser),
            Op::Store(mode) => self.is_away = matches!(mode, StoreMode::Away | StoreMode::Hanging),
            _ => {}
        }
        self.ops.push(op);
    }

    fn one_in(&mut self, of: u32) -> bool {
        self.random.u32(..of) == 0
    }
}
