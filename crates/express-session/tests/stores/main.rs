//! Every store runs the conformance suite, and its own tests, against the real thing.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "real stores tell the real time")]

#[cfg(feature = "file")]
mod file;
mod later;
#[cfg(feature = "memcached")]
mod memcached;
mod memory;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(feature = "mysql")]
mod mysql;
mod passwords;
#[cfg(feature = "postgres")]
mod postgres;
mod reading;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;
