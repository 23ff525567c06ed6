//! The seam to socketioxide: a connect middleware, extractors, rooms.
//!
//! - [`Gate`] is what [`required`](crate::Authorizer::required) and
//!   [`optional`](crate::Authorizer::optional) return. Give it to a connect handler as its **last**
//!   `.with`: the last one runs first.
//! - [`Auth`] and [`MaybeAuth`] are the user in a handler's arguments;
//!   [`Session`](crate::Session) and [`MaybeSession`] the session.
//! - Every socket of a user is in their [`user_room`](crate::Authorizer::user_room) and in their
//!   [`session_room`](crate::Authorizer::session_room).

mod auth;
mod claim;
mod context;
mod end;
mod filter;
mod gate;
mod guard;
mod id;
mod logins;
mod maybe_auth;
mod refused;
mod retries;
mod server;
mod session;
mod setup;

pub use auth::{Auth, NotAuthorized};
pub(crate) use claim::Claim;
pub(crate) use context::GateContext;
pub use filter::filter_sockets_by_user;
pub use gate::{Gate, GateMarker};
pub use guard::Guard;
pub(crate) use id::sid_of;
#[cfg(feature = "node-cluster")]
pub(crate) use logins::SocketLogins;
pub use maybe_auth::MaybeAuth;

pub use session::{MaybeSession, NoSession};
