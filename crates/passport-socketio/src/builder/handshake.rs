//! What becomes of a connection before it has a socket.

use super::AuthorizerBuilder;
#[cfg(doc)]
use crate::{Authorizer, Verdict};

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
}
