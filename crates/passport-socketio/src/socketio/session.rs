//! The session, in a handler's arguments.

use std::convert::Infallible;
use std::sync::Arc;

use socketioxide::adapter::Adapter;
use socketioxide::handler::{FromConnectParts, FromDisconnectParts, FromMessageParts, Value};
use socketioxide::socket::{DisconnectReason, Socket};

use crate::live::{Login, SocketEnd};
use crate::model::Session;
use crate::mutant::Mutant;

/// The socket's session, in its extensions.
#[derive(Clone)]
pub(super) enum SocketSession {
    Guest(Session),
    /// One for each authorizer that let it in.
    Members(Vec<Arc<Login>>),
}

impl SocketSession {
    /// Where two authorizers guard one namespace, a member's session counts before a guest's, and
    /// else the first.
    pub(super) fn enter_guest<A: Adapter>(socket: &Socket<A>, session: Session) {
        if socket.extensions.get::<Self>().is_none() {
            socket.extensions.insert(Self::Guest(session));
        }
    }

    /// One more login, or one in another's place.
    pub(super) fn enter_member<A: Adapter>(
        socket: &Socket<A>,
        login: &Arc<Login>,
        replaced: Option<&Arc<Login>>,
    ) {
        let mut logins = match socket.extensions.get::<Self>() {
            Some(Self::Members(logins)) => logins,
            Some(Self::Guest(_)) | None => Vec::new(),
        };
        let is_replaced =
            |other: &&mut Arc<Login>| replaced.is_some_and(|it| Arc::ptr_eq(it, other));
        match logins.iter_mut().find(is_replaced) {
            Some(place) => *place = login.clone(),
            None => logins.push(login.clone()),
        }
        socket.extensions.insert(Self::Members(logins));
    }

    /// Why it is over, if a login behind the socket has ended, at whichever authorizer.
    pub(super) fn end<A: Adapter>(socket: &Socket<A>) -> Option<SocketEnd> {
        match socket.extensions.get()? {
            Self::Guest(_) => None,
            Self::Members(logins) if Mutant::SecondTakesFirst.is_here() => logins.last()?.end(),
            Self::Members(logins) => logins.iter().find_map(|login| login.end()),
        }
    }

    /// Whether any login has ended: the socket ends with it.
    fn has_ended(&self) -> bool {
        matches!(self, Self::Members(logins) if logins.iter().any(|login| login.has_ended()))
    }

    fn into_session(self) -> Option<Session> {
        match self {
            Self::Guest(session) => Some(session),
            Self::Members(logins) => logins.first().map(|login| login.session()),
        }
    }
}

/// `Err` once the login has ended.
fn find<A: Adapter>(socket: &Socket<A>) -> Result<Option<Session>, NoSession> {
    match socket.extensions.get::<SocketSession>() {
        Some(found) if found.has_ended() => Err(NoSession),
        found => Ok(found.and_then(SocketSession::into_session)),
    }
}

fn note_activity<A: Adapter>(socket: &Socket<A>) {
    if let Some(SocketSession::Members(logins)) = socket.extensions.get() {
        for login in &logins {
            login.was_active();
        }
    }
}

/// The socket's session, if it has one: users do, guests may (an anonymous session).
///
/// Never fails to extract in a disconnect handler. Elsewhere it fails once the login has ended, so
/// that no handler is run any more. Where two authorizers guard one namespace, it is a member's
/// session before a guest's; [`Auth::session`](crate::Auth::session) is always that user's.
///
/// ```
/// use passport_socketio::MaybeSession;
/// use socketioxide::extract::SocketRef;
///
/// async fn on_connect(socket: SocketRef, session: MaybeSession) {
///     let views: u32 = session.0.and_then(|session| session.get("/views")).unwrap_or(0);
///     socket.emit("views", &views).ok();
/// }
/// ```
#[derive(Clone, Debug)]
pub struct MaybeSession(pub Option<Session>);

/// There is no session behind the socket, or its login has ended. A client that reads it reads `unauthorized`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unauthorized")]
pub struct NoSession;

impl<A: Adapter> FromConnectParts<A> for Session {
    type Error = NoSession;

    fn from_connect_parts(socket: &Arc<Socket<A>>, _: &Option<Value>) -> Result<Self, NoSession> {
        find(socket)?.ok_or(NoSession)
    }
}

impl<A: Adapter> FromMessageParts<A> for Session {
    type Error = NoSession;

    fn from_message_parts(
        socket: &Arc<Socket<A>>,
        _: &mut Value,
        _: &Option<i64>,
    ) -> Result<Self, NoSession> {
        let session = find(socket)?.ok_or(NoSession)?;
        note_activity(socket);
        Ok(session)
    }
}

impl MaybeSession {
    /// The session of any socket, such as those of [`SocketIo::sockets`](socketioxide::SocketIo::sockets).
    pub fn of<A: Adapter>(socket: &Socket<A>) -> Self {
        Self(socket.extensions.get::<SocketSession>().and_then(SocketSession::into_session))
    }
}

impl<A: Adapter> FromConnectParts<A> for MaybeSession {
    type Error = NoSession;

    fn from_connect_parts(socket: &Arc<Socket<A>>, _: &Option<Value>) -> Result<Self, NoSession> {
        find(socket).map(Self)
    }
}

impl<A: Adapter> FromMessageParts<A> for MaybeSession {
    type Error = NoSession;

    fn from_message_parts(
        socket: &Arc<Socket<A>>,
        _: &mut Value,
        _: &Option<i64>,
    ) -> Result<Self, NoSession> {
        let session = find(socket)?;
        note_activity(socket);
        Ok(Self(session))
    }
}

impl<A: Adapter> FromDisconnectParts<A> for MaybeSession {
    type Error = Infallible;

    fn from_disconnect_parts(
        socket: &Arc<Socket<A>>,
        _: DisconnectReason,
    ) -> Result<Self, Infallible> {
        Ok(Self::of(socket))
    }
}
