//! Which sockets a message is for, and what it does to them: the same in every way in.

use std::collections::HashSet;
use std::sync::Arc;

use socketioxide::socket::Sid;

use crate::hooks::SharedHooks;
use crate::outbox::{Outboxes, QueueLimits};
use crate::sockets::Sockets;
use crate::stats::Stats;
use crate::{Event, Name, SocketAddress, Target};

/// One namespace of this server, as the cluster reaches it.
#[derive(Clone)]
pub(crate) struct Reach {
    pub(crate) sockets: Arc<dyn Sockets>,
    pub(crate) outboxes: Outboxes,
    hooks: SharedHooks,
    stats: Arc<Stats>,
}

/// A name was used that no publisher may use.
pub(crate) struct RefusedName;

impl Reach {
    pub(crate) fn new(
        sockets: Arc<dyn Sockets>,
        hooks: SharedHooks,
        stats: Arc<Stats>,
        limits: QueueLimits,
    ) -> Self {
        let outboxes = Outboxes::new(sockets.clone(), hooks.clone(), stats.clone(), limits);
        Self { sockets, outboxes, hooks, stats }
    }

    pub(crate) fn address<'a>(&'a self, id: &'a Sid) -> SocketAddress<'a> {
        SocketAddress { namespace: self.sockets.namespace(), id: id.as_str() }
    }

    /// The sockets that a publisher means.
    pub(crate) fn select(&self, target: &Target) -> Result<Vec<Sid>, RefusedName> {
        let selected = self.named(&target.rooms).and_then(|named| {
            let except = self.named(&target.except)?;
            let except: HashSet<Sid> = except.into_iter().collect();
            // No rooms are all sockets; rooms in which there is no socket are none.
            let mut selected = if target.rooms.is_empty() { self.sockets.all() } else { named };
            selected.retain(|id| !except.contains(id));
            Ok(selected)
        });
        for _ in target.rooms.iter().chain(&target.except).filter(|name| self.is_taken(name)) {
            self.stats.taken_names.warn_once(
                "a room here is named like the id of a socket: from the cluster nothing reaches it",
            );
        }
        selected.inspect_err(|_| {
            self.stats.refused_names.warn_once(
                "a message from the cluster names a room that it must not, and was dropped",
            );
        })
    }

    /// Whether a room here has the name of a socket that is elsewhere, or nowhere: who is in it must not receive what is
    /// meant for that socket.
    fn is_taken(&self, name: &str) -> bool {
        socket_id(name).is_some_and(|id| {
            !self.sockets.has(id) && !self.sockets.in_rooms(vec![name.to_owned()]).is_empty()
        })
    }

    /// Each once. As in Node, the id of a socket stands for this socket.
    fn named(&self, names: &[String]) -> Result<Vec<Sid>, RefusedName> {
        let (mut rooms, mut ids) = (Vec::new(), Vec::new());
        for name in names {
            match self.hooks.name(self.sockets.namespace(), name) {
                Name::Plain => match socket_id(name) {
                    Some(id) if self.sockets.has(id) => ids.push(id),
                    // A handler may have made sockets join a room of such a name.
                    Some(_) => {}
                    None => rooms.push(name.clone()),
                },
                Name::Rooms(translated) => rooms.extend(translated),
                Name::Refused => return Err(RefusedName),
            }
        }
        let mut found = self.sockets.in_rooms(rooms);
        if !ids.is_empty() {
            let mut seen: HashSet<Sid> = found.iter().copied().collect();
            found.extend(ids.into_iter().filter(|id| seen.insert(*id)));
        }
        Ok(found)
    }

    /// The sockets that handlers of this server mean: no name is translated or refused.
    pub(crate) fn select_own(&self, rooms: &[String], except: &[String]) -> Vec<Sid> {
        let named = |names: &[String]| {
            let ids = names.iter().filter_map(|name| socket_id(name));
            let ids = ids.filter(|id| self.sockets.has(*id));
            let mut found = self.sockets.in_rooms(names.to_vec());
            let mut seen: HashSet<Sid> = found.iter().copied().collect();
            found.extend(ids.filter(|id| seen.insert(*id)));
            found
        };
        let mut selected = if rooms.is_empty() { self.sockets.all() } else { named(rooms) };
        if !except.is_empty() {
            let except: HashSet<Sid> = named(except).into_iter().collect();
            selected.retain(|id| !except.contains(id));
        }
        selected
    }

    /// Those that may receive now.
    pub(crate) fn may_receive(&self, mut selected: Vec<Sid>) -> Vec<Sid> {
        selected.retain(|id| self.hooks.may_receive(self.address(id)));
        selected
    }

    /// Whether a message to this one room can be for any socket here.
    pub(crate) fn has_any(&self, room: &str) -> bool {
        match self.named(&[room.to_owned()]) {
            Ok(found) => !found.is_empty() || self.is_taken(room),
            // Looked at, so that it is counted.
            Err(RefusedName) => true,
        }
    }

    pub(crate) fn emit(&self, event: Event, target: &Target, size: usize) {
        let Ok(selected) = self.select(target) else { return };
        if selected.is_empty() {
            return;
        }
        let Some(payload) = self.sockets.payload(event, size) else { return };
        for id in selected {
            self.outboxes.deliver(id, &payload, target.volatile);
        }
    }

    pub(crate) fn join(&self, target: &Target, rooms: &[String]) {
        let Ok(selected) = self.select(target) else { return };
        for id in selected {
            let may_join = |room: &&String| {
                let may_join = self.is_plain(room)
                    && self.hooks.may_receive(self.address(&id))
                    && self.hooks.may_join(self.address(&id), room);
                if !may_join {
                    self.stats.refused_joins.add();
                }
                may_join
            };
            let rooms: Vec<String> = rooms.iter().filter(may_join).cloned().collect();
            if rooms.is_empty() {
                continue;
            }
            self.sockets.join(id, rooms);
            // Its login may have ended meanwhile, and it left its rooms before it joined these.
            if !self.hooks.may_receive(self.address(&id)) {
                self.sockets.leave_all(id);
            }
        }
    }

    /// Whether this names a room and nothing else.
    pub(crate) fn is_plain(&self, room: &str) -> bool {
        let name = || self.hooks.name(self.sockets.namespace(), room);
        socket_id(room).is_none() && name() == Name::Plain
    }

    pub(crate) fn leave(&self, target: &Target, rooms: &[String]) {
        let Ok(selected) = self.select(target) else { return };
        for id in selected {
            // What no publisher may make a socket join, none may make it leave.
            let may_leave = |room: &&String| {
                self.is_plain(room) && self.hooks.may_join(self.address(&id), room)
            };
            self.sockets.leave(id, rooms.iter().filter(may_leave).cloned().collect());
        }
    }

    pub(crate) fn disconnect(&self, target: &Target, close: bool) {
        let Ok(selected) = self.select(target) else { return };
        for id in selected {
            if self.hooks.disconnect(self.address(&id), close) {
                continue;
            }
            self.outboxes.disconnect(id);
            if close {
                self.hooks.close_connection(self.address(&id));
            }
        }
    }
}

/// The id that this is shaped like.
pub(crate) fn socket_id(name: &str) -> Option<Sid> {
    name.parse().ok()
}

#[cfg(test)]
mod tests;
