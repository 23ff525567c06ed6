//! The rules about how sockets end, and who is refused.

use passport_socketio::live::{EndReason, Ended};

use crate::config::{HookMode, STORE_TIMEOUT, StoreMode};
use crate::node::{NAMESPACES, guards};
use crate::record::{ConnectState, Connection, Key, Login, Ordered, Socket};
use crate::rules::{LAST_WORDS, REFUSALS, ROUNDED, asked, latency};
use crate::world::{Moment, State, UserId, World, sid_of};

/// What happens within it happens at once: paused time goes by milliseconds.
const TIE: Moment = Moment::from_millis(2);

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
        EndReason::LoggedOut => was_down(login.sid, login.user),
        // What the store said of its date is read by the clock as it is when the answer comes.
        EndReason::Expired => {
            let slow = latency(world, state, place.0);
            was_down(login.sid, login.user) || now - state.jumped <= slow + ROUNDED
        }
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
            let is_late = order.was_done_before(connect.sent);
            order.what == Ordered::Disconnect(login.user) && !is_late
        }),
        EndReason::Rejected => {
            let was_banned = state.banned.contains_key(&login.user)
                || state.was_banned.get(&login.user).is_some_and(|until| *until >= connect.sent);
            let is_refresh = |what| matches!(what, Ordered::Refresh(user, _) if user == login.user);
            was_banned && orders.any(|order| is_refresh(order.what))
        }
        EndReason::CouldNotTell => {
            let is_refresh = |what| matches!(what, Ordered::Refresh(user, _) if user == login.user);
            let grace = world.config.grace;
            state.record.bus.may_be_closed(place.0, &world.config, now)
                || orders.any(|order| is_refresh(order.what) && now >= order.given + grace)
        }
        EndReason::StoreUnavailable => {
            let well = state.store(place.0).last_well(now, world.config.max_stale);
            let looked_at = well.saturating_sub(world.config.max_stale);
            let looked_at = if socket.is_some() { looked_at.max(since) } else { looked_at };
            let asked = looked_at.saturating_sub(latency(world, state, place.0));
            now - asked >= world.config.grace || was_down(login.sid, login.user)
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
    // With those on its connection whose login has ended; but nobody comes in on it who would be cut.
    let was_there = |ended| socket.as_ref().is_none_or(|socket| socket.admitted <= ended);
    let is_cut =
        connection.ended.is_some_and(|ended| state.now - ended < LAST_WORDS && was_there(ended));
    // A client that was refused before is cut after a while in which it was let in nowhere: perhaps in the
    // very millisecond in which it is.
    let is_tie = connection.refused == 0
        && socket.as_ref().is_some_and(|socket| state.now - socket.admitted < TIE);
    if socket.is_some() && !by_client && !is_cut && !is_tie {
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
        // What the store answers late may have been written anew since.
        if state.sessions[&sid].written >= opened {
            return true;
        }
        let place = (node, authorizer);
        let well_since =
            |then: Option<Moment>| then.is_none_or(|then| then + STORE_TIMEOUT < opened);
        if text.contains("unauthorized") {
            state.record.orders_to(place).any(|order| match order.what {
                Ordered::RevokeUser(who) => state.standing(sid, who).is_some(),
                Ordered::RevokeSession(session) => session == sid,
                // Evicted while another gate was asked.
                Ordered::Disconnect(_) => !order.was_done_before(connect.sent),
                Ordered::Refresh(..) => false,
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
            let is_closed = state.record.bus.may_be_closed(node, &world.config, state.now);
            told || ordered || is_closed || world.config.loads < 8 || !store || !hooks
        }
    };
    if !(0..guards(world, namespace)).any(by) {
        drop(state);
        world.violated("wrongly refused", format!("connection {number} from {namespace}: {text}"));
    }
}
