//! The rules about what lives at this moment: looked at after each step, from outside.

use std::collections::BTreeSet;
use std::time::Duration;

use passport_socketio::{Live, MaybeAuth};

use crate::config::STORE_TIMEOUT;
use crate::node::{NAMESPACES, Node, User};
use crate::record::{ConnectState, Key, Login, Ordered, Socket};
use crate::rules::{LAST_WORDS, LATE_WRITERS, ROUNDED, Violation, latency};
use crate::world::{Place, State, UserId, World};

/// A change is looked at so much later, since others may follow.
const DEBOUNCED: Duration = Duration::from_millis(150);

type Seen = Result<(), (&'static str, String)>;

/// All rules.
pub(crate) fn check(world: &World, nodes: &[Option<Node>]) -> Option<Violation> {
    let mut seen = look_at_sockets(world);
    for node in nodes.iter().flatten() {
        seen = seen.and_then(|()| look_at_host(world, node));
        for (authorizer, live) in node.live.iter().enumerate() {
            seen = seen.and_then(|()| look_at_registry(world, (node.number, authorizer), live));
        }
    }
    if let Err((rule, what)) = seen {
        world.violated(rule, what);
    }
    world.state().violation.clone()
}

fn look_at_sockets(world: &World) -> Seen {
    let state = world.state();
    for (key, socket) in &state.record.live {
        for login in &socket.logins {
            let seen = look_at_login(world, &state, *key, socket, *login);
            seen.map_err(|(rule, what)| (rule, format!("{key:?} {login:?}: {what}, {socket:?}")))?;
        }
    }
    Ok(())
}

fn look_at_login(world: &World, state: &State, key: Key, socket: &Socket, login: Login) -> Seen {
    let (now, config) = (state.now, world.config);
    let place = (key.0, login.authorizer);
    let (slow, store) = (latency(world, state, key.0), state.store(key.0));
    let down = state.standing(login.sid, login.user).and_then(|standing| standing.down_since);
    if let (Some(down), true) = (down, store.answers()) {
        let returned =
            store.since + if store.since > down { 2 * STORE_TIMEOUT } else { Duration::ZERO };
        let late = now.saturating_sub(down.max(returned).max(state.jumped));
        if late > config.max_stale + ROUNDED + 2 * slow {
            return Err(("outlived", format!("its login ended {:?} ago", now - down)));
        }
        let was_well = store.since + config.max_stale + 4 * STORE_TIMEOUT < down;
        let told = state.announced(place, login.sid).filter(|told| *told >= down);
        if let (Some(told), true) = (told, was_well)
            && now - told.max(socket.admitted) > DEBOUNCED + ROUNDED + 2 * slow
        {
            return Err(("told", format!("its end was told {:?} ago", now - told)));
        }
    }
    let heard = state.heard.get(&(key.0, login.sid)).map_or(socket.admitted, |asked| *asked);
    if now - heard > config.grace.max(config.max_stale) + 2 * STORE_TIMEOUT + ROUNDED {
        return Err(("outage", format!("the store answered {:?} ago", now - heard)));
    }
    for order in state.record.orders_done(place, now) {
        let is_ordered = match order.what {
            Ordered::RevokeUser(user) => user == login.user && socket.connect.sent < order.given,
            Ordered::RevokeSession(sid) => sid == login.sid && now - order.given < LATE_WRITERS,
            Ordered::Disconnect(user) => user == login.user && socket.admitted < order.given,
            Ordered::Refresh(user, _) => {
                let banned = state.banned.get(&user);
                user == login.user && banned.is_some_and(|since| *since < order.given)
            }
        };
        if is_ordered {
            let rule = if order.node == key.0 { "ordered" } else { "complete" };
            return Err((rule, format!("it lives after {order:?}")));
        }
    }
    Ok(())
}

/// Who is connected is who lives, or has just been told to go.
fn look_at_host(world: &World, node: &Node) -> Seen {
    let number = node.number;
    let mut connected = 0;
    for namespace in NAMESPACES {
        for socket in node.io.of(namespace).unwrap().sockets() {
            let state = world.state();
            let id = (number, socket.id.to_string());
            let Some(connection) = state.record.by_id.get(&id).copied() else {
                return Err(("registry", "the host has a socket of no connection".into()));
            };
            let key = (number, connection, namespace);
            if state.record.live.contains_key(&key) && socket.connected() {
                connected += 1;
                continue;
            }
            let ended = state.record.ended.get(&key);
            if ended.is_none_or(|(_, at)| state.now - *at > LAST_WORDS) {
                let connected = socket.connected();
                return Err((
                    "registry",
                    format!("the host keeps {key:?}, {ended:?}, connected: {connected}"),
                ));
            }
        }
    }
    let state = world.state();
    let live = state.record.live.keys().filter(|key| key.0 == number).count();
    if live == connected {
        Ok(())
    } else {
        Err(("registry", format!("of {live} live sockets the host has {connected}")))
    }
}

fn look_at_registry(world: &World, place: Place, live: &Live<User>) -> Seen {
    let number = |key: &passport_socketio::UserKey| key.as_json().parse::<UserId>().unwrap();
    let online: BTreeSet<UserId> = live.online().iter().map(number).collect();
    let mut expected = BTreeSet::new();
    let is_busy = {
        let state = world.state();
        for socket in here(&state, place) {
            expected.extend(socket.1.map(|login| login.user));
        }
        let mut connects = state.record.connections.iter().flat_map(|it| it.connects.values());
        connects.any(|connect| connect.state == ConnectState::Sent)
    };
    // What one of two authorizers ended, the other still knows until the connection is cut.
    if world.config.two && has_just_ended(world, place.0) {
        return Ok(());
    }
    if online != expected {
        return Err(("registry", format!("{online:?} are online, and {expected:?} live")));
    }
    for user in expected {
        let sockets = live.user(user).sockets();
        let state = world.state();
        let mut found = BTreeSet::new();
        for socket in &sockets {
            let id = (place.0, socket.id.to_string());
            let connection = state.record.by_id.get(&id).copied().unwrap_or(usize::MAX);
            found.insert((connection, socket.ns().to_owned()));
            let version = MaybeAuth::<User>::of(&**socket).user().map(|user| user.version);
            let old = state.record.orders_done(place, state.now).find(|order| match order.what {
                Ordered::Refresh(who, refreshed) => {
                    who == user && version.is_some_and(|version| version < refreshed)
                }
                _ => false,
            });
            if let (Some(order), false) = (old, world.config.two) {
                return Err(("ordered", format!("{user} is version {version:?} after {order:?}")));
            }
        }
        let (mut lives, mut sessions) = (BTreeSet::new(), BTreeSet::new());
        for (key, logins) in here(&state, place) {
            for login in logins.filter(|login| login.user == user) {
                lives.insert((key.1, key.2.to_owned()));
                sessions.insert(login.sid);
            }
        }
        drop(state);
        if lives != found {
            return Err(("registry", format!("{user} has {found:?}, and {lives:?} live")));
        }
        let known = live.user(user).sessions();
        if known != sessions.len() && !is_busy {
            return Err((
                "registry",
                format!("{user} has {known} sessions, and {sessions:?} live"),
            ));
        }
    }
    Ok(())
}

fn has_just_ended(world: &World, node: usize) -> bool {
    let state = world.state();
    let mut ended = state.record.ended.iter().filter(|(key, _)| key.0 == node);
    ended.any(|(_, (_, at))| state.now - *at <= LAST_WORDS)
}

/// The live sockets that an authorizer let in, with their logins at it.
fn here(state: &State, place: Place) -> impl Iterator<Item = (&Key, impl Iterator<Item = &Login>)> {
    let (node, authorizer) = place;
    let sockets = state.record.live.iter().filter(move |(key, _)| key.0 == node);
    sockets.map(move |(key, socket)| {
        (key, socket.logins.iter().filter(move |login| login.authorizer == authorizer))
    })
}

/// All connections are closed, and nothing is under way.
pub(crate) fn check_nothing_is_left(world: &World, nodes: &[Option<Node>]) -> Option<Violation> {
    for node in nodes.iter().flatten() {
        let hosts: usize =
            NAMESPACES.iter().map(|name| node.io.of(*name).unwrap().sockets().len()).sum();
        let known = format!("{:?}", node.live);
        let empty = "Registry { users: 0, sessions: 0, sockets: 0 }";
        if hosts > 0 || known.matches(empty).count() != node.live.len() {
            world.violated("registry", format!("{hosts} sockets are left, and {known}"));
        }
    }
    world.state().violation.clone()
}

/// Time enough has passed for everything to be answered.
pub(crate) fn check_all_is_answered(world: &World) -> Option<Violation> {
    let silent = {
        let state = world.state();
        let open = state.record.connections.iter().filter(|connection| !connection.is_closed);
        let mut connects = open.flat_map(|connection| connection.connects.iter());
        let silent = connects.find(|(_, connect)| connect.state == ConnectState::Sent);
        silent.map(|(namespace, connect)| format!("{namespace}: {connect:?}"))
    };
    if let Some(silent) = silent {
        world.violated("wrongly refused", format!("never answered: {silent}"));
    }
    world.state().violation.clone()
}
