//! One socket of a logged-in user, and how its end begins.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use express_session::SessionId;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::Toucher;
use super::activity::Activity;
use crate::model::{EndReason, Ended, Identity, Session, SocketId, UserKey};
use crate::observe::{Observer, Subject};

/// A store may end a session a moment before it said.
const SLACK: Duration = Duration::from_millis(1100);

/// One socket of a logged-in user, in one namespace.
pub(crate) struct LiveSocket<U> {
    sid: SessionId,
    /// The session's user key, whatever the user is addressed by.
    passport_key: Option<UserKey>,
    login: Arc<Login>,
    user: RwLock<Loaded<U>>,
    user_key: UserKey,
    namespace: Box<str>,
    id: SocketId,
    handle: Box<dyn SocketHandle>,
    entered: Instant,
    /// When the store was asked for the answer that let it in.
    asked: Instant,
    was_connected: AtomicBool,
    /// Whether it was seen when it was connected.
    was_seen: AtomicBool,
    peer: Option<IpAddr>,
    observer: Observer,
}

/// A user, and which refresh loaded them: 0 for the handshake.
struct Loaded<U> {
    user: Arc<U>,
    refresh: u64,
}

/// What is known of the login behind a socket, without the user's type.
pub(crate) struct Login {
    end: OnceLock<SocketEnd>,
    session: RwLock<Session>,
    activity: Option<Activity>,
}

/// Why handlers are given a socket's user no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketEnd {
    /// The login has ended.
    LoginEnded(EndReason),
    /// The socket has left, and nothing is known of its login.
    SocketLeft,
}

/// The server's socket, whatever its type is.
pub(crate) trait SocketHandle: Send + Sync {
    /// Whether it is connected to its namespace.
    fn is_connected(&self) -> bool;

    /// Whether its namespace still has it.
    fn is_in_its_namespace(&self) -> bool;

    /// Takes it out of its rooms, says `session_ended`, and disconnects it: as soon as it can be.
    fn end(&self, reason: EndReason);

    /// Runs a task where the socket lives.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Takes it out of its namespace, where it stays behind when a disconnect handler panics.
    fn remove(&self);
}

impl Login {
    fn new(session: Session, toucher: Option<Toucher>) -> Arc<Self> {
        let activity = toucher.map(|toucher| Activity::new(toucher, &session));
        let session = RwLock::new(session);
        Arc::new(Self { end: OnceLock::new(), session, activity })
    }

    /// The client said something.
    pub(crate) fn was_active(&self) {
        if let Some(activity) = &self.activity {
            activity.happened(|| self.session());
        }
    }

    /// As it was when it was last loaded.
    pub(crate) fn session(&self) -> Session {
        self.session.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why it is over, if it is. Set before anything else happens when the login ends; never unset.
    pub(crate) fn end(&self) -> Option<SocketEnd> {
        self.end.get().copied()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.end.get().is_some()
    }
}

impl<U: Send + Sync + 'static> LiveSocket<U> {
    /// Ends it after `grace`, unless this refresh or a later one has said who it is.
    pub(crate) fn end_unless_refreshed(self: &Arc<Self>, refresh: u64, grace: Duration) {
        let socket = Arc::downgrade(self);
        self.handle.spawn(Box::pin(async move {
            sleep(grace).await;
            if let Some(socket) = socket.upgrade()
                && socket.loaded().refresh < refresh
            {
                socket.end(EndReason::CouldNotTell);
            }
        }));
    }
}

impl<U> LiveSocket<U> {
    pub(crate) fn new(
        identity: &Identity<U>,
        namespace: &str,
        id: SocketId,
        handle: impl SocketHandle + 'static,
        toucher: Option<Toucher>,
        observer: Observer,
    ) -> Self {
        let now = Instant::now();
        Self {
            sid: identity.session().id().clone(),
            passport_key: identity.session().user_key().cloned(),
            login: Login::new(identity.session().clone(), toucher),
            user: RwLock::new(Loaded { user: identity.shared_user().clone(), refresh: 0 }),
            user_key: identity.user_key().clone(),
            namespace: namespace.into(),
            id,
            handle: Box::new(handle),
            entered: now,
            asked: now,
            was_connected: AtomicBool::new(false),
            was_seen: AtomicBool::new(false),
            peer: None,
            observer,
        }
    }

    /// Who connected, for audits.
    pub(crate) fn with_peer(self, peer: Option<IpAddr>) -> Self {
        Self { peer, ..self }
    }

    /// When the store was asked for the answer that lets it in.
    pub(crate) fn known_since(self, asked: Instant) -> Self {
        Self { asked, ..self }
    }

    /// The user and the session as they were when they were last loaded.
    pub(crate) fn identity(&self) -> Identity<U> {
        let user = self.loaded().user.clone();
        Identity::new(user, self.user_key.clone(), self.login.session())
    }

