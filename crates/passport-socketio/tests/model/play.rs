//! One run: a world, its servers and browsers, and a sequence of operations, checked after each.

use std::sync::Arc;
use std::time::Duration;

use passport_socketio::Live;
use passport_socketio::cluster::Cluster;
use passport_socketio::cluster::memory::MemoryBus;
use passport_socketio::cluster::transport::Heard;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::client;
use crate::config::{Config, FeedMode, HookMode, StoreMode};
use crate::looks;
use crate::node::{Node, User};
use crate::operations::{BROWSERS, Op};
use crate::record::{ConnectState, Done, Order, Ordered};
use crate::rules::Violation;
use crate::world::{Session, Sid, World, session_id};

pub(crate) struct Play {
    pub(crate) world: Arc<World>,
    pub(crate) nodes: Vec<Option<Node>>,
    next_node: usize,
    /// How the store is for a node that starts.
    pub(crate) store: StoreMode,
    pub(crate) bus: MemoryBus,
    tap: mpsc::UnboundedReceiver<Heard>,
    /// What was said on the bus.
    said: Vec<Heard>,
    /// Each browser's cookie, and the one before.
    pub(crate) browsers: [(Sid, Sid); BROWSERS],
    /// What each browser logged out of.
    pub(crate) late: [Option<(Sid, Session)>; BROWSERS],
    pub(crate) next_sid: Sid,
}

/// What came of a sequence: after how many steps a rule did not hold.
pub(crate) type Outcome = Result<(), (usize, Violation)>;

/// Plays it under paused time: in a runtime of its own, in this thread.
pub(crate) fn play(seed: u64, config: Config, ops: &[Op]) -> Outcome {
    fastrand::seed(seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let mut play = Play::new(config).await;
        for (step, op) in ops.iter().enumerate() {
            play.step(*op).await;
            let violation = looks::check(&play.world, &play.nodes);
            violation.map_or(Ok(()), |violation| Err((step + 1, violation)))?;
        }
        let violation = play.end().await;
        violation.map_or(Ok(()), |violation| Err((ops.len(), violation)))
    })
}

impl Play {
    async fn new(config: Config) -> Self {
        let (world, bus) = (World::new(config), MemoryBus::new());
        let tap = bus.tap();
        let mut play = Self {
            world,
            nodes: (0..config.nodes).map(|_| None).collect(),
            next_node: 0,
            store: StoreMode::Up,
            bus,
            tap,
            said: Vec::new(),
            browsers: [1, 2, 3].map(|sid| (sid, sid)),
            late: [None; BROWSERS],
            next_sid: 3,
        };
        for at in 0..config.nodes {
            play.start(at).await;
        }
        play
    }

    pub(crate) async fn start(&mut self, at: usize) {
        if self.nodes[at].is_none() {
            let bus = (self.world.config.nodes > 1).then_some(&self.bus);
            self.world.state().set_store(self.next_node, self.store, self.world.config.max_stale);
            self.nodes[at] = Some(Node::start(&self.world, self.next_node, bus).await);
            self.next_node += 1;
        }
    }

    pub(crate) fn replay(&mut self) {
        while let Ok(heard) = self.tap.try_recv() {
            self.said.push(heard);
        }
        for Heard { channel, message } in &self.said {
            self.bus.publish(channel, message.clone());
        }
        while self.tap.try_recv().is_ok() {}
    }

    pub(crate) fn logout(&mut self, browser: usize, destroys: bool) {
        let sid = self.browsers[browser].1;
        let session = self.world.state().sessions.get(&sid).copied();
        let Some(session) = session else { return };
        self.late[browser] = Some((sid, session));
        self.browsers[browser].0 = sid;
        self.world.put(sid, (!destroys).then_some(Session { user: None, ..session }));
    }

    pub(crate) fn open(&self, node: usize, browser: usize, old: bool) {
        let (before, now) = self.browsers[browser];
        let mut sids = vec![if old { before } else { now }];
        if self.world.config.two {
            sids.push(self.browsers[(browser + 1) % BROWSERS].1);
        }
        if let Some(node) = &self.nodes[node] {
            node.open(&self.world, sids);
        }
    }

    /// Of the open ones the nth last, and its server.
    pub(crate) fn connection(&self, n: usize) -> Option<(&Node, usize)> {
        let state = self.world.state();
        let number = state.record.open_connection(n)?;
        let node = state.record.connections[number].node;
        let mut nodes = self.nodes.iter().flatten();
        Some((nodes.find(|it| it.number == node)?, number))
    }

