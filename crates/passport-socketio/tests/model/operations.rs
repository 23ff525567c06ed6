//! What can happen, and how it is done.

use std::time::Duration;

use passport_socketio::cluster::memory::Way;
use tokio::time::sleep;

use crate::client;
use crate::config::{FeedMode, HookMode, StoreMode};
use crate::node::NAMESPACES;
use crate::play::Play;
use crate::record::Ordered;
use crate::world::{Session, Sid, UserId};

pub(crate) const BROWSERS: usize = 3;

/// One step. Milliseconds are written as such, so that a sequence can be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    /// To a new session, as Passport does since 0.6, or to the one that is there.
    Login {
        browser: usize,
        user: UserId,
        life: Option<u64>,
        renames: bool,
    },
    /// Destroys the session, or takes the user out of it.
    Logout {
        browser: usize,
        destroys: bool,
    },
    Touch {
        browser: usize,
        life: Option<u64>,
    },
    /// A request of the app that began before the session was destroyed writes it once more.
    WriteLate {
        browser: usize,
    },
    /// With the browser's cookie, or with the one before.
    Open {
        node: usize,
        browser: usize,
        old: bool,
    },
    /// Of the connections that are open, the nth last.
    Connect {
        connection: usize,
        namespace: usize,
    },
    Leave {
        connection: usize,
        namespace: usize,
    },
    Close {
        connection: usize,
    },
    /// For all nodes.
    Store(StoreMode),
    /// For one.
    StoreOf {
        node: usize,
        mode: StoreMode,
    },
    /// The store comes back empty.
    Flush,
    Feed(FeedMode),
    Success(HookMode),
    Deserializer(HookMode),
    /// The user changes in the app's database.
    Change {
        user: UserId,
    },
    Ban {
        user: UserId,
        is_banned: bool,
    },
    RevokeUser {
        node: usize,
        user: UserId,
        everywhere: bool,
    },
    RevokeSession {
        node: usize,
        browser: usize,
        everywhere: bool,
    },
    Disconnect {
        node: usize,
        user: UserId,
        everywhere: bool,
    },
    Refresh {
        node: usize,
        user: UserId,
        everywhere: bool,
    },
    /// The node's way to the bus of all nodes.
    Way {
        node: usize,
        way: Way,
    },
    /// The bus comes back, and has forgotten everything.
    EmptyBus,
    /// Everything that was ever said on the bus is said again.
    Replay,
    /// The bus' clock jumps by so many seconds.
    BusClock(i64),
    /// The node's process is killed.
    Die {
        node: usize,
    },
    /// If it was killed, another one takes its place.
    Start {
        node: usize,
    },
    /// The clock is so many seconds off from now on.
    Clock(i64),
    Pass(u64),
}

impl Play {
    pub(crate) async fn step(&mut self, op: Op) {
        self.act(op).await;
        // Until everything waits for something.
        sleep(Duration::from_millis(1)).await;
    }

