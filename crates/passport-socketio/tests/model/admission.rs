//! The rules about who is admitted.

use std::sync::Arc;

use passport_socketio::Auth;

use crate::node::{User, guards};
use crate::record::{Key, Login, Ordered, Socket};
use crate::rules::{LATE_WRITERS, ROUNDED, asked, latency};
use crate::world::World;

/// The connect handler was given a user.
pub(crate) fn on_admission(world: &Arc<World>, key: Key, user: &Auth<User>) {
    // It may have ended in the moment since it was let in.
    if !world.state().record.nodes.contains_key(&key.0) || !user.is_live() {
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
            let asked = ((key.0, authorizer), sid, namespace.to_owned());
            let is_its = guards(world, namespace) == 1;
            let candidate = state.record.candidates.get(&asked).copied();
            let who = if is_its { Some(user.id) } else { candidate };
            let who = who.ok_or("`success` was not asked about its user")?;
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
            // Another gate may have come after its own: then it lives, and soon ends.
            let is_last = login.authorizer + 1 == logins.len();
            let told = state.announced(place, sid).filter(|told| *told >= down && *told < now);
            if told.is_some() && is_last {
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
