//! What all other modules speak of: reasons, outcomes, users, sessions, rooms. Nothing here acts.

#[cfg(feature = "node-cluster")]
pub(crate) mod aliases;
mod check;
mod config_error;
mod end;
mod hooks;
mod identity;
mod outcome;
mod peer_addr;
mod rate_limit;
mod reading;
mod reason;
mod scope;
mod socket_id;
mod user_key;

pub use check::Check;
pub use config_error::ConfigError;
pub use end::{EndReason, Ended};
pub use hooks::{Candidate, Reject, Verdict};
pub use identity::{Identity, Session};
pub use outcome::{AuthorizeError, Decision, Denial, Failure};
pub use peer_addr::PeerAddr;
pub use rate_limit::RateLimit;
pub use reason::Reason;
pub use socket_id::SocketId;
pub use user_key::UserKey;

pub(crate) use hooks::{Answer, FailHook, OriginHook, SuccessHook, UserIdHook, success_hook};
pub(crate) use reading::Reading;
pub(crate) use reason::Reads;
#[cfg(feature = "node-cluster")]
pub(crate) use scope::ROOM;
pub(crate) use scope::{Scope, ScopeSettings};
