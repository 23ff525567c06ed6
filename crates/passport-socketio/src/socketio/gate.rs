//! The connect middleware: who is not granted does not reach the namespace.
//!
//! 1. It is counted, where there is a limit. The layer's answer is used, once, while it is fresh;
//!    else the session is looked up.
//! 2. `success` is asked.
//! 3. The socket is entered into the live sessions, if the session has not changed meanwhile: else
//!    all starts over.
//! 4. It joins its user's and its session's room.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use express_session::store::StoreError;
use socketioxide::adapter::Adapter;
use socketioxide::handler::{ConnectMiddleware, Value};
use socketioxide::socket::Socket;
use tokio::time::sleep;

use super::{session_room, user_room};
use crate::authorizer::{Answer, Denial};
use crate::handshake::{Handover, after_connect, before_connect};
use crate::live::{EndReason, Host, LiveSocket, NotEntered};
use crate::log;
use crate::socketio::auth::LiveUserOf;
use crate::socketio::session::SocketSession;
use crate::{AuthorizeError, Authorizer, Failure, Session};

/// A session that changes faster than it can be loaded is not one that anybody can be let in with.
const ATTEMPTS: usize = 3;

/// The connect middleware of [`Authorizer::required`] and [`Authorizer::optional`], for any adapter.
pub struct Gate<U> {
    auth: Authorizer<U>,
    guests: bool,
}

/// Tells our implementation of the host's trait from its closures.
#[derive(Clone, Copy, Debug)]
pub enum GateMarker {}

impl<U: Send + Sync + 'static> Authorizer<U> {
    /// Members only: a connect middleware that refuses whoever is not logged in.
    ///
    /// ```
    /// # use passport_socketio::{Auth, Authorizer, store::MemoryStore};
    /// # use socketioxide::{SocketIo, extract::SocketRef, handler::ConnectHandler};
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// async fn on_connect(socket: SocketRef, user: Auth<i64>) {}
    ///
    /// let (_layer, io) = SocketIo::new_layer();
    /// io.ns("/", on_connect.with(auth.required()));
    /// ```
    pub fn required(&self) -> Gate<U> {
        Gate { auth: self.clone(), guests: false }
    }

    /// Guests too: who is not logged in comes in as a guest. Foreign origins and errors are refused.
    ///
    /// ```
    /// # use passport_socketio::{MaybeAuth, Authorizer, store::MemoryStore};
    /// # use socketioxide::{SocketIo, extract::SocketRef, handler::ConnectHandler};
    /// # let auth = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id))).build().unwrap();
    /// // Take `MaybeAuth`: a handler that takes `Auth` is not run for guests.
    /// async fn on_connect(socket: SocketRef, user: MaybeAuth<i64>) {}
    ///
    /// let (_layer, io) = SocketIo::new_layer();
    /// io.ns("/lobby", on_connect.with(auth.optional()));
    /// ```
    pub fn optional(&self) -> Gate<U> {
        Gate { auth: self.clone(), guests: true }
    }
}

impl<A: Adapter, U: Send + Sync + 'static> ConnectMiddleware<A, GateMarker> for Gate<U> {
    async fn call<'a>(
        &'a self,
        socket: Arc<Socket<A>>,
        _: &'a Option<Value>,
    ) -> Result<(), Box<dyn fmt::Display + Send>> {
        let settings = self.auth.handshake_settings();
        before_connect(&socket, settings).await;
        let admitted = self.admit(&socket).await;
        after_connect(&socket, settings, admitted.is_ok());
        admitted.map_err(|message| Box::new(message) as _)
    }
}

