//! Sockets of a test's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socketioxide::socket::Sid;

use crate::hooks::SharedHooks;
use crate::sockets::{Content, Payload, Sent, Sockets};
use crate::{Description, Event, Hooks, Name, SocketAddress, Value};

/// Sockets with a buffer of 2 packets, which a test empties.
#[derive(Default)]
pub(crate) struct FakeSockets {
    sockets: Mutex<BTreeMap<Sid, Fake>>,
    /// The app's disconnect handlers do.
    pub(crate) panic_when_disconnected: AtomicBool,
}

#[derive(Default, Clone)]
pub(crate) struct Fake {
    pub(crate) buffer: Vec<String>,
    pub(crate) read: Vec<String>,
    pub(crate) rooms: BTreeSet<String>,
}

const BUFFER: usize = 2;

impl FakeSockets {
    pub(crate) fn add(&self, rooms: &[&str]) -> Sid {
        let id = Sid::new();
        let rooms = rooms.iter().map(|room| (*room).to_owned()).collect();
        self.lock().insert(id, Fake { rooms, ..Fake::default() });
        id
    }

    pub(crate) fn remove(&self, id: Sid) {
        self.lock().remove(&id);
    }

    /// The client reads all that is there.
    pub(crate) fn read(&self, id: Sid) {
        if let Some(fake) = self.lock().get_mut(&id) {
            let buffer = std::mem::take(&mut fake.buffer);
            fake.read.extend(buffer);
        }
    }

    /// What a socket was handed so far; `None` if it is not there any more.
    pub(crate) fn handed(&self, id: Sid) -> Option<Vec<String>> {
        let fake = self.lock().get(&id)?.clone();
        Some([fake.read, fake.buffer].concat())
    }

    pub(crate) fn rooms(&self, id: Sid) -> Vec<String> {
        self.lock().get(&id).map(|fake| fake.rooms.iter().cloned().collect()).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Sid, Fake>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, id: Sid, text: String) -> Sent {
        match self.lock().get_mut(&id) {
            None => Sent::Gone,
            Some(fake) if fake.buffer.len() == BUFFER => Sent::Full,
            Some(fake) => {
                fake.buffer.push(text);
                Sent::Done
            }
        }
    }
}

pub(crate) fn payload(text: &str) -> Payload {
    let event = Event::new("e", vec![Value::Str(text.to_owned())]).unwrap();
    Payload { content: Content::Event(Arc::new(event)), size: 10 }
}

impl Sockets for FakeSockets {
    fn namespace(&self) -> &'static str {
        "/"
    }

    fn all(&self) -> Vec<Sid> {
        self.lock().keys().copied().collect()
    }

    fn in_rooms(&self, rooms: Vec<String>) -> Vec<Sid> {
        let all = self.lock();
        let there =
            all.iter().filter(|(_, fake)| rooms.iter().any(|room| fake.rooms.contains(room)));
        there.map(|(id, _)| *id).collect()
    }

    fn has(&self, id: Sid) -> bool {
        self.lock().contains_key(&id)
    }

    fn payload(&self, event: Event, size: usize) -> Option<Payload> {
        Some(Payload { content: Content::Event(Arc::new(event)), size })
    }

    fn send(&self, id: Sid, payload: &Payload, _volatile: bool) -> Sent {
        let Content::Event(event) = &payload.content else { return Sent::Gone };
        let text = event.args().first().and_then(Value::as_str).unwrap_or_default();
        self.push(id, text.to_owned())
    }

    fn join(&self, id: Sid, rooms: Vec<String>) {
        if let Some(fake) = self.lock().get_mut(&id) {
            fake.rooms.extend(rooms);
        }
    }

    fn leave(&self, id: Sid, rooms: Vec<String>) {
        if let Some(fake) = self.lock().get_mut(&id) {
            fake.rooms.retain(|room| !rooms.contains(room));
        }
    }

    fn leave_all(&self, id: Sid) {
        if let Some(fake) = self.lock().get_mut(&id) {
            fake.rooms.clear();
        }
    }

    fn disconnect(&self, id: Sid) -> Sent {
        let sent = self.push(id, "DISCONNECT".to_owned());
        if sent == Sent::Done {
            assert!(!self.panic_when_disconnected.load(Ordering::SeqCst), "the app's handler");
            self.remove(id);
        }
        sent
    }
}

/// `user:X` stands for `keyed:X`; all logins end at once.
#[derive(Default)]
pub(crate) struct FakeHooks {
    pub(crate) has_ended: AtomicBool,
    /// They end when a join has been allowed.
    pub(crate) ends_at_join: AtomicBool,
    pub(crate) closed: Mutex<Vec<String>>,
}

impl FakeHooks {
    pub(crate) fn shared() -> (Arc<Self>, SharedHooks) {
        let hooks = Arc::<Self>::default();
        (hooks.clone(), hooks)
    }
}

impl Hooks for FakeHooks {
    fn may_receive(&self, _: SocketAddress<'_>) -> bool {
        !self.has_ended.load(Ordering::SeqCst)
    }

    fn may_join(&self, _: SocketAddress<'_>, room: &str) -> bool {
        if self.ends_at_join.load(Ordering::SeqCst) {
            self.has_ended.store(true, Ordering::SeqCst);
        }
        room != "staff"
    }

    fn name(&self, _: &str, name: &str) -> Name {
        match name.strip_prefix("user:") {
            Some("nobody") => Name::Rooms(Vec::new()),
            Some(user) => Name::Rooms(vec![format!("keyed:{user}")]),
            None if name.starts_with("keyed:") => Name::Refused,
            None => Name::Plain,
        }
    }

    fn describe(&self, _: SocketAddress<'_>) -> Description {
        Description { data: Value::Int(42), ..Description::default() }
    }

    fn close_connection(&self, socket: SocketAddress<'_>) -> bool {
        self.closed.lock().unwrap().push(socket.id.to_owned());
        true
    }
}
