//! Real servers for tests: each on a free port of the loopback interface, with a folder of its own,
//! for as long as its value lives.

mod memcached;
mod mongo;
mod process;
mod redis;

pub use memcached::MemcachedServer;
pub use mongo::MongoServer;
pub use process::{ServerProcess, missing_server};
pub use redis::RedisServer;
