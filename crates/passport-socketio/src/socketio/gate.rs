//! The connect middleware: who is not granted does not reach the namespace.
//!
//! 1. It is counted, where there is a limit. The layer's answer is used, once, while it is fresh;
//!    else the session is looked up. Who has come through the layer waits for that, if there is a
//!    crowd.
//! 2. `success` is asked.
//! 3. The socket is entered into the live sessions, if the session has not changed meanwhile, and the
//!    store's answer has not become old: else it is looked up again, and all starts over unless it was
//!    only touched.
//! 4. It joins its user's and its session's room.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Weak};
use std::time::Duration;

use express_session::store::StoreError;
use http::request::Parts;
use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::handler::{ConnectMiddleware, FromConnectParts as _, Value};
use socketioxide::socket::Socket;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use super::claim::Claim;
use super::context::GateContext;
use super::end::WeakSocket;
use super::logins::SocketLogins;
use super::refused::{after_connect, before_connect};
use super::retries::Retries;
use super::session::SocketSession;
use crate::authorizer::AnswerAge;
use crate::handshake::{Connection, HandedOver, Handover};
use crate::live::{LiveSocket, NotEntered, OngoingHandshake, Registration, SocketEnd};
use crate::lookup::{LookedUp, SessionLookup};
use crate::model::{Answer, AuthorizeError, Denial, EndReason, Failure, Identity, Session};
use crate::mutant::Mutant;
use crate::observe::{Observer, Subject, events};

/// How long who was let through by the layer waits for another look, while there are too many: as long
/// as an official client waits for its connection. Refused here it would not come back by itself.
const CROWD: Duration = Duration::from_secs(20);
/// How often it asks for that, about.
const TURN: Duration = Duration::from_millis(500);
/// Changes come in bursts: an app writes a session several times in a row.
const PAUSE: Duration = Duration::from_millis(5);

/// The connect middleware of [`Authorizer::required`](crate::Authorizer::required) and
/// [`Authorizer::optional`](crate::Authorizer::optional), for any adapter.
pub struct Gate<U> {
    context: Arc<GateContext<U>>,
    guests: bool,
}

/// Held by a socket for as long as it is in its rooms.
struct Claimed<U>(Arc<Claim>, PhantomData<fn() -> U>);

impl<U> Clone for Claimed<U> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

/// Tells our implementation of the host's trait from its closures.
#[derive(Clone, Copy, Debug)]
pub enum GateMarker {}

impl<U> Gate<U> {
    /// Without guests: [`Authorizer::required`](crate::Authorizer::required).
    pub(crate) fn required(context: Arc<GateContext<U>>) -> Self {
        Self { context, guests: false }
    }

    /// With guests: [`Authorizer::optional`](crate::Authorizer::optional).
    pub(crate) fn optional(context: Arc<GateContext<U>>) -> Self {
        Self { context, guests: true }
    }

    fn lookup(&self) -> &SessionLookup<U> {
        &self.context.handshake.lookup
    }

    fn observer(&self) -> &Observer {
        self.lookup().observer()
    }
}

impl<A: Adapter, U: Send + Sync + 'static> ConnectMiddleware<A, GateMarker> for Gate<U> {
    async fn call<'a>(
        &'a self,
        socket: Arc<Socket<A>>,
        _: &'a Option<Value>,
    ) -> Result<(), Box<dyn fmt::Display + Send>> {
        self.context.check_setup(&socket);
        let settings = &self.context.handshake.settings;
        // Before anything is waited for: what is revoked from here on is refused.
        let handshake = self.lookup().live().registry().begin_handshake();
        before_connect(&socket, settings).await;
        let handshake = self.begun(handshake);
        let admitting = self.admit_claimed(&socket, handshake);
        let admitted = admitting.instrument(events::connect_span(socket.ns())).await;
        after_connect(&socket, settings, admitted.is_ok());
        admitted.map_err(|message| Box::new(message) as _)
    }
}

