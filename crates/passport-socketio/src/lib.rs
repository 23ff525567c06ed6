//! Know the Passport user behind every Socket.IO connection.
//!
//! Your users log in through an Express + Passport app. This crate lets a Socket.IO server in Rust
//! (on [socketioxide]) know them: from the same signed cookie and the same session store, with no
//! change to that app.
//!
//! ```
//! # use passport_socketio::store::MemoryStore;
//! # #[derive(Clone)] struct User { id: i64, name: String }
//! # #[derive(Clone)] struct Db;
//! # impl Db { async fn find_user(&self, id: i64) -> Result<Option<User>, std::io::Error> {
//! #     Ok(Some(User { id, name: "ann".into() })) } }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (db, store, secret) = (Db, MemoryStore::for_tests(), "keyboard cat");
//! use passport_socketio::{Auth, Authorizer};
//! use socketioxide::{SocketIo, extract::SocketRef, handler::ConnectHandler};
//!
//! async fn on_connect(socket: SocketRef, user: Auth<User>) {
//!     socket.emit("welcome", &user.name).ok();
//! }
//!
//! let auth = Authorizer::<User>::builder()
//!     .secret(secret)                                         // the app's own `secret`
//!     .store(store)                                           // the app's own store
//!     .deserialize_user(async move |id: i64| db.find_user(id).await)
//!     .retry_at_http()                                        // clients come back by themselves
//!     .build()?;
//!
//! let (layer, io) = SocketIo::builder()                       // as much as Node takes of a message
//!     .max_payload(1_000_000).ws_max_message_size(1_000_000).ws_max_frame_size(1_000_000)
//!     .build_layer();
//! io.ns("/", on_connect.with(auth.required()));               // or `auth.optional()`: guests, too
//! let app = axum::Router::<()>::new().layer(auth.layer_over(layer));
//! # let _ = app; Ok(()) }
//! ```
//!
//! # How it is decided
//! See [`authorizer`]: twelve checks in a fixed order, and three answers, never two: granted,
//! denied with a reason, or "could not tell", which lets nobody in.
//!
//! # Three seams, each usable alone
//! - [`Authorizer::authorize`] decides on any [`http::request::Parts`];
//! - [`Authorizer::layer_over`] is a [tower](https://docs.rs/tower) layer: it refuses foreign
//!   origins before anything else happens, looks the session up once, takes the cookie out of the
//!   headers that handlers see, and closes connections; [`Authorizer::layer`] does all but the
//!   last, where you can't hand over the host's layer;
//! - [`Authorizer::required`] and [`Authorizer::optional`] are connect middlewares of socketioxide.
//!
//! # Panics in your code
//! A panic in a deserializer or a hook refuses that one connection. That needs unwinding: do not
//! set `panic = "abort"` in your profile.
//!
//! [socketioxide]: https://docs.rs/socketioxide

pub mod authorizer;
pub mod handshake;
pub mod live;
#[cfg(feature = "node-cluster")]
pub mod node;
pub mod observe;
pub mod operator;
pub mod socketio;

mod admission;
mod auth;
mod lookup;
mod model;
mod mutant;

pub use auth::{Authorizer, AuthorizerBuilder};
pub use authorizer::DeserializeUser;
pub use express_session::{self, source, store};
pub use live::OverLimit;
pub use model::{
    AuthorizeError, Candidate, Check, ConfigError, Decision, Denial, EndReason, Ended, Failure,
    Identity, PeerAddr, RateLimit, Reason, Reject, Session, SocketId, UserKey, Verdict,
};
#[cfg(feature = "node-cluster")]
pub use node_cluster;
pub use observe::{AuditEvent, AuditKind};
#[cfg(feature = "redis")]
pub use operator::cluster;
pub use operator::{Live, LiveUser, Refreshed, Revoked};
pub use socketio::{Auth, MaybeAuth, MaybeSession, filter_sockets_by_user};

/// The guide's pages and the README, compiled.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../README.md")]
    mod readme {}
    #[doc = include_str!("../../../docs/from-passport-socketio.md")]
    mod from_passport_socketio {}
    #[doc = include_str!("../../../docs/stores.md")]
    mod stores {}
    #[doc = include_str!("../../../docs/live-sessions.md")]
    mod live_sessions {}
    #[doc = include_str!("../../../docs/observability.md")]
    mod observability {}
    #[doc = include_str!("../../../docs/behind-a-proxy.md")]
    mod behind_a_proxy {}
    #[doc = include_str!("../../../docs/handshake.md")]
    mod handshake {}
}
