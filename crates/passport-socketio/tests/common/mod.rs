#![allow(dead_code, unused_imports, reason = "each file of tests uses another part")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests assert, too"
)]
//! What the tests share: a client, a server's users and sessions, and how to wait for events.

mod client;
#[cfg(feature = "metrics")]
pub(crate) mod recorder;
mod waiting;
pub(crate) mod world;

pub(crate) use client::{Answer, Client, ask};
pub(crate) use waiting::{eventually, soon};