impl<U: Send + Sync + 'static> Gate<U> {
    /// Lets the socket in, as a user or as a guest. The error is what the client reads.
    async fn admit<A: Adapter>(&self, socket: &Arc<Socket<A>>) -> Result<(), Cow<'static, str>> {
        let request = socket.req_parts();
        if let Err(limited) = self.auth.count_connect(request) {
            return self.refuse(socket, limited.into());
        }
        let handed_over = Handover::take(request, &self.auth);
        let mut next = match handed_over {
            Some(attempt) => Some(attempt),
            None => Some(self.auth.attempt(request).await),
        };
        for _ in 0..ATTEMPTS {
            let attempt = match next.take() {
                Some(attempt) => attempt,
                None => self.auth.attempt_again(request).await,
            };
            let (identity, registration) = match attempt.outcome {
                Ok(granted) => granted,
                Err(failure) => return self.refuse(socket, failure),
            };
            if let Err(rejected) = self.auth.decider().admit(&identity, socket.ns()).await {
                // The app has spoken: as in the original, `fail` is not asked about it.
                let text = rejected.client_message();
                log::refused(&rejected.into(), socket.ns());
                return Err(text);
            }
            let settings = self.auth.live_settings();
            let host = Host::of(socket);
            let live = LiveSocket::new(&identity, socket.ns(), socket.id, host, settings);
            let session = identity.session();
            let due = self.auth.keeper().next_look(session.ends());
            let membership = match registration.activate(live, due, settings.limit) {
                Ok(membership) => membership,
                Err(NotEntered::Stale) => continue,
                Err(NotEntered::Revoked) => {
                    return self.refuse(socket, Denial::SessionNotFound.into());
                }
                Err(NotEntered::TooMany) => {
                    return self.refuse(socket, Denial::TooManyConnections.into());
                }
            };
            Handover::bind(socket.req_parts(), &self.auth, session);
            let live = membership.socket().clone();
            SocketSession::of_member(live.login().clone()).enter(socket);
            socket.extensions.insert(LiveUserOf::from(membership));
            socket.join([user_room(identity.user_key()), session_room(session.id())]);
            if live.has_ended() {
                // In this very moment. The host takes a refused socket out of its rooms.
                let ended = Failure::from(Denial::SessionNotFound);
                log::refused(&ended, socket.ns());
                return Err(ended.client_message());
            }
            if let Some(age) = self.auth.max_connection_age() {
                tokio::spawn(end_at_age(Arc::downgrade(&live), age));
            }
            log::granted(&identity, socket.ns());
            return Ok(());
        }
        let error = StoreError::message("the session changed each time it was loaded");
        self.refuse(socket, AuthorizeError::StoreUnavailable(error).into())
    }

    /// Refuses, unless this namespace or the `fail` hook makes a guest of it.
    fn refuse<A: Adapter>(
        &self,
        socket: &Socket<A>,
        failure: Failure,
    ) -> Result<(), Cow<'static, str>> {
        let verdict = if failure.allows_guest() && self.guests {
            Answer::Guest
        } else {
            self.auth.decider().verdict(&failure).0
        };
        match verdict {
            Answer::Guest if failure.allows_guest() => {
                log::guest(&failure, socket.ns());
                if let Some(session) = session_of_guest(failure) {
                    SocketSession::of_guest(session).enter(socket);
                }
                return Ok(());
            }
            _ => log::refused(&failure, socket.ns()),
        }
        match verdict {
            Answer::RefuseWith(text) => Err(text),
            Answer::Refuse | Answer::Guest => Err(failure.client_message()),
        }
    }
}

/// For sessions that nobody can end from outside.
async fn end_at_age<U>(socket: Weak<LiveSocket<U>>, age: Duration) {
    sleep(age).await;
    if let Some(socket) = socket.upgrade() {
        socket.end(EndReason::ConnectionAge);
    }
}

/// A guest may have a session without a user in it.
fn session_of_guest(failure: Failure) -> Option<Session> {
    match failure {
        Failure::Denied(Denial::NotLoggedIn { session }) => Some(session),
        _ => None,
    }
}

impl<U> Clone for Gate<U> {
    fn clone(&self) -> Self {
        Self { auth: self.auth.clone(), guests: self.guests }
    }
}

impl<U> fmt::Debug for Gate<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("guests", &self.guests).finish_non_exhaustive()
    }
}
