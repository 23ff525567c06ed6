//! The guard of a single event, for handlers that do not ask who it is.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use socketioxide::adapter::Adapter;
use socketioxide::handler::{MessageHandler, Value};
use socketioxide::socket::Socket;

use super::logins::LiveUserOf;
use crate::Authorizer;

/// A message handler that is not run once the login has ended. Made by [`Authorizer::guard`].
pub struct Guard<H, U> {
    handler: H,
    user: PhantomData<fn() -> U>,
}

impl<U: Send + Sync + 'static> Authorizer<U> {
    /// Runs `handler` only while the login stands behind the socket.
    ///
    /// Handlers that take [`Auth`](crate::Auth), [`MaybeAuth`](crate::MaybeAuth) or
    /// [`Session`](crate::Session) are guarded by that already. Guests have no login that could end:
    /// where they are let in, the handler is run for them.
    ///
    /// ```
    /// # use passport_socketio::Authorizer;
    /// # use socketioxide::extract::{Data, SocketRef};
    /// # fn on_connect(auth: &Authorizer<i64>, socket: SocketRef) {
    /// socket.on("typing", auth.guard(async |socket: SocketRef, Data::<String>(room)| {
    ///     socket.to(room).emit("typing", &()).await.ok();
    /// }));
    /// # }
    /// ```
    pub fn guard<H>(&self, handler: H) -> Guard<H, U> {
        Guard { handler, user: PhantomData }
    }
}

impl<A, T, H, U> MessageHandler<A, T> for Guard<H, U>
where
    A: Adapter,
    H: MessageHandler<A, T>,
    U: Send + Sync + 'static,
{
    fn call(&self, socket: Arc<Socket<A>>, value: Value, ack_id: Option<i64>) {
        if let Some(logins) = LiveUserOf::<U>::find(&socket) {
            if logins.has_ended() {
                return;
            }
            logins.were_active();
        }
        self.handler.call(socket, value, ack_id);
    }
}

impl<H, U> fmt::Debug for Guard<H, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
