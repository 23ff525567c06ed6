//! The session, in a handler's arguments.

use std::convert::Infallible;
use std::sync::Arc;

use socketioxide::adapter::Adapter;
use socketioxide::handler::{FromConnectParts, FromDisconnectParts, FromMessageParts, Value};
use socketioxide::socket::{DisconnectReason, Socket};

use crate::Session;

/// The socket's session, in its extensions. `None` for a guest without one.
#[derive(Clone)]
pub(super) struct SocketSession(pub(super) Option<Session>);

fn find<A: Adapter>(socket: &Socket<A>) -> Option<Session> {
    socket.extensions.get::<SocketSession>()?.0
}

/// The socket's session, if it has one: users do, guests may (an anonymous session). Never fails to
/// extract, so disconnect handlers can take it.
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

/// There is no session behind the socket. A client that reads it reads `unauthorized`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unauthorized")]
pub struct NoSession;

impl<A: Adapter> FromConnectParts<A> for Session {
    type Error = NoSession;

    fn from_connect_parts(socket: &Arc<Socket<A>>, _: &Option<Value>) -> Result<Self, NoSession> {
        find(socket).ok_or(NoSession)
    }
}

impl<A: Adapter> FromMessageParts<A> for Session {
    type Error = NoSession;

    fn from_message_parts(
        socket: &Arc<Socket<A>>,
        _: &mut Value,
        _: &Option<i64>,
    ) -> Result<Self, NoSession> {
        find(socket).ok_or(NoSession)
    }
}

impl<A: Adapter> FromConnectParts<A> for MaybeSession {
    type Error = Infallible;

    fn from_connect_parts(socket: &Arc<Socket<A>>, _: &Option<Value>) -> Result<Self, Infallible> {
        Ok(Self(find(socket)))
    }
}

impl<A: Adapter> FromMessageParts<A> for MaybeSession {
    type Error = Infallible;

    fn from_message_parts(
        socket: &Arc<Socket<A>>,
        _: &mut Value,
        _: &Option<i64>,
    ) -> Result<Self, Infallible> {
        Ok(Self(find(socket)))
    }
}

impl<A: Adapter> FromDisconnectParts<A> for MaybeSession {
    type Error = Infallible;

    fn from_disconnect_parts(
        socket: &Arc<Socket<A>>,
        _: DisconnectReason,
    ) -> Result<Self, Infallible> {
        Ok(Self(find(socket)))
    }
}