    pub(crate) fn leave(&self, n: usize, namespace: &'static str) {
        let Some((node, number)) = self.connection(n) else { return };
        {
            let mut state = self.world.state();
            let connection = &mut state.record.connections[number];
            match connection.connects.get_mut(namespace) {
                Some(connect) if connect.state == ConnectState::Admitted => {
                    connect.state = ConnectState::Over;
                }
                _ => return,
            }
        }
        let prefix = if namespace == "/" { String::new() } else { format!("{namespace},") };
        client::send(&self.world, node, number, format!("41{prefix}"));
    }

    /// Gives an order to the node's first authorizer, or through it to all nodes.
    pub(crate) fn order(&self, node: usize, what: Ordered, everywhere: bool) {
        let Some(node) = &self.nodes[node] else { return };
        let cluster = node.cluster.as_ref().filter(|_| everywhere).map(|(it, _)| it.clone());
        let (world, live, node) = (self.world.clone(), node.live[0].clone(), node.number);
        let number = {
            let mut state = world.state();
            let order =
                Order { node, everywhere, what, given: state.now, done: None, unknown: Vec::new() };
            state.record.orders.push(order);
            let number = state.record.orders.len() - 1;
            let now = state.now;
            state.record.note_unknown(number, now, &world.config);
            number
        };
        tokio::spawn(async move {
            let done = match cluster {
                Some(cluster) => carry_out_everywhere(&cluster, what).await,
                None => carry_out(&live, what).await,
            };
            let mut state = world.state();
            let now = state.now;
            state.record.note_unknown(number, now, &world.config);
            state.record.orders[number].done = Some((now, done));
        });
    }

    /// All is well again, and everybody leaves.
    async fn end(&self) -> Option<Violation> {
        let is_busy = {
            let mut state = self.world.state();
            for node in self.nodes.iter().flatten() {
                state.set_store(node.number, StoreMode::Up, self.world.config.max_stale);
            }
            state.hooks_are_unwell();
            state.success = HookMode::Prompt;
            state.deserializer = HookMode::Prompt;
            state.feed = FeedMode::Prompt;
            let connections = &state.record.connections;
            let mut connects = connections.iter().flat_map(|it| it.connects.values());
            connects.any(|connect| connect.state == ConnectState::Sent)
        };
        self.world.feed_changed.notify_waiters();
        if is_busy {
            sleep(Duration::from_secs(45)).await;
            looks::check(&self.world, &self.nodes);
            looks::check_all_is_answered(&self.world);
        }
        while let Some((node, number)) = self.connection(0) {
            let mut state = self.world.state();
            state.record.connections[number].was_given_up = true;
            state.record.connections[number].is_closed = true;
            drop(state);
            client::send(&self.world, node, number, "1".into());
        }
        // Hooks that are slow hold handshakes, and layers whoever opens a connection.
        sleep(Duration::from_secs(30)).await;
        looks::check_nothing_is_left(&self.world, &self.nodes)
    }
}

async fn carry_out(live: &Live<User>, what: Ordered) -> Done {
    match what {
        Ordered::RevokeUser(user) => {
            live.revoke_user(user).await;
        }
        Ordered::RevokeSession(sid) => {
            live.revoke_session(&session_id(sid)).await;
        }
        Ordered::Disconnect(user) => {
            live.disconnect_user(user);
        }
        Ordered::Refresh(user, _) if live.refresh_user(user).await.is_err() => return Done::Failed,
        Ordered::Refresh(..) => {}
    }
    Done::Here
}

async fn carry_out_everywhere(cluster: &Cluster<User>, what: Ordered) -> Done {
    let is_complete = match what {
        Ordered::RevokeUser(user) => cluster.revoke_user(user).await.is_complete(),
        Ordered::RevokeSession(sid) => cluster.revoke_session(&session_id(sid)).await.is_complete(),
        Ordered::Disconnect(user) => cluster.disconnect_user(user).await.is_complete(),
        Ordered::Refresh(user, _) => match cluster.refresh_user(user).await {
            Ok(answers) => answers.is_complete(),
            Err(_) => return Done::Failed,
        },
    };
    if is_complete { Done::Complete } else { Done::Here }
}
