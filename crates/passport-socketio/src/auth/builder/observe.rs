//! Who is told what happens.

use std::sync::Arc;

use super::AuthorizerBuilder;
use crate::AuditEvent;

impl<U: Send + Sync + 'static> AuthorizerBuilder<U> {
    /// Told of every accept, every refusal, every end and every order of an operator, with the code,
    /// the session's hash, the user, the namespace, the socket and the peer, as far as each is known.
    ///
    /// It is told after the fact and changes nothing: `success` and `fail` decide,
    /// [`on_session_end`](Self::on_session_end) follows each end. Unlike `fail` it is also told of
    /// guests, of what `success` rejected, and of who comes in. It must not block; a panic in it is
    /// caught, and logged.
    ///
    /// ```
    /// # use std::sync::{Arc, Mutex};
    /// # use passport_socketio::store::MemoryStore;
    /// use passport_socketio::{AuditKind, Authorizer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let book = Arc::new(Mutex::new(Vec::new()));
    /// let write = book.clone();
    /// let auth = Authorizer::<i64>::builder()
    ///     .audit(move |event| write.lock().unwrap().push((event.kind, event.code)))
    /// #   .secret("s").store(MemoryStore::for_tests())
    /// #   .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)))
    ///     .build()?;
    ///
    /// let (request, ()) = http::Request::get("/").body(())?.into_parts();
    /// auth.authorize(&request).await?;
    /// assert_eq!(*book.lock().unwrap(), [(AuditKind::Denied, "no_session_cookie")]);
    /// # Ok(()) }
    /// ```
    pub fn audit(mut self, told: impl Fn(&AuditEvent<'_>) + Send + Sync + 'static) -> Self {
        self.observer.audit = Some(Arc::new(told));
        self
    }

    /// Names users in logs, by the key that they are addressed by, in a field `user`. Off by default:
    /// a key may be a mail address, or a whole user.
    pub fn log_user_ids(mut self) -> Self {
        self.observer.log_user_ids = true;
        self
    }
}
