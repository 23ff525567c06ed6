//! The user, in a handler's arguments.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use socketioxide::adapter::Adapter;
use socketioxide::handler::{FromConnectParts, FromMessageParts, Value};
use socketioxide::socket::Socket;

use super::logins::{Logins, SocketLogins};
use crate::model::{Identity, Session, UserKey};

/// The user behind the socket. Derefs to your user.
///
/// For connect and message handlers. A handler that takes it is not run for guests, and not once
/// the login has ended. (For disconnect handlers, and where guests are welcome, take
/// [`MaybeAuth`](crate::MaybeAuth).)
///
/// ```
/// # struct User { name: String }
/// use passport_socketio::Auth;
/// use socketioxide::extract::{AckSender, SocketRef};
///
/// async fn on_connect(socket: SocketRef, user: Auth<User>) {
///     socket.emit("welcome", &user.name).ok();
///     socket.on("whoami", async |user: Auth<User>, ack: AckSender| {
///         ack.send(&user.name).ok();
///     });
/// }
/// ```
pub struct Auth<U> {
    logins: Logins<U>,
    identity: Identity<U>,
}

impl<U> Auth<U> {
    /// Whether the login still stands and the socket is connected. A handler that takes its time
    /// asks again before it acts.
    pub fn is_live(&self) -> bool {
        self.logins.is_live()
    }

    /// The user with their session, as they were when the handler was called.
    pub fn identity(&self) -> &Identity<U> {
        &self.identity
    }

    /// What the user is addressed by.
    pub fn user_key(&self) -> &UserKey {
        self.identity().user_key()
    }

    /// The session they are logged in to.
    pub fn session(&self) -> &Session {
        self.identity().session()
    }
}

impl<U> Deref for Auth<U> {
    type Target = U;

    fn deref(&self) -> &U {
        self.identity().user()
    }
}

impl<U> Clone for Auth<U> {
    fn clone(&self) -> Self {
        Self { logins: self.logins.clone(), identity: self.identity.clone() }
    }
}

impl<U> fmt::Debug for Auth<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Auth").field(self.identity()).finish()
    }
}

/// There is no logged-in user behind the socket. A client that reads it reads `unauthorized`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unauthorized")]
pub struct NotAuthorized;

fn extract<A: Adapter, U: Send + Sync + 'static>(
    socket: &Socket<A>,
) -> Result<Auth<U>, NotAuthorized> {
    let logins = SocketLogins::find(socket).ok_or(NotAuthorized)?;
    let identity = logins.identity();
    // The flag last: what was read before it is then of a login that still stood.
    if logins.has_ended() { Err(NotAuthorized) } else { Ok(Auth { logins, identity }) }
}

impl<A: Adapter, U: Send + Sync + 'static> FromConnectParts<A> for Auth<U> {
    type Error = NotAuthorized;

    fn from_connect_parts(
        socket: &Arc<Socket<A>>,
        _: &Option<Value>,
    ) -> Result<Self, NotAuthorized> {
        extract(socket)
    }
}

impl<A: Adapter, U: Send + Sync + 'static> FromMessageParts<A> for Auth<U> {
    type Error = NotAuthorized;

    fn from_message_parts(
        socket: &Arc<Socket<A>>,
        _: &mut Value,
        _: &Option<i64>,
    ) -> Result<Self, NotAuthorized> {
        let auth = extract(socket)?;
        auth.logins.were_active();
        Ok(auth)
    }
}
