//! Tools for testing `express-session`, `passport-socketio` and what is built on them.
//!
//! - [`conformance`]: what every [`SessionStore`](express_session::store::SessionStore) must do,
//!   as one suite that each of them runs;
//! - [`vectors`]: what the real npm packages make, and what they make of it;
//! - [`CountingStore`], [`FakeClock`]: fakes;
//! - [`MariadbServer`], [`MemcachedServer`], [`MongoServer`], [`PostgresServer`], [`RedisServer`],
//!   [`RedisCluster`], [`RedisSentinel`]: real servers on free ports, for as long as a test runs;
//! - [`FaultProxy`]: a network that fails on demand;
//! - [`secrecy`]: secrets that no output may contain;
//! - [`ScratchDir`]: a folder that disappears with its test.

#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

pub mod conformance;
pub mod secrecy;
pub mod vectors;

mod clock;
mod counting;
mod fault_proxy;
mod scratch;
mod servers;

pub use clock::FakeClock;
pub use counting::CountingStore;
pub use fault_proxy::{Fault, FaultProxy};
pub use scratch::ScratchDir;
pub use servers::{
    Certificates, MariadbServer, MemcachedServer, MongoServer, PostgresServer, RedisCluster,
    RedisSentinel, RedisServer, ServerProcess, missing_server,
};
