//! Live sessions: which sockets stand behind which login, on this node.
//!
//! The `registry` knows every session with open sockets: user → sessions → sockets, over all
//! namespaces. A handshake enters it *before* it asks the store, under an epoch, and compares epochs
//! as its last act: a session that changes in between is asked for again. The `keeper` looks
//! at each session again when it is due.
//!
//! This module knows neither socketioxide nor HTTP: a socket is anything that implements `SocketHandle`.

mod activity;
#[cfg(feature = "redis")]
mod cut_off;
mod denied;
mod feeds;
mod grace;
mod handshakes;
mod keeper;
mod registration;
mod registry;
mod schedule;
mod sessions;
mod settings;
mod slots;
mod socket;
mod state;

pub use crate::model::{EndReason, Ended};
pub use settings::OverLimit;

pub(crate) use handshakes::OngoingHandshake;
pub(crate) use registration::{Membership, NotEntered, Registration};
pub(crate) use registry::{Registry, end_all};
pub(crate) use sessions::LiveSessions;
pub(crate) use settings::LiveSettings;
pub(crate) use socket::{LiveSocket, Login, SocketEnd, SocketHandle};

use activity::Toucher;
use keeper::{Keeper, KeeperTask};
use socket::EndBegun;