impl<U: Send + Sync + 'static> Gate<U> {
    /// Lets nobody in whose rooms could be another user's, or would not be found on other nodes.
    async fn admit_claimed<A: Adapter>(
        &self,
        socket: &Arc<Socket<A>>,
        handshake: OngoingHandshake<U>,
    ) -> Result<(), Cow<'static, str>> {
        let Ok(io) = SocketIo::from_connect_parts(socket, &None);
        let claim = Claim::on(&io, &self.context.scope).map_err(|error| {
            self.context.warn_not_attached(&error);
            "server_error"
        })?;
        self.admit(socket, handshake).await?;
        if let Some(claim) = claim {
            socket.extensions.insert(Claimed(Arc::new(claim), PhantomData::<fn() -> U>));
        }
        Ok(())
    }

    /// Lets the socket in, as a user or as a guest. The error is what the client reads.
    async fn admit<A: Adapter>(
        &self,
        socket: &Arc<Socket<A>>,
        handshake: OngoingHandshake<U>,
    ) -> Result<(), Cow<'static, str>> {
        let request = socket.req_parts();
        let mut subject = Subject::of_socket(request, socket.ns(), socket.id.into());
        if let Some(failure) = cut_meanwhile(request).await {
            return self.refuse(socket, &subject, failure);
        }
        if let Err(limited) = self.lookup().count_connect(request) {
            return self.refuse(socket, &subject, limited.into());
        }
        let (handshake, mut found) = match Handover::take(request, &self.context.handshake) {
            HandedOver::Fresh(handshake, found) => (handshake, *found),
            // It was counted.
            HandedOver::Stale(begun) => {
                let found = self.look_up_in_a_crowd(request).await;
                (self.begun(begun.unwrap_or(handshake)), found)
            }
            HandedOver::Nothing => (handshake, self.lookup().first(request, None).await),
        };
        let (mut before, mut retries) =
            (None::<(Identity<U>, Registration<U>)>, Retries::default());
        loop {
            if let Some(session) = &found.session {
                events::located(session);
            }
            subject = subject.with_session(found.session);
            let age = found.age;
            let (identity, mut registration) = match found.outcome {
                Ok(granted) => granted,
                Err(failure) => return self.refuse(socket, &subject, failure),
            };
            subject = subject.with_user(identity.user_key());
            let known = before.as_ref().filter(|(before, _)| before.has_user_of(&identity));
            if let Some((_, earlier)) = known {
                registration.has_user_of(earlier);
            }
            if known.is_none()
                && let Err(failure) = self.lookup().decider().admit(&identity, socket.ns()).await
            {
                if failure.is_error() {
                    return self.refuse(socket, &subject, failure);
                }
                // The app has spoken: as in the original, `fail` is not asked about it.
                self.observer().refused(&subject, &failure);
                return Err(failure.client_message());
            }
            if let Some(failure) = cut_meanwhile(request).await {
                return self.refuse(socket, &subject, failure);
            }
            let is_old = age.is_old(self.lookup().live().settings().max_stale);
            let entered = if is_old && !Mutant::OldAnswers.is_here() {
                Err(NotEntered::Old)
            } else {
                self.enter(socket, &subject, &identity, age, &handshake, &registration)
            };
            let may_go_on = retries.may_go_on(&entered);
            let error;
            (before, error) = match entered {
                Ok(entered) => return entered,
                Err(NotEntered::Stale) => {
                    (Some((identity, registration)), AuthorizeError::SessionKeepsChanging)
                }
                Err(NotEntered::Old) => {
                    (Some((identity, registration)), AuthorizeError::AnswerTooOld)
                }
                Err(NotEntered::OldUser) => (None, AuthorizeError::SessionKeepsChanging),
                Err(NotEntered::CutOff) => {
                    return self.refuse(socket, &subject, AuthorizeError::CutOff.into());
                }
                Err(NotEntered::Revoked) => {
                    return self.refuse(socket, &subject, Denial::Revoked.into());
                }
                Err(NotEntered::TooMany) => {
                    return self.refuse(socket, &subject, Denial::TooManyConnections.into());
                }
            };
            if !may_go_on {
                return self.refuse(socket, &subject, error.into());
            }
            sleep(PAUSE).await;
            let identity = before.as_ref().map(|(identity, _)| identity);
            found = self.lookup().again(request, identity).await;
        }
    }

    /// The handshake that has begun.
    fn begun(&self, handshake: OngoingHandshake<U>) -> OngoingHandshake<U> {
        if Mutant::ManyBeginnings.is_here() {
            self.lookup().live().registry().begin_handshake()
        } else {
            handshake
        }
    }

    /// One more look, for who has had one at the door.
    async fn look_up_in_a_crowd(&self, request: &Parts) -> LookedUp<U> {
        let began = Instant::now();
        loop {
            let found = self.lookup().again(request, None).await;
            let is_crowded =
                matches!(found.outcome, Err(Failure::Error(AuthorizeError::Overloaded)));
            if !is_crowded || began.elapsed() > CROWD {
                return found;
            }
            sleep(TURN.mul_f64(0.5 + fastrand::f64())).await;
        }
    }

    /// Makes a live socket of it, and takes it to its rooms.
    fn enter<A: Adapter>(
        &self,
        socket: &Arc<Socket<A>>,
        subject: &Subject<'_>,
        identity: &Identity<U>,
        age: AnswerAge,
        handshake: &OngoingHandshake<U>,
        registration: &Registration<U>,
    ) -> Result<Result<(), Cow<'static, str>>, NotEntered> {
        let sessions = self.lookup().live();
        let settings = sessions.settings();
        let live = sessions
            .socket(identity, socket.ns(), socket.id.into(), WeakSocket::of(socket))
            .with_peer(subject.peer())
            .known_since(age.asked());
        let session = identity.session();
        let due = sessions.keeper().next_check(age.asked(), session.ends());
        let mut membership = registration.activate(handshake, live, due, settings.limit)?;
        Handover::bind(socket.req_parts(), &self.context.handshake, session);
        let live = membership.socket().clone();
        if let Some(age) = settings.max_connection_age {
            // Where the connection will be closed, its own age counts, however often its client
            // connects to its namespaces.
            let connection = Connection::of(socket.req_parts()).filter(|it| it.can_be_cut());
            let age = connection.map_or(age, |it| age.saturating_sub(it.opened().elapsed()));
            membership.ends_with(tokio::spawn(end_at_age(Arc::downgrade(&live), age)));
        }
        SocketLogins::enter(membership, socket);
        let scope = &self.context.scope;
        let session_room = scope.session_room(&session.id().hash());
        socket.join([scope.user_room(identity.user_key()), session_room]);
        if let Some(end) = SocketSession::end(socket) {
            // In this very moment; or at another gate, while this one looked. The host takes a refused
            // socket out of its rooms.
            let ended = ended_at_once(end, self.lookup().live().registry().is_cut_off());
            self.observer().refused(subject, &ended);
            return Ok(Err(ended.client_message()));
        }
        self.observer().granted(subject);
        Ok(Ok(()))
    }

    /// Refuses, unless this namespace or the `fail` hook makes a guest of it.
    fn refuse<A: Adapter>(
        &self,
        socket: &Socket<A>,
        subject: &Subject<'_>,
        failure: Failure,
    ) -> Result<(), Cow<'static, str>> {
        let verdict = if failure.allows_guest() && self.guests {
            Answer::Guest
        } else {
            self.lookup().decider().verdict(&failure).0
        };
        match verdict {
            Answer::Guest if failure.allows_guest() => {
                // Who was let in at another gate, and whose login has ended since, is no guest either.
                if let Some(end) = SocketSession::end(socket) {
                    let ended = ended_at_once(end, self.lookup().live().registry().is_cut_off());
                    self.observer().refused(subject, &ended);
                    return Err(ended.client_message());
                }
                self.observer().guest(subject, &failure);
                if let Some(session) = session_of_guest(failure) {
                    SocketSession::enter_guest(socket, session);
                }
                return Ok(());
            }
            _ => self.observer().refused(subject, &failure),
        }
        match verdict {
            Answer::RefuseWith(text) => Err(text),
            Answer::Refuse | Answer::Guest => Err(failure.client_message()),
        }
    }
}

