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
//! # Ways in
//! - [`Listener`]: what emitters publish reaches this server's sockets, beside any adapter.
//!
//! - [`Cluster`]: this server and Node's are one cluster, both ways. As an adapter of socketioxide.
//!
//! What an app decides enters by its [`Hooks`]: whether a socket may receive, what a name stands for,
//! who may join what.
//!
//! # What is not as in Node
//! - A socket that leaves too much waiting is disconnected ([`QueueLimits`]): Node keeps everything in
//!   memory.
//! - Of a flood that comes faster than it can be acted on, 16,384 messages or 64 MiB are kept, and the rest is dropped
//!   and counted ([`Counts::dropped`]).
//! - A name of exactly 16 letters, digits, `-` and `_` is shaped like the id of a socketioxide socket. From the cluster
//!   it means that socket and never a room, no publisher can make a socket join a room of such a name, and it is told to
//!   no other server: who is in it would receive what is meant for the socket. Name such a room otherwise, as
//!   `room:…`. What is refused is counted ([`Counts::refused_joins`], [`Counts::refused_names`]).
//! - socketioxide's `fetch_sockets` leaves out sockets of Node's servers, whose ids have 20 characters
//!   where its type has room for 16. [`Cluster::fetch_sockets`] has them all.
//! - An acknowledgement from another server does not say which socket it is of: neither does the
//!   protocol.
//! - The rooms `7` and `"7"` are one. What is sent to it from here reaches both of Node's.
//!
//! # What cannot be read
//! Servers and emitters with a `parser` of their own: nothing in a message says which. The sharded
//! Redis adapter, and the adapters for Redis streams, PostgreSQL and MongoDB: these are other
//! protocols.
//!
//! # Beside socketioxide-redis
//! That adapter speaks another protocol on channels of the same names. Unless it is given another
//! prefix than the key here (`RedisAdapterConfig::with_prefix`), Node's servers count it, wait for
//! answers that never come, and their `fetchSockets()` fails after 5 s.

mod channel;
mod date;
#[cfg(test)]
mod fake;
mod guarded;
mod hooks;
mod json;
mod limits;
mod listen;
mod malformed;
mod member;
mod message;
mod msgpack;
mod outbox;
mod reach;
mod redis;
mod sockets;
mod stats;
mod value;

pub use hooks::{Answer, Description, Hooks, Name, NoHooks, ServerEvent, SocketAddress};
pub use limits::Limits;
pub use listen::{Listener, ListenerBuilder};
pub use malformed::Malformed;
pub use member::{Cluster, ClusterAcks, ClusterAdapter, ClusterBuilder, ClusterError, Initialized};
pub use message::{Broadcast, Event, RemoteSocket, Request, RequestKind, Response, Target};
pub use outbox::QueueLimits;
pub use redis::{Redis, RedisError};
pub use stats::Counts;
pub use value::Value;
