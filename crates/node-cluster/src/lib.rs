//! Node's Socket.IO Redis cluster protocol, for [socketioxide](https://docs.rs/socketioxide).
//!
//! The protocol is what npm's `@socket.io/redis-adapter` (versions 6 to 8, the adapter that
//! `createAdapter` makes) speaks with its like, and what `@socket.io/redis-emitter` (4 and 5) and
//! the older `socket.io-emitter` (3) publish. There is no specification of it: this crate follows
//! the packages, and its tests hold what they were seen to send.
//!
//! Messages come from whoever may publish on the Redis. A malformed one is refused with a reason,
//! [`Malformed`], and never more memory is taken than [`Limits`] allow:
//!
//! ```
//! use node_cluster::{Broadcast, Limits, Malformed};
//!
//! // What `emitter.emit("hi")` publishes.
//! let published = b"\x93\xa7emitter\x83\xa4type\x02\xa4data\x91\xa2hi\xa3nsp\xa1/\
//!                   \x83\xa5rooms\x90\xa5flags\x80\xa6except\x90";
//! let broadcast = Broadcast::read(published, &Limits::default())?;
//! assert_eq!(broadcast.event.name(), "hi");
//!
//! let cut_off = Broadcast::read(&published[..20], &Limits::default());
//! assert_eq!(cut_off, Err(Malformed::Truncated));
//! # Ok::<(), Malformed>(())
//! ```
//!
//! # What cannot be read
//! Servers and emitters with a `parser` of their own: nothing in a message says which. The sharded
//! Redis adapter, and the adapters for Redis streams, PostgreSQL and MongoDB: these are other
//! protocols.

mod date;
mod json;
mod limits;
mod malformed;
mod message;
mod msgpack;
mod value;

pub use limits::Limits;
pub use malformed::Malformed;
pub use message::{Broadcast, Event, RemoteSocket, Request, RequestKind, Response, Target};
pub use value::Value;
