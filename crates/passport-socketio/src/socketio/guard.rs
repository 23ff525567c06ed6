//! The guard of a single event, for handlers that do not ask who it is.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use socketioxide::adapter::Adapter;
use socketioxide::handler::{MessageHandler, Value};
use socketioxide::socket::Socket;

use super::logins::SocketLogins;

/// A message handler that is not run once the login has ended. Made by [`Authorizer::guard`](crate::Authorizer::guard).
pub struct Guard<H, U> {
    handler: H,
    user: PhantomData<fn() -> U>,
}

impl<H, U> Guard<H, U> {
    pub(crate) fn new(handler: H) -> Self {
        Self { handler, user: PhantomData }
    }
}

impl<A, T, H, U> MessageHandler<A, T> for Guard<H, U>
where
    A: Adapter,
    H: MessageHandler<A, T>,
    U: Send + Sync + 'static,
{
    fn call(&self, socket: Arc<Socket<A>>, value: Value, ack_id: Option<i64>) {
        if let Some(logins) = SocketLogins::<U>::find(&socket) {
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
