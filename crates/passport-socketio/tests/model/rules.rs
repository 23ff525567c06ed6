//! What must be true, after every step.
//!
//! | rule | what it says |
//! |---|---|
//! | `old answer` | No socket is admitted by a login that ended before the store was last asked: at the CONNECT, or up to 1 s before where the layer asked, or for as long as records are kept. |
//! | `too late` | No socket is admitted by a login that ended more than `max_stale` ago. |
//! | `told` | No socket is admitted by a login of which a feed has told that it ended; and live ones end then, at once. |
//! | `ordered` | Once it was ordered, no connection that was being made is admitted: of a revoked user, to a revoked session, or with the user as they were before a refresh. Once it is done, none of them lives. |
//! | `outlived` | No socket outlives its login by more than `max_stale`, while the store answers. |
//! | `outage` | No socket lives longer than the outage grace on what the store said last. |
//! | `wrongly ended` | A socket ends only if its login did, if an operator wanted it, or if the store stayed away for the grace. Else only its client closes it. |
//! | `wrongly refused` | A CONNECT is refused only for a reason, and each is answered. |
//! | `registry` | Who is online is exactly who lives, in the host and in the registry; when all have left, nothing is left. |

use std::sync::Arc;
use std::time::Duration;

use crate::config::{HookMode, LayerKind, STORE_TIMEOUT, StoreMode};
use crate::node::{NAMESPACES, User, guards};
use crate::record::{Connect, ConnectState, Connection, Key, Login, Ordered, Socket};
use crate::world::{Moment, Sid, State, UserId, World, sid_of};
use passport_socketio::Auth;
use passport_socketio::live::{EndReason, Ended};

/// The layer's answer may be so old at the gate.
const FRESH: Duration = Duration::from_secs(1);
/// What is rounded up: timers to a millisecond, what is due within 5 ms is looked at together.
pub(crate) const ROUNDED: Duration = Duration::from_millis(25);
/// The server closes a connection so long after it has told its client why.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(600);
/// A revoked session is refused for so long.
pub(crate) const LATE_WRITERS: Duration = Duration::from_secs(300);
/// So many refusals in a row close a connection.
const REFUSALS: u32 = 5;

/// A rule that did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) at: Duration,
    pub(crate) what: String,
}

/// How much later than at its CONNECT a socket's login may not have ended, at the earliest.
fn asked(world: &World, connect: &Connect, authorizer: usize) -> Moment {
    let is_layered = world.config.layer != LayerKind::None;
    let by_layer = connect.is_first && authorizer == 0 && is_layered;
    let before = if by_layer { FRESH.max(world.config.kept_for) } else { world.config.kept_for };
    connect.sent.saturating_sub(before)
}

/// A store that answers takes so long.
pub(crate) fn latency(world: &World, state: &State, node: usize) -> Duration {
    let store = state.store(node);
    let recently = world.config.max_stale + 4 * STORE_TIMEOUT;
    let was_unwell = store.unwell.is_some_and(|then| state.now - then < recently);
    let is_slow = store.mode != StoreMode::Up;
    if was_unwell || is_slow { STORE_TIMEOUT } else { Duration::ZERO }
}

/// The connect handler was given a user.
pub(crate) fn on_admission(world: &Arc<World>, key: Key, user: &Auth<User>) {
    if !world.state().record.nodes.contains_key(&key.0) {
        return;
    }
    let logins = match enter(world, key, user) {
        Ok(logins) => logins,
        Err(what) => return world.violated("old answer", format!("{key:?}: {what}")),
    };
    if let Err((rule, what)) = judge(world, key, user, &logins) {
        world.violated(rule, format!("{key:?}: {what}"));
    }
}

/// A socket lives from now on.
fn enter(world: &World, key: Key, user: &Auth<User>) -> Result<Vec<Login>, String> {
    let (_, number, namespace) = key;
    let mut state = world.state();
    let connection = &state.record.connections[number];
    let connect = connection.connects.get(namespace).copied().ok_or("it never asked for it")?;
    let mut logins = Vec::new();
    for (authorizer, sid) in connection.sids.iter().copied().enumerate() {
        if authorizer < guards(world, namespace) {
            let is_its = sid_of(user.session().id()) == Some(sid);
            let who = if is_its { Some(user.id) } else { last_user(&state, sid) };
            let who = who.ok_or("nobody was ever logged in")?;
            logins.push(Login { authorizer, sid, user: who });
        }
    }
    state.record.connections[number].refused = 0;
    state.record.ended.remove(&key);
    let socket = Socket { logins: logins.clone(), connect, admitted: state.now };
    state.record.live.insert(key, socket);
    Ok(logins)
}

