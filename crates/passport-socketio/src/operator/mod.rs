//! The operator's side: who is connected, what is sent to a user, and how logins are ended or renewed;
//! on this node, and on all nodes of a [cluster].

#[cfg(feature = "redis")]
pub mod cluster;
mod live;
mod refresh;
mod revoke;
mod user;

pub use live::Live;
pub use refresh::Refreshed;
pub use revoke::Revoked;
pub use user::LiveUser;