    async fn act(&mut self, op: Op) {
        let world = self.world.clone();
        let millis = |millis: Option<u64>| millis.map(Duration::from_millis);
        match op {
            Op::Clock(by) => world.jump(by),
            Op::Pass(by) => sleep(Duration::from_millis(by)).await,
            Op::Login { browser, user, life, renames } => {
                if renames {
                    self.logout(browser, true);
                    self.next_sid += 1;
                    self.browsers[browser].1 = self.next_sid;
                }
                let (user, ends) = (Some(user), world.ends_in(millis(life)));
                let session = Session { user, ends, written: Duration::ZERO };
                world.put(self.browsers[browser].1, Some(session));
            }
            Op::Logout { browser, destroys } => self.logout(browser, destroys),
            Op::Touch { browser, life } => {
                let sid = self.browsers[browser].1;
                let session = world.state().sessions.get(&sid).copied();
                if let Some(session) = session {
                    let ends = world.ends_in(millis(life));
                    world.put(sid, Some(Session { ends, ..session }));
                }
            }
            Op::WriteLate { browser } => {
                if let Some((sid, session)) = self.late[browser] {
                    world.put(sid, Some(session));
                }
            }
            Op::Open { node, browser, old } => self.open(node, browser, old),
            Op::Connect { connection, namespace } => {
                if let Some((node, number)) = self.connection(connection) {
                    client::connect(&world, node, number, NAMESPACES[namespace]);
                }
            }
            Op::Leave { connection, namespace } => self.leave(connection, NAMESPACES[namespace]),
            Op::Close { connection } => {
                if let Some((node, number)) = self.connection(connection) {
                    world.state().record.connections[number].was_given_up = true;
                    client::send(&world, node, number, "1".into());
                }
            }
            Op::Store(mode) => {
                for node in self.nodes.iter().flatten() {
                    world.state().set_store(node.number, mode, world.config.max_stale);
                }
                self.store = mode;
            }
            Op::StoreOf { node, mode } => {
                if let Some(node) = &self.nodes[node] {
                    world.state().set_store(node.number, mode, world.config.max_stale);
                }
            }
            Op::Flush => {
                let sids: Vec<Sid> = world.state().sessions.keys().copied().collect();
                for sid in sids {
                    world.put(sid, None);
                }
            }
            Op::Feed(mode) => {
                world.state().feed = mode;
                world.feed_changed.notify_waiters();
            }
            Op::Success(mode) => {
                let mut state = world.state();
                state.hooks_are_unwell();
                state.success = mode;
            }
            Op::Deserializer(mode) => {
                let mut state = world.state();
                state.hooks_are_unwell();
                state.deserializer = mode;
            }
            Op::Change { user } => *world.state().versions.entry(user).or_default() += 1,
            Op::Ban { user, is_banned } => {
                let mut state = world.state();
                let now = state.now;
                if is_banned {
                    state.banned.entry(user).or_insert(now);
                } else if state.banned.remove(&user).is_some() {
                    state.was_banned.insert(user, now);
                }
            }
            op => self.operate(op).await,
        }
    }

    /// What operators do, and what happens to their nodes.
    async fn operate(&mut self, op: Op) {
        let world = self.world.clone();
        match op {
            Op::RevokeUser { node, user, everywhere } => {
                self.order(node, Ordered::RevokeUser(user), everywhere);
            }
            Op::RevokeSession { node, browser, everywhere } => {
                self.order(node, Ordered::RevokeSession(self.browsers[browser].1), everywhere);
            }
            Op::Disconnect { node, user, everywhere } => {
                self.order(node, Ordered::Disconnect(user), everywhere);
            }
            // With two authorizers only `success` tells who was let in, and a refresh asks it, too.
            Op::Refresh { .. } if world.config.two => {}
            Op::Refresh { node, user, everywhere } => {
                let version = world.state().versions.get(&user).copied().unwrap_or_default();
                self.order(node, Ordered::Refresh(user, version), everywhere);
            }
            Op::Way { node, way } => {
                if let Some(node) = &self.nodes[node]
                    && let Some((_, to_bus)) = &node.cluster
                {
                    let mut state = world.state();
                    let now = state.now;
                    state.record.bus.is_cut(node.number, way != Way::Open, now);
                    to_bus.set(way);
                }
            }
            Op::EmptyBus => {
                world.state().bus_is_emptied();
                self.bus.empty();
            }
            Op::Replay => self.replay(),
            Op::BusClock(by) => {
                // By a clock that was put forward, what stands in the list is too old.
                if by > 0 {
                    world.state().bus_is_emptied();
                }
                self.bus.set_time(self.bus.time().saturating_add_signed(by * 1000));
            }
            Op::Die { node } => {
                if let Some(node) = self.nodes[node].take() {
                    node.die(&world).await;
                }
            }
            Op::Start { node } => self.start(node).await,
            _ => {}
        }
    }
}