fn judge(
    world: &World,
    key: Key,
    user: &Auth<User>,
    logins: &[Login],
) -> Result<(), (&'static str, String)> {
    let (node, number, namespace) = key;
    let state = world.state();
    let now = state.now;
    let connect = state.record.connections[number].connects[namespace];
    for login in logins {
        let (place, Login { sid, user: who, .. }) = ((node, login.authorizer), *login);
        let standing = state.standing(sid, who);
        let standing = standing.ok_or(("old answer", format!("{login:?} never stood")))?;
        if let Some(down) = standing.down_since {
            let ago = now - down;
            let asked = asked(world, &connect, login.authorizer);
            // What the store said then is read by the clock as it is now.
            if state.jumped >= asked {
                continue;
            }
            if down < asked {
                let before = connect.sent.saturating_sub(down);
                return Err(("old answer", format!("{login:?} ended {before:?} before CONNECT")));
            }
            if ago > world.config.max_stale + ROUNDED + latency(world, &state, node) {
                return Err(("too late", format!("{login:?} ended {ago:?} before")));
            }
            if state.announced(place, sid).is_some_and(|told| told >= down && told < now) {
                return Err(("told", format!("{login:?} was told to have ended")));
            }
        }
        let at_once = state.record.orders_at(place).filter(|order| order.given < now);
        for order in at_once.chain(state.record.orders_done(place, now)) {
            let was_under_way = connect.sent < order.given;
            let is_denied = match order.what {
                Ordered::RevokeUser(user) => user == who && was_under_way,
                Ordered::RevokeSession(session) => {
                    session == sid && now - order.given < LATE_WRITERS
                }
                Ordered::Disconnect(_) => false,
                Ordered::Refresh(id, version) => {
                    let is_old = user.id == id && user.version < version;
                    let is_banned =
                        state.banned.get(&who).is_some_and(|since| *since < order.given);
                    id == who && (is_old || is_banned)
                }
            };
            if is_denied {
                return Err(("ordered", format!("{login:?} is admitted after {order:?}")));
            }
        }
        if state.banned.get(&who).is_some_and(|since| *since < connect.sent) {
            return Err(("ordered", format!("{login:?} is banned")));
        }
    }
    Ok(())
}

/// Who is logged in to a session, or was last.
fn last_user(state: &State, sid: Sid) -> Option<UserId> {
    let of_session = state.standings.iter().filter(|((other, _), _)| *other == sid);
    let last =
        of_session.max_by_key(|(_, standing)| (standing.down_since.is_none(), standing.down_since));
    last.map(|((_, user), _)| *user)
}

/// An authorizer says that it ended a socket.
pub(crate) fn on_end(world: &World, place: (usize, usize), ended: &Ended<'_>) {
    let mut state = world.state();
    let now = state.now;
    if !state.record.nodes.contains_key(&place.0) {
        return;
    }
    let id = (place.0, ended.socket.to_string());
    let namespace = NAMESPACES.into_iter().find(|name| *name == ended.namespace);
    let (Some(number), Some(namespace)) = (state.record.by_id.get(&id).copied(), namespace) else {
        drop(state);
        return world.violated("registry", "a socket of no connection ended");
    };
    let key = (place.0, number, namespace);
    let socket = state.record.live.remove(&key);
    state.record.ended.insert(key, (ended.reason, now));
    state.record.connections[number].ended = Some(now);
    let user: UserId = ended.user.as_json().parse().unwrap();
    let login = Login { authorizer: place.1, sid: sid_of(ended.session).unwrap(), user };
    let connection = &state.record.connections[number];
    if !may_end(world, &state, place, connection, namespace, login, ended.reason, socket.as_ref()) {
        let what = format!("{key:?} {login:?}: {}, {socket:?}", ended.reason.code());
        drop(state);
        world.violated("wrongly ended", what);
    }
}

