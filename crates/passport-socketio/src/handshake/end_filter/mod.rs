//! What is still written to a namespace once its login has ended: why, the disconnect, and nothing
//! behind them.
//!
//! socketioxide writes more: the ack of a handler that still runs is queued behind the disconnect. So
//! what leaves a connection on which a login has ended is looked at, WebSocket frames in [`outgoing`]
//! and the answers to polls in [`payload`]; before that, one atomic load is all it costs.
//!
//! And the client reads it, whatever it goes on sending. For socketioxide, an event for a namespace
//! that the client is no longer in closes the connection; over polling that throws away what was not
//! polled yet. So from the end of a login on, what the client posts is not handed to socketioxide: at
//! all where the connection is about to be cut, and otherwise not before the disconnect is on its way.
//! (A WebSocket's queue is written out by socketioxide before it closes.)

mod notice;
mod outgoing;
mod payload;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use notice::{SESSION_ENDED, SessionEnded};
pub(super) use outgoing::Outgoing;
pub(super) use payload::filtered;

use super::packet::{Kind, Packet};

/// What of a connection's traffic passes. Shared by its transports.
#[derive(Debug, Default)]
pub(super) struct EndFilter {
    begun: AtomicBool,
    posts: AtomicU8,
    /// How many posts socketioxide is at work on just now.
    handling: AtomicUsize,
    ended: Mutex<Vec<EndedNamespace>>,
}

/// What is done with what a client posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Posts {
    /// It is handed to socketioxide.
    Pass,
    /// It waits.
    Wait,
    /// It is thrown away.
    Discarded,
}

/// A namespace whose login has ended.
#[derive(Debug)]
struct EndedNamespace {
    namespace: Box<str>,
    /// More than one where several authorizers guard a namespace.
    notices: Vec<SessionEnded>,
    /// A notice has passed.
    told: bool,
    /// The disconnect has passed.
    disconnected: bool,
}

/// While it exists, socketioxide may be at work on a post.
pub(super) struct Handling<'w>(&'w AtomicUsize);

impl EndFilter {
    /// From now on nothing of `namespace` passes behind this notice but its disconnect. To be called
    /// before the notice is sent.
    pub(super) fn begin(&self, namespace: &str, notice: SessionEnded, posts: Posts) {
        let mut all = self.lock();
        match all.iter_mut().find(|ended| *ended.namespace == *namespace) {
            Some(ended) => ended.notices.push(notice),
            None => all.push(EndedNamespace {
                namespace: namespace.into(),
                notices: vec![notice],
                told: false,
                disconnected: false,
            }),
        }
        self.begun.store(true, Ordering::SeqCst);
        self.posts.fetch_max(posts as u8, Ordering::SeqCst);
    }

    /// Whether any login has ended.
    pub(super) fn is_begun(&self) -> bool {
        // Whatever is to be looked at was queued later, and the queue orders memory.
        self.begun.load(Ordering::Relaxed)
    }

    /// The client has had its time to read.
    pub(super) fn stop_waiting(&self) {
        let wait = Posts::Wait as u8;
        let _ = self.posts.compare_exchange(
            wait,
            Posts::Pass as u8,
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
    }

    /// The connection was cut: if the client posts again, socketioxide is to say that it is gone.
    pub(super) fn is_cut(&self) {
        self.posts.store(Posts::Pass as u8, Ordering::SeqCst);
    }

    /// To be held while socketioxide is at work on a post, or what else is to be done with it.
    pub(super) fn handle(&self) -> Result<Handling<'_>, Posts> {
        self.handling.fetch_add(1, Ordering::SeqCst);
        let handling = Handling(&self.handling);
        match self.posts.load(Ordering::SeqCst) {
            posts if posts == Posts::Pass as u8 => Ok(handling),
            posts if posts == Posts::Wait as u8 => Err(Posts::Wait),
            _ => Err(Posts::Discarded),
        }
    }

    /// Whether socketioxide is at work on no post. After [`begin`](Self::begin), that stays so.
    pub(super) fn is_quiet(&self) -> bool {
        self.handling.load(Ordering::SeqCst) == 0
    }

    /// Whether a packet of the server may be written. To be asked once for each, in their order.
    fn allows(&self, packet: &Packet<'_>) -> bool {
        let mut all = self.lock();
        let Some((index, ended, rest)) = all.iter_mut().enumerate().find_map(|(index, ended)| {
            let rest = packet.rest_in(&ended.namespace)?;
            Some((index, ended, rest))
        }) else {
            return true;
        };
        match packet.kind {
            Kind::Connect if ended.told => {
                // Let in again.
                all.remove(index);
                true
            }
            Kind::Connect => {
                ended.disconnected = false;
                true
            }
            Kind::ConnectError => true,
            Kind::Disconnect => {
                let is_first = !ended.disconnected;
                ended.disconnected = true;
                if all.iter().all(|ended| ended.disconnected) {
                    drop(all);
                    self.stop_waiting();
                }
                is_first
            }
            Kind::Message if ended.told || ended.disconnected => false,
            Kind::Message => {
                ended.told = ended.notices.iter().any(|notice| notice.is_in(packet, rest));
                true
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<EndedNamespace>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handling<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Judges what a server writes, in its order.
#[derive(Debug, Default)]
struct PacketFilter {
    /// How many binary messages belong to the last packet, and whether that may be written.
    attachments: usize,
    passes: bool,
}

impl PacketFilter {
    /// Whether this Engine.IO packet may be written.
    fn text(&mut self, ends: &EndFilter, packet: &[u8]) -> bool {
        let Some(message) = packet.strip_prefix(b"4") else {
            return true;
        };
        // What can't be read is not socketioxide's.
        let packet = Packet::of_text(message);
        self.passes = packet.as_ref().is_some_and(|packet| ends.allows(packet));
        self.attachments = packet.map_or(0, |packet| packet.attachments);
        self.passes
    }

    /// Whether this binary message may be written.
    fn binary(&mut self, ends: &EndFilter, message: &[u8]) -> bool {
        if self.attachments > 0 {
            self.attachments -= 1;
            return self.passes;
        }
        // Otherwise its packet was written before anything had ended.
        Packet::of_msgpack(message).is_none_or(|packet| ends.allows(&packet))
    }
}

#[cfg(test)]
mod tests;
