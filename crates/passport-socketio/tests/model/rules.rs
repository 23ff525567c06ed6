//! What must be true, after every step.
//!
//! | rule | what it says |
//! |---|---|
//! | `old answer` | No socket is admitted by a login that ended before the store was last asked: at the CONNECT, or a little before where the layer asked, or for as long as records are kept. |
//! | `too late` | No socket is admitted by a login that ended more than `max_stale` ago. |
//! | `told` | No socket is admitted by a login of which a feed has told that it ended; and live ones end then, at once. |
//! | `ordered` | Once it was ordered, no connection that was being made is admitted: of a revoked user, to a revoked session, or with the user as they were before a refresh. Once it is done, none of them lives. |
//! | `complete` | The same on every node, once an order to all nodes says that it is complete; but for a node that the one which gave it can't know of, as the guide says. |
//! | `outlived` | No socket outlives its login by more than `max_stale`, while the store answers. |
//! | `outage` | No socket lives longer than the outage grace on what the store said last. |
//! | `wrongly ended` | A socket ends only if its login did, if an operator wanted it, or if the store stayed away for the grace. Else only its client closes it. |
//! | `wrongly refused` | A CONNECT is refused only for a reason, and each is answered. |
//! | `registry` | Who is online is exactly who lives, in the host and in the registry; when all have left, nothing is left. |
//!
//! Admissions, ends and refusals are judged when they happen ([admission](crate::admission),
//! [ends](crate::ends)), what lives after each step ([looks](crate::looks)).

use std::time::Duration;

use crate::config::{LayerKind, STORE_TIMEOUT, StoreMode};
use crate::record::Connect;
use crate::world::{Moment, State, World};

/// The store's answer to the layer may be so old at the gate.
const FRESH: Duration = Duration::from_secs(1);
/// What is rounded up: timers to a millisecond, what is due within 5 ms is looked at together.
pub(crate) const ROUNDED: Duration = Duration::from_millis(25);
/// The server closes a connection so long after it has told its client why.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(600);
/// A revoked session is refused for so long.
pub(crate) const LATE_WRITERS: Duration = Duration::from_secs(300);
/// So many refusals in a row close a connection.
pub(crate) const REFUSALS: u32 = 5;

/// A rule that did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) at: Duration,
    pub(crate) what: String,
}

/// How much later than at its CONNECT a socket's login may not have ended, at the earliest.
pub(crate) fn asked(world: &World, connect: &Connect, authorizer: usize) -> Moment {
    let is_layered = world.config.layer != LayerKind::None;
    let by_layer = connect.is_first && authorizer == 0 && is_layered;
    let before = (FRESH + STORE_TIMEOUT).min(world.config.max_stale / 2);
    let before = if by_layer { before } else { Duration::ZERO };
    connect.sent.saturating_sub(before.max(world.config.kept_for))
}

/// A store that answers takes so long.
pub(crate) fn latency(world: &World, state: &State, node: usize) -> Duration {
    let store = state.store(node);
    let recently = world.config.max_stale + 4 * STORE_TIMEOUT;
    let was_unwell = store.unwell.is_some_and(|then| state.now - then < recently);
    let is_slow = store.mode != StoreMode::Up;
    if was_unwell || is_slow { STORE_TIMEOUT } else { Duration::ZERO }
}