#[expect(clippy::too_many_arguments, reason = "each is needed")]
fn may_end(
    world: &World,
    state: &State,
    place: (usize, usize),
    connection: &Connection,
    namespace: &str,
    login: Login,
    reason: EndReason,
    socket: Option<&Socket>,
) -> bool {
    let now = state.now;
    let Some(connect) = connection.connects.get(namespace) else { return false };
    let since = asked(world, connect, login.authorizer);
    let was_down = |sid, user| {
        let standing = state.standing(sid, user);
        standing.is_none_or(|it| it.down_since.is_some() || it.up_since >= since)
    };
    let mut orders = state.record.orders_to(place);
    match reason {
        EndReason::LoggedOut | EndReason::Expired => was_down(login.sid, login.user),
        EndReason::UserChanged => {
            let is_refresh = |what| matches!(what, Ordered::Refresh(user, _) if user == login.user);
            was_down(login.sid, login.user) || orders.any(|order| is_refresh(order.what))
        }
        EndReason::Revoked => orders.any(|order| match order.what {
            Ordered::RevokeUser(user) => state.standing(login.sid, user).is_some(),
            Ordered::RevokeSession(sid) => sid == login.sid,
            _ => false,
        }),
        EndReason::Evicted => orders.any(|order| {
            order.what == Ordered::Disconnect(login.user) && order.given >= connect.sent
        }),
        EndReason::Rejected => {
            let was_banned = state.banned.contains_key(&login.user)
                || state.was_banned.get(&login.user).is_some_and(|until| *until >= connect.sent);
            let is_refresh = |what| matches!(what, Ordered::Refresh(user, _) if user == login.user);
            was_banned && orders.any(|order| is_refresh(order.what))
        }
        EndReason::StoreUnavailable => {
            let well = state.store(place.0).last_well(now, world.config.max_stale);
            let looked_at = well.saturating_sub(world.config.max_stale);
            let looked_at = socket.map_or(looked_at, |socket| looked_at.max(socket.connect.sent));
            now - looked_at + FRESH >= world.config.grace
        }
        _ => false,
    }
}

/// A socket left its namespace.
pub(crate) fn on_leave(world: &World, key: Key) {
    let mut state = world.state();
    if !state.record.nodes.contains_key(&key.0) {
        return;
    }
    let socket = state.record.live.remove(&key);
    let connection = &state.record.connections[key.1];
    let by_client = connection.was_given_up
        || connection.refused >= REFUSALS
        || connection
            .connects
            .get(key.2)
            .is_some_and(|connect| connect.state == ConnectState::Over);
    let is_cut = connection.ended.is_some_and(|ended| state.now - ended < LAST_WORDS);
    if socket.is_some() && !by_client && !is_cut {
        drop(state);
        world.violated("wrongly ended", format!("{key:?} left, and nothing said why: {socket:?}"));
    }
}

/// A client reads that it was refused.
pub(crate) fn on_refusal(world: &World, number: usize, namespace: &'static str, text: &str) {
    let mut state = world.state();
    let connection = &mut state.record.connections[number];
    connection.refused += 1;
    let (opened, node) = (connection.opened, connection.node);
    let connection = &state.record.connections[number];
    let Some(connect) = connection.connects.get(namespace) else { return };
    let by = |authorizer: usize| {
        let sid = connection.sids[authorizer];
        let mut standings = state.standings.iter().filter(|((other, _), _)| *other == sid);
        let before = opened.saturating_sub(world.config.kept_for);
        let stands = standings.find(|(_, it)| it.down_since.is_none() && it.up_since <= before);
        let Some(((_, user), _)) = stands else { return true };
        let place = (node, authorizer);
        let well_since =
            |then: Option<Moment>| then.is_none_or(|then| then + STORE_TIMEOUT < opened);
        if text.contains("unauthorized") {
            state.record.orders_to(place).any(|order| match order.what {
                Ordered::RevokeUser(who) => state.standing(sid, who).is_some(),
                Ordered::RevokeSession(session) => session == sid,
                _ => false,
            })
        } else if text.contains("banned") {
            let was = state.was_banned.get(user).is_some_and(|until| *until >= connect.sent);
            was || state.banned.contains_key(user)
        } else {
            let told = state.announced(place, sid).is_some_and(|told| told >= opened);
            let ordered = state.record.orders_to(place).any(|order| order.given >= opened);
            let health = state.store(node);
            let store = health.mode == StoreMode::Up && well_since(health.unwell);
            let are_prompt = [state.success, state.deserializer] == [HookMode::Prompt; 2];
            let hooks = are_prompt && well_since(state.hooks_unwell);
            told || ordered || world.config.loads < 8 || !store || !hooks
        }
    };
    if !(0..guards(world, namespace)).any(by) {
        drop(state);
        world.violated("wrongly refused", format!("connection {number} from {namespace}: {text}"));
    }
}
