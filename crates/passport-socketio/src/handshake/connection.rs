//! An Engine.IO connection, and who may use it.
//!
//! Whoever knows a connection's id could poll it, post to it, or upgrade it, with a cookie of their
//! own or with none. So it is bound to the session that was let in on it:
//!
//! 1. When a connection is opened, a [`Connection`] is put into the request's extensions. The host
//!    keeps them as long as its connection lives, and so this lives as long.
//! 2. Its id is read from the answer, as that passes on its way to the client, who can't know it
//!    earlier.
//! 3. Every later request that names the id has to show the owner's cookie. The store is not asked.
//!
//! A connection on which nobody was let in belongs to nobody: a guest's may be used by whoever
//! knows its id, as in Node.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use http::request::Parts;

use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep};

use super::allowance::Allowance;
use super::connects::Connects;
use super::end_filter::{EndFilter, Posts, SessionEnded};
use super::engine::EngineId;
use super::exchange::Exchange;
use super::transport::Transport;
use crate::authorizer::Owner;
use crate::observe::events;

/// A client far away, whose network has a bad moment, is to read why.
const CLOSE_DELAY: Duration = Duration::from_millis(500);

/// One Engine.IO connection.
pub(crate) struct Connection {
    opened: Instant,
    owner: OnceLock<Owner>,
    /// The code of the login's end with which it is about to be cut.
    end: OnceLock<&'static str>,
    id: OnceLock<EngineId>,
    connections: Weak<Connections>,
    /// The one of a layer further out, which lives as long.
    outer: Option<Arc<Connection>>,
    transport: Transport,
    /// Those of the layer further out, where there is one: it has the transports.
    filter: Arc<EndFilter>,
    /// What its client may send before a namespace has let it in.
    allowance: Arc<Allowance>,
    /// Whether the client has posted anything but pongs.
    posted: AtomicBool,
    connects: Connects,
    /// Tasks that look after it, which are of no use after it.
    tasks: Mutex<Vec<AbortHandle>>,
}

/// The connections of a layer that can be found by their id.
#[derive(Default)]
pub(super) struct Connections(Mutex<HashMap<EngineId, Weak<Connection>>>);

impl Connection {
    /// The connection that a request opened, where one of our layers saw it.
    pub(crate) fn of(request: &Parts) -> Option<&Arc<Self>> {
        request.extensions.get()
    }

    pub(crate) fn opened(&self) -> Instant {
        self.opened
    }

    /// The first who is let in owns it.
    pub(crate) fn bind(&self, owner: Option<Owner>) {
        if let Some(owner) = owner {
            self.owner.get_or_init(|| owner);
        }
    }

    /// What became of its CONNECTs.
    pub(crate) fn connects(&self) -> &Connects {
        &self.connects
    }

    pub(super) fn owner(&self) -> Option<&Owner> {
        self.owner.get()
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(super) fn filter(&self) -> &Arc<EndFilter> {
        &self.filter
    }

    /// What looks at a request of this connection: the layer furthest out, so that it is done once.
    pub(super) fn exchange(&self, request: &Parts) -> Option<Exchange> {
        if self.outer.is_some() {
            return None;
        }
        Exchange::of(request, &self.filter)
    }

    /// A login has ended that let the client into this namespace: from now on, nothing of it passes
    /// behind this notice but its disconnect. To be called before the client is told. In a runtime.
    pub(crate) fn end_in(
        self: &Arc<Self>,
        namespace: &str,
        notice: SessionEnded,
        may_stay: Option<impl FnOnce() -> bool + Send + 'static>,
    ) {
        let will_be_cut = self.can_be_cut() && may_stay.is_none();
        let posts = if will_be_cut { Posts::Discarded } else { Posts::Wait };
        if will_be_cut {
            self.end.get_or_init(|| notice.code);
        }
        self.filter.begin(namespace, notice, posts);
        let connection = Arc::downgrade(self);
        tokio::spawn(async move {
            sleep(CLOSE_DELAY).await;
            if let Some(connection) = connection.upgrade() {
                connection.filter.stop_waiting();
                if connection.can_be_cut() && !may_stay.is_some_and(|may_stay| may_stay()) {
                    connection.cut("its login has ended");
                }
            }
        });
    }

    /// Where it is about to be cut because a login has ended: waits until that is done, and says how the
    /// login ended. Who was let in on it meanwhile would be cut without a reason. (An official client
    /// comes back by itself, and asks anew.)
    pub(crate) async fn is_cut_with(&self) -> Option<&'static str> {
        let end = self.end.get()?;
        sleep(2 * CLOSE_DELAY).await;
        Some(end)
    }

