//! The user, or a guest, in a handler's arguments.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use socketioxide::adapter::Adapter;
use socketioxide::handler::{FromConnectParts, FromDisconnectParts, FromMessageParts, Value};
use socketioxide::socket::{DisconnectReason, Socket};

use super::NotAuthorized;
use super::logins::{Logins, SocketLogins};
use crate::model::Identity;

/// The user behind the socket, if there is one: for namespaces that let guests in, and for
/// disconnect handlers.
///
/// Never fails to extract for a guest, nor in a disconnect handler, where it still tells who it was
/// (and where a failing extractor would make the host leak the socket). In connect and message
/// handlers it fails once the login has ended, so that no handler is run any more.
///
/// ```
/// # struct User { name: String }
/// use passport_socketio::MaybeAuth;
/// use socketioxide::extract::SocketRef;
///
/// async fn on_connect(socket: SocketRef, user: MaybeAuth<User>) {
///     let name = user.user().map_or("guest", |user| &user.name);
///     socket.emit("welcome", name).ok();
///     socket.on_disconnect(async |user: MaybeAuth<User>| {
///         if let Some(user) = user.user() {
///             println!("{} left", user.name);
///         }
///     });
/// }
/// ```
pub struct MaybeAuth<U>(Option<Member<U>>);

struct Member<U> {
    logins: Logins<U>,
    identity: Identity<U>,
}

impl<U: Send + Sync + 'static> MaybeAuth<U> {
    /// The user behind any socket, such as those of [`SocketIo::sockets`](socketioxide::SocketIo::sockets).
    pub fn of<A: Adapter>(socket: &Socket<A>) -> Self {
        Self(SocketLogins::find(socket).map(|logins: Logins<U>| {
            let identity = logins.identity();
            Member { logins, identity }
        }))
    }
}

impl<U> MaybeAuth<U> {
    /// The user, or `None` for a guest.
    pub fn user(&self) -> Option<&U> {
        self.identity().map(Identity::user)
    }

    /// The user with their session, or `None` for a guest.
    pub fn identity(&self) -> Option<&Identity<U>> {
        self.0.as_ref().map(|member| &member.identity)
    }

    /// Whether somebody is logged in: the original's `socket.request.user.logged_in`. `false` once
    /// the login has ended.
    pub fn logged_in(&self) -> bool {
        self.0.as_ref().is_some_and(|member| !member.logins.has_ended())
    }
}

impl<U> Clone for MaybeAuth<U> {
    fn clone(&self) -> Self {
        let member = self.0.as_ref();
        Self(member.map(|Member { logins, identity }| Member {
            logins: logins.clone(),
            identity: identity.clone(),
        }))
    }
}

impl<U> fmt::Debug for MaybeAuth<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MaybeAuth").field(&self.identity()).finish()
    }
}

fn extract<A: Adapter, U: Send + Sync + 'static>(
    socket: &Socket<A>,
) -> Result<MaybeAuth<U>, NotAuthorized> {
    let user = MaybeAuth::of(socket);
    match &user.0 {
        Some(member) if member.logins.has_ended() => Err(NotAuthorized),
        _ => Ok(user),
    }
}

impl<A: Adapter, U: Send + Sync + 'static> FromConnectParts<A> for MaybeAuth<U> {
    type Error = NotAuthorized;

    fn from_connect_parts(
        socket: &Arc<Socket<A>>,
        _: &Option<Value>,
    ) -> Result<Self, NotAuthorized> {
        extract(socket)
    }
}

impl<A: Adapter, U: Send + Sync + 'static> FromMessageParts<A> for MaybeAuth<U> {
    type Error = NotAuthorized;

    fn from_message_parts(
        socket: &Arc<Socket<A>>,
        _: &mut Value,
        _: &Option<i64>,
    ) -> Result<Self, NotAuthorized> {
        let user = extract(socket)?;
        if let Some(member) = &user.0 {
            member.logins.were_active();
        }
        Ok(user)
    }
}

impl<A: Adapter, U: Send + Sync + 'static> FromDisconnectParts<A> for MaybeAuth<U> {
    type Error = Infallible;

    fn from_disconnect_parts(
        socket: &Arc<Socket<A>>,
        _: DisconnectReason,
    ) -> Result<Self, Infallible> {
        Ok(Self::of(socket))
    }
}
