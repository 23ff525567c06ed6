//! Real servers for tests: each on a free port of the loopback interface, with a folder of its own,
//! for as long as its value lives.

mod certificates;
mod mariadb;
mod memcached;
mod mongo;
mod postgres;
mod process;
mod redis;
mod redis_cluster;
mod redis_sentinel;

pub use certificates::Certificates;
pub use mariadb::MariadbServer;
pub use memcached::MemcachedServer;
pub use mongo::MongoServer;
pub use postgres::PostgresServer;
pub use process::{ServerProcess, missing_server};

pub(crate) use process::kill_all;
pub use redis::RedisServer;
pub use redis_cluster::RedisCluster;
pub use redis_sentinel::RedisSentinel;