/// Why nobody is let in on a connection that is being cut.
async fn cut_meanwhile(request: &Parts) -> Option<Failure> {
    let end = Connection::of(request)?.is_cut_with().await?;
    Some(Denial::LoginEnded { end }.into())
}

/// Why a socket is refused whose login ended in the moment in which it was connected.
fn ended_at_once(end: SocketEnd, is_cut_off: bool) -> Failure {
    let reason = match end {
        SocketEnd::LoginEnded(reason) => reason,
        SocketEnd::SocketLeft => return Denial::LoginEnded { end: "left" }.into(),
    };
    match reason {
        EndReason::Revoked => Denial::Revoked.into(),
        EndReason::StoreUnavailable => {
            AuthorizeError::StoreUnavailable(StoreError::message("it stayed away")).into()
        }
        // Whether the login stands: that is no denial.
        EndReason::CouldNotTell if is_cut_off => AuthorizeError::CutOff.into(),
        EndReason::CouldNotTell => AuthorizeError::AnswerTooOld.into(),
        EndReason::LoggedOut
        | EndReason::Expired
        | EndReason::UserChanged
        | EndReason::ConnectionAge
        | EndReason::Rejected
        | EndReason::Evicted => Denial::LoginEnded { end: reason.code() }.into(),
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
        Self { context: self.context.clone(), guests: self.guests }
    }
}

impl<U> fmt::Debug for Gate<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("guests", &self.guests).finish_non_exhaustive()
    }
}
