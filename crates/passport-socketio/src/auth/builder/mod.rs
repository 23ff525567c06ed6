//! How an [`Authorizer`] is configured: the original's options, checked when it is built.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use express_session::source::SessionSource;
use express_session::store::SessionStore;
use express_session::watch::SessionWatch;
use express_session::{Clock, RecordLimits, SystemClock};
use serde::de::DeserializeOwned;

#[cfg(doc)]
use crate::Authorizer;
use crate::DeserializeUser;
use crate::admission::AdmissionLimits;
use crate::authorizer::{AsyncFnDeserializer, BoxError, Limits, LoadLimits};
use crate::handshake::HandshakeSettings;
use crate::live::LiveSettings;
use crate::model::{
    Candidate, FailHook, Failure, OriginHook, Reject, ScopeSettings, SuccessHook, UserIdHook,
    UserKey, Verdict, success_hook,
};
use crate::observe::Observer;

mod admission;
mod build;
mod cluster;
mod handshake;
mod live;
mod observe;
mod origin;

use live::A_YEAR;

/// Configures an [`Authorizer`]. Made by [`Authorizer::builder`].
///
/// A secret, a store and a deserializer are needed; everything else has a default.
///
/// ```
/// use passport_socketio::{Authorizer, ConfigError, store::MemoryStore};
///
/// let builder = Authorizer::<i64>::builder().store(MemoryStore::for_tests());
/// assert!(matches!(builder.build(), Err(ConfigError::MissingSecret)));
/// ```
pub struct AuthorizerBuilder<U> {
    key: Option<String>,
    secrets: Vec<Vec<u8>>,
    query: bool,
    source: Option<Arc<dyn SessionSource>>,
    store: Option<Arc<dyn SessionStore>>,
    deserializer: Option<Arc<dyn DeserializeUser<U>>>,
    user_pointer: String,
    user_id: Option<UserIdHook<U>>,
    success: Option<SuccessHook<U>>,
    fail: Option<FailHook>,
    origins: Vec<String>,
    origin_hook: Option<OriginHook>,
    opaque_origins: bool,
    proxies: Vec<String>,
    limits: Limits,
    loads: LoadLimits,
    admission: AdmissionLimits,
    live: LiveSettings,
    watches: Vec<Arc<dyn SessionWatch>>,
    observer: Observer,
    handshake: HandshakeSettings,
    path: String,
    scope: ScopeSettings,
    clock: Arc<dyn Clock>,
}

