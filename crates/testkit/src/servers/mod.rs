//! Real servers for tests: each on a free port of the loopback interface, with a folder of its own,
//! for as long as its value lives.

mod postgres;
mod process;
mod redis;

pub use postgres::PostgresServer;
pub use process::{ServerProcess, missing_server};
pub use redis::RedisServer;
