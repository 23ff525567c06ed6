//! Anything that can happen, at random.

use std::time::Duration;

use passport_socketio::cluster::memory::Way;

use crate::config::{Config, FeedMode, HookMode, LayerKind, StoreMode};
use crate::node::NAMESPACES;
use crate::operations::{BROWSERS, Op};

pub(crate) const USERS: u32 = 2;

pub(crate) fn any_config(random: &mut fastrand::Rng) -> Config {
    let max_stale = Duration::from_millis(*pick(random, &[1000, 1000, 2000, 6000]));
    Config {
        max_stale,
        grace: max_stale * *pick(random, &[1, 2, 4]) + Duration::from_secs(1),
        nodes: *pick(random, &[1, 1, 2, 3]),
        layer: *pick(
            random,
            &[LayerKind::Over, LayerKind::Over, LayerKind::Around, LayerKind::None],
        ),
        feed: random.bool(),
        dated: random.bool(),
        loads: *pick(random, &[1, 64]),
        kept_for: max_stale / 10 * u32::from(random.u8(..4) == 0),
        two: random.u8(..4) == 0,
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

pub(crate) fn pick<'c, T>(random: &mut fastrand::Rng, choices: &'c [T]) -> &'c T {
    &choices[random.usize(..choices.len())]
}

/// Kinds of operations, for [`any_operation`], and how many concern one node.
pub(crate) const KINDS: usize = 27;
pub(crate) const KINDS_OF_ONE: usize = 22;
pub(crate) const OPEN: usize = 4;
pub(crate) const CONNECT: usize = 5;
pub(crate) const LOGIN: usize = 0;
pub(crate) const PASS: usize = 20;

pub(crate) fn any_operation(random: &mut fastrand::Rng, config: &Config, kind: usize) -> Op {
    let node = random.usize(..config.nodes);
    let everywhere = config.nodes > 1 && random.u8(..4) > 0;
    let browser = random.usize(..BROWSERS);
    let connection = random.usize(..4);
    let namespace = random.usize(..NAMESPACES.len());
    let user = random.u32(..USERS);
    let stale = millis(config.max_stale);
    let grace = millis(config.grace);
    let life = *pick(random, &[None, None, Some(stale / 2), Some(stale * 3)]);
    let slow = *pick(random, &[40, stale / 2, stale * 2]);
    let hook = *pick(random, &[HookMode::Prompt, HookMode::Slow(slow)]);
    match kind {
        LOGIN => Op::Login { browser, user, life, renames: random.u8(..4) > 0 },
        1 => Op::Logout { browser, destroys: random.bool() },
        2 => Op::Touch { browser, life },
        3 => Op::WriteLate { browser },
        OPEN => Op::Open { node, browser, old: random.u8(..8) == 0 },
        CONNECT => Op::Connect { connection, namespace },
        6 => Op::Leave { connection, namespace },
        7 => Op::Close { connection },
        8 => Op::Store(StoreMode::Up),
        9 => Op::Store(StoreMode::Away),
        10 => Op::Store(*pick(
            random,
            &[StoreMode::Hanging, StoreMode::Slow(40), StoreMode::Slow(200)],
        )),
        11 => Op::Flush,
        12 => {
            let late = FeedMode::Late(*pick(random, &[5, 80, 700]));
            Op::Feed(*pick(random, &[FeedMode::Prompt, late, FeedMode::Deaf, FeedMode::Lost]))
        }
        13 => Op::Success(hook),
        14 => Op::Deserializer(*pick(random, &[hook, hook, HookMode::Fails])),
        15 => Op::Change { user },
        16 => Op::Ban { user, is_banned: random.bool() },
        17 => Op::RevokeUser { node, user, everywhere },
        18 if random.bool() => Op::RevokeSession { node, browser, everywhere },
        18 => Op::Disconnect { node, user, everywhere },
        19 => Op::Refresh { node, user, everywhere },
        21 => Op::Clock(*pick(random, &[0, 1, -1, 300, -300])),
        22 => Op::Way { node, way: *pick(random, &[Way::Open, Way::Cut, Way::Silent]) },
        23 => *pick(random, &[Op::EmptyBus, Op::Replay, Op::BusClock(20), Op::BusClock(-20)]),
        24 => Op::StoreOf { node, mode: *pick(random, &[StoreMode::Up, StoreMode::Away]) },
        25 => Op::Die { node },
        26 => Op::Start { node },
        _ => Op::Pass(*pick(
            random,
            &[
                4,
                30,
                130,
                400,
                800,
                960,
                1100,
                stale / 3,
                stale * 9 / 10,
                stale * 11 / 10,
                grace / 2,
                grace * 2,
            ],
        )),
    }
}