impl<U: Send + Sync + 'static> AuthorizerBuilder<U> {
    pub(crate) fn new() -> Self {
        Self {
            key: None,
            secrets: Vec::new(),
            query: false,
            source: None,
            store: None,
            deserializer: None,
            user_pointer: "/passport/user".into(),
            user_id: None,
            success: None,
            fail: None,
            origins: Vec::new(),
            origin_hook: None,
            opaque_origins: false,
            proxies: Vec::new(),
            limits: Limits::default(),
            loads: LoadLimits::default(),
            admission: AdmissionLimits::default(),
            live: LiveSettings::default(),
            watches: Vec::new(),
            observer: Observer::default(),
            handshake: HandshakeSettings::default(),
            path: "/socket.io".into(),
            scope: ScopeSettings::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// The session cookie's name: express-session's `name` (or `key`). `connect.sid` by default.
    pub fn key(mut self, name: impl Into<String>) -> Self {
        self.key = Some(name.into());
        self
    }

    /// The secret that signs the session cookie: express-session's `secret`.
    pub fn secret(self, secret: impl AsRef<[u8]>) -> Self {
        self.secrets([secret])
    }

    /// Several secrets, newest first, as in express-session's array: any of them verifies. Adds to
    /// those that were given before.
    pub fn secrets(mut self, secrets: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        self.secrets.extend(secrets.into_iter().map(|secret| secret.as_ref().to_vec()));
        self
    }

    /// Where the app keeps its sessions. For a server that may start before them, open it with
    /// [`store::open`](crate::store::open) or [`store::open_later`](crate::store::open_later).
    pub fn store(mut self, store: impl SessionStore) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Sessions of another kind than express-session's. Replaces `key` and `secret`.
    pub fn source(mut self, source: impl SessionSource) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// How a user key becomes a user: Passport's `deserializeUser`.
    ///
    /// The argument's type is the key's (`i64`, `String`, a struct, `serde_json::Value`); a session
    /// with a key of another type counts as failed. `Ok(None)` says that there is no such user.
    pub fn deserialize_user<K, F, Fut, E>(self, function: F) -> Self
    where
        K: DeserializeOwned + Send + 'static,
        F: FnOnce(K) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<U>, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        self.deserializer(AsyncFnDeserializer::new(function))
    }

    /// The same as a type of its own, which may see the request.
    pub fn deserializer(mut self, deserializer: impl DeserializeUser<U>) -> Self {
        self.deserializer = Some(Arc::new(deserializer));
        self
    }

    /// Where the user key is in the session, as a JSON pointer. `/passport/user` by default.
    pub fn user_pointer(mut self, pointer: impl Into<String>) -> Self {
        self.user_pointer = pointer.into();
        self
    }

    /// What a user is addressed by, where that is not the session's user key.
    pub fn user_id<K: Into<UserKey>>(
        mut self,
        user_id: impl Fn(&U) -> K + Send + Sync + 'static,
    ) -> Self {
        self.user_id = Some(Arc::new(move |user| user_id(user).into()));
        self
    }

    /// Asked for every namespace that a user connects to. `Ok(())` lets them in, unless their login has
    /// ended meanwhile: after a second the session is looked up once more. (Asked again if what the
    /// session says has changed by then: what was known of the user may be wrong. A session that keeps
    /// changing is refused with `try_again`.)
    ///
    /// The connection waits for the answer, and socketioxide's `connect_timeout` closes it if it is in
    /// no other namespace. A hook that has not answered after five minutes is an error
    /// (`success_timeout`), which refuses with `try_again`.
    pub fn success<F, Fut>(mut self, hook: F) -> Self
    where
        F: FnOnce(Candidate<U>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Reject>> + Send + 'static,
    {
        self.success = Some(success_hook(hook));
        self
    }

    /// Asked before a connection is refused, whether denied or for an error.
    ///
    /// Not asked about who becomes a guest on an [`optional`](Authorizer::optional) namespace, about who
    /// was rejected by `success`, nor about a request on somebody else's connection.
    pub fn fail(mut self, hook: impl Fn(&Failure) -> Verdict + Send + Sync + 'static) -> Self {
        self.fail = Some(Arc::new(hook));
        self
    }

    /// Reads the signed session id from the query `session_id` where there is no cookie: the
    /// original's cross-origin workaround, for as long as old clients need it. Warns at the start.
    ///
    /// # Security
    /// URLs are logged by proxies and kept in histories. See
    /// [`with_insecure_query_param`](express_session::source::ExpressSource::with_insecure_query_param).
    pub fn insecure_session_id_query(mut self) -> Self {
        self.query = true;
        self
    }

    /// How long the store may take before it counts as down. 2 s by default.
    pub fn store_timeout(mut self, after: Duration) -> Self {
        self.limits.store_timeout = after.min(A_YEAR);
        self
    }

    /// How long the deserializer may take. 5 s by default.
    pub fn deserializer_timeout(mut self, after: Duration) -> Self {
        self.limits.deserializer_timeout = after.min(A_YEAR);
        self
    }

    /// The largest cookie header that is read, in bytes. 8 KiB by default.
    pub fn max_cookie_header(mut self, bytes: usize) -> Self {
        self.limits.cookie_header = bytes;
        self
    }

    /// The largest and deepest session record that is read. 1 MiB and 64 levels by default.
    pub fn record_limits(mut self, limits: RecordLimits) -> Self {
        self.limits.record = limits;
        self
    }

    /// Leaves the `Cookie` header where it is, for handlers that read it. The layer takes it out by
    /// default, since the host keeps a request's headers as long as its connection lives.
    pub fn keep_cookies(mut self) -> Self {
        self.handshake.keep_cookies = true;
        self
    }

    /// The path that Socket.IO is served at, if socketioxide's `req_path` is not `/socket.io`: what that
    /// is, byte for byte, but for a slash at the end, which counts as little as in Node.
    ///
    /// ```
    /// use passport_socketio::{Authorizer, ConfigError, store::MemoryStore};
    /// use socketioxide::SocketIo;
    ///
    /// # let builder = || Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests())
    /// #     .deserialize_user(async |id: i64| Ok::<_, std::io::Error>(Some(id)));
    /// let auth = builder().path("/realtime").build()?;
    /// let (layer, io) = SocketIo::builder().req_path("/realtime").build_layer();
    /// let app = axum::Router::<()>::new().layer(auth.layer_over(layer));
    /// assert!(matches!(builder().path("realtime").build(), Err(ConfigError::Path(_))));
    /// # let _ = (app, io);
    /// # Ok::<(), ConfigError>(())
    /// ```
    ///
    /// # Security
    /// Where it is another path than socketioxide's, [`layer_over`](Authorizer::layer_over) serves no
    /// Socket.IO, and [`layer`](Authorizer::layer) guards nothing: both say so in the log.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Another clock, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

/// Says what was set, never a secret.
impl<U> fmt::Debug for AuthorizerBuilder<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizerBuilder")
            .field("key", &self.key)
            .field("secrets", &self.secrets.len())
            .field("store", &self.store)
            .field("origins", &self.origins)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
