//! What becomes of a connection before it has a socket.

use std::time::Duration;

use super::AuthorizerBuilder;
#[cfg(doc)]
use crate::Authorizer;

impl<U: Send + Sync + 'static> AuthorizerBuilder<U> {
    /// Refuses at HTTP level whoever checks 1 to 11 did not let in: for servers without guests. A
    /// refused client costs no socket. Needs the [layer](Authorizer::layer).
    ///
    /// `fail` is asked first: whom it makes a guest goes on, and is asked about again in each
    /// namespace. (An [`optional`](Authorizer::optional) namespace is not known yet, so that its
    /// guests are refused, too.) The answer is 401, 403, 500 or 503 with `{"code": …}`: the word that
    /// `connect_error.message` would have been. A text of `fail`'s own is not sent.
    ///
    /// Official clients of version 4 find the status in `connect_error`'s `description` and the body
    /// in its `context.responseText` (polling; a WebSocket's refusal has neither), and try again by
    /// themselves until they are told to stop. Without this, a refused client of theirs waits until
    /// its code calls `connect()`.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// let auth = Authorizer::<i64>::builder()
    ///     .refuse_at_http()
    /// #   .secret("s").store(MemoryStore::for_tests())
    /// #   .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)))
    ///     .build()?;
    /// # Ok::<(), passport_socketio::ConfigError>(())
    /// ```
    pub fn refuse_at_http(mut self) -> Self {
        self.handshake.refuse_at_http = true;
        self
    }

    /// Answers `503 {"code":"try_again"}` with a `Retry-After` of 1 to 5 seconds where it could not
    /// be told who it is, and may be in a moment: the store is away or late, the deserializer failed.
    /// Needs the [layer](Authorizer::layer).
    ///
    /// Official clients come back by themselves after that, with a growing and jittered delay. After
    /// the `try_again` of a namespace a client of version 4 or 3 waits for its own code to call
    /// `connect()`, so that an outage of seconds is seen as one of minutes.
    ///
    /// ```
    /// # use passport_socketio::{Authorizer, store::MemoryStore};
    /// let auth = Authorizer::<i64>::builder()
    ///     .retry_at_http()
    /// #   .secret("s").store(MemoryStore::for_tests())
    /// #   .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)))
    ///     .build()?;
    /// # Ok::<(), passport_socketio::ConfigError>(())
    /// ```
    pub fn retry_at_http(mut self) -> Self {
        self.handshake.retry_at_http = true;
        self
    }

    /// How long a connection may last that says nothing, or was refused and is in no namespace. 10 s
    /// by default; up to twice as long for who was refused in one namespace while in another, once
    /// they have left that. Needs [`layer_over`](Authorizer::layer_over).
    ///
    /// Without it they are closed by the host's `connect_timeout`, 45 s by default; but those of
    /// Socket.IO 2 clients, which are put into the main namespace unasked, never are once it has
    /// refused them. A client that says something and yet connects to no namespace has that longer
    /// time in any case.
    pub fn connect_within(mut self, within: Duration) -> Self {
        self.handshake.connect_within = within.max(Duration::from_millis(10));
        self
    }

    /// How many times in a row a client may be refused on one connection: 5 by default. Then the
    /// connection is closed, with [`layer_over`](Authorizer::layer_over); with the plain
    /// [layer](Authorizer::layer) each further attempt waits for a second before the store is asked.
    ///
    /// Each attempt asks the store for the session of the cookie that the connection was opened with:
    /// who has logged in since has to connect anew.
    pub fn max_refused_connects(mut self, most: u32) -> Self {
        self.handshake.max_refused_connects = most.max(1);
        self
    }
}