    pub(crate) fn login(&self) -> &Arc<Login> {
        &self.login
    }

    pub(crate) fn sid(&self) -> &SessionId {
        &self.sid
    }

    pub(crate) fn user_key(&self) -> &UserKey {
        &self.user_key
    }

    /// Whether the session's own user key is still the one that this socket was let in with.
    pub(super) fn is_of(&self, session: &Session) -> bool {
        self.passport_key.as_ref() == session.user_key()
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn id(&self) -> SocketId {
        self.id
    }

    /// Ends this one socket.
    pub(crate) fn end(&self, reason: EndReason) {
        if let Some(ending) = self.begin_end(reason) {
            ending.go_on();
        }
    }

    /// Sets the flag. `None` if it was set before.
    pub(super) fn begin_end(&self, reason: EndReason) -> Option<EndBegun<'_, U>> {
        self.flag(SocketEnd::LoginEnded(reason)).then_some(EndBegun { socket: self, reason })
    }

    /// Sets the flag. `false` if it was set before.
    pub(super) fn flag(&self, end: SocketEnd) -> bool {
        self.login.end.set(end).is_ok()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.login.has_ended()
    }

    pub(crate) fn is_live(&self) -> bool {
        !self.has_ended() && self.handle.is_connected()
    }

    /// It is connected. Without a word of that, a socket that has left is like one that is about to come.
    pub(crate) fn is_seen(&self) {
        self.was_seen.store(true, Ordering::Relaxed);
    }

    /// Whether it has left, although it is still held: by a handler of the app, or a refresh that waits.
    pub(crate) fn has_left(&self) -> bool {
        if self.handle.is_connected() {
            self.is_seen();
            return false;
        }
        self.was_seen.load(Ordering::Relaxed)
    }

    /// When it was entered, after its session was loaded.
    pub(super) fn entered(&self) -> Instant {
        self.entered
    }

    /// When the store was asked for the answer that let it in.
    pub(super) fn asked(&self) -> Instant {
        self.asked
    }

    /// Whether its session's time is over, as far as was known when it was last loaded.
    pub(super) fn has_outlived_its_session(&self) -> bool {
        let ends = self.login.session().ends();
        ends.is_some_and(|end| end <= Instant::now() + SLACK)
    }

    /// Takes over what was just loaded of the session.
    pub(super) fn refresh_session(&self, session: &Session) {
        if let Some(activity) = &self.login.activity {
            activity.was_loaded(session);
        }
        *self.login.session.write().unwrap_or_else(PoisonError::into_inner) = session.clone();
    }

    /// Takes over the user that a refresh loaded, unless a later refresh was quicker.
    pub(crate) fn refresh_user(&self, user: Arc<U>, refresh: u64) {
        let mut loaded = self.user.write().unwrap_or_else(PoisonError::into_inner);
        if loaded.refresh < refresh {
            *loaded = Loaded { user, refresh };
        }
    }

    /// Whether a refresh later than this one has said who it is.
    pub(crate) fn is_refreshed_after(&self, refresh: u64) -> bool {
        self.loaded().refresh > refresh
    }

    fn loaded(&self) -> RwLockReadGuard<'_, Loaded<U>> {
        self.user.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was connected and is no more, and yet has not been forgotten: what is left when a
    /// disconnect handler panics. To be asked from time to time: it is not known at the first.
    pub(super) fn is_left_behind(&self) -> bool {
        if self.handle.is_connected() {
            self.is_seen();
            self.was_connected.store(true, Ordering::Relaxed);
            return false;
        }
        // A handshake may take as long as the app's middlewares like. But in a namespace is only who
        // is connected, or was, or will be in a moment.
        self.was_connected.fetch_or(self.handle.is_in_its_namespace(), Ordering::Relaxed)
    }

    /// Takes it out of its namespace.
    pub(super) fn remove(&self) {
        self.flag(SocketEnd::SocketLeft);
        self.observer.unpanicked("disconnect handler", || self.handle.remove());
    }
}

/// A socket whose flag is set, and nothing else has happened yet.
#[must_use]
pub(super) struct EndBegun<'e, U> {
    socket: &'e LiveSocket<U>,
    reason: EndReason,
}

impl<U> EndBegun<'_, U> {
    /// Tells the client and disconnects it, and then tells the app.
    pub(super) fn go_on(self) {
        let socket = self.socket;
        // The host runs parts of the app's disconnect handler in here.
        socket.observer.unpanicked("disconnect handler", || socket.handle.end(self.reason));
        let ended = Ended {
            reason: self.reason,
            session: socket.sid(),
            user: socket.user_key(),
            namespace: socket.namespace(),
            socket: socket.id,
        };
        let (sid, user, namespace) = (socket.sid(), socket.user_key(), socket.namespace());
        let subject = Subject::of_member(sid, user, namespace, socket.id, socket.peer);
        socket.observer.ended(&ended, &subject);
    }
}