    /// Whether socketioxide is at work on nothing that the client posted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.filter.is_quiet()
    }

    pub(super) fn allowance(&self) -> &Arc<Allowance> {
        &self.allowance
    }

    /// Whether the request that opens it is still on its way to the host.
    pub(super) fn is_new(&self) -> bool {
        self.id.get().is_none() && !self.transport.can_be_cut()
    }

    pub(super) fn has_posted(&self) {
        self.posted.store(true, Ordering::Relaxed);
    }

    /// Whether the client has said anything yet.
    pub(super) fn has_received(&self) -> bool {
        self.posted.load(Ordering::Relaxed) || self.transport.has_received()
    }

    /// Whether our layer holds the host's. Otherwise a connection is closed by its client alone.
    pub(crate) fn can_be_cut(&self) -> bool {
        self.transport.can_be_cut()
    }

    /// A task that must not keep it: it ends with the connection.
    pub(crate) fn ends(&self, task: &JoinHandle<()>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|other| !other.is_finished());
        tasks.push(task.abort_handle());
    }

    /// Closes the connection, whatever its client does. In a runtime.
    pub(crate) fn cut(&self, why: &'static str) {
        events::cut(why);
        self.filter.is_cut();
        self.transport.cut(self.id.get().copied());
        if let Some(outer) = &self.outer {
            outer.transport.cut(outer.id.get().copied());
        }
    }

    /// Closes it if it still polls. In a runtime.
    pub(super) fn close_polling(&self) {
        self.transport.close_polling(self.id.get().copied());
    }

    /// Cuts it, once the client has had time to read what it was told last, if there still is a reason
    /// to. In a runtime.
    pub(crate) fn cut_soon(
        self: &Arc<Self>,
        why: &'static str,
        is_still_so: impl FnOnce(&Self) -> bool + Send + 'static,
    ) {
        let connection = Arc::downgrade(self);
        tokio::spawn(async move {
            sleep(CLOSE_DELAY).await;
            if let Some(connection) = connection.upgrade()
                && is_still_so(&connection)
            {
                connection.cut(why);
            }
        });
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let (Some(id), Some(connections)) = (self.id.get(), self.connections.upgrade()) {
            connections.lock().remove(id);
        }
        let tasks = self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner);
        tasks.drain(..).for_each(|task| task.abort());
    }
}

impl Connections {
    /// Enters what a request is about to open.
    pub(super) fn open(self: &Arc<Self>, request: &mut Parts) -> Arc<Connection> {
        let outer: Option<Arc<Connection>> = request.extensions.remove();
        let filter = outer.as_ref().map(|outer| outer.filter.clone()).unwrap_or_default();
        let connection = Arc::new(Connection {
            connections: Arc::downgrade(self),
            outer,
            filter,
            opened: Instant::now(),
            owner: OnceLock::new(),
            end: OnceLock::new(),
            id: OnceLock::new(),
            transport: Transport::default(),
            allowance: Arc::default(),
            posted: AtomicBool::new(false),
            connects: Connects::default(),
            tasks: Mutex::default(),
        });
        request.extensions.insert(connection.clone());
        connection
    }

    /// The host has named a connection.
    pub(super) fn name(&self, connection: &Arc<Connection>, id: EngineId) {
        if *connection.id.get_or_init(|| id) == id {
            self.lock().insert(id, Arc::downgrade(connection));
        }
    }

    /// The connection that a later request is about.
    pub(super) fn find(&self, request: &Parts) -> Option<Arc<Connection>> {
        self.lock().get(&EngineId::of(request)?)?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EngineId, Weak<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many there are: who knows an id can poll its connection.
impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connections({})", self.lock().len())
    }
}
