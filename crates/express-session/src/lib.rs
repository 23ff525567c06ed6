//! The sessions of Express apps, read from Rust.
//!
//! An Express app keeps its users' logins behind a signed cookie: the cookie carries a session id,
//! a store (Redis, SQLite, …) holds the session as JSON. This crate reads both, exactly as
//! [express-session] does, and changes nothing: no session is created, rewritten or prolonged
//! unless you ask for it.
//!
//! Data flows one way:
//!
//! 1. a [`SessionRequest`] holds the parts of a request that count: its cookies, its query;
//! 2. a [`SessionSource`](source::SessionSource) finds the session id in it and checks the
//!    signature ([`ExpressSource`](source::ExpressSource) for express-session);
//! 3. a [`SessionStore`](store::SessionStore) loads what is stored under that id, and says how
//!    long it will live;
//! 4. the source reads this as a [`SessionRecord`]: the JSON as its app sees it.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use express_session::source::{ExpressSource, SessionSource};
//! use express_session::store::{Life, MemoryStore, SessionStore};
//! use express_session::{RecordLimits, SessionRequest};
//!
//! let store = MemoryStore::for_tests();
//! store.set("sid-1", r#"{"cookie":{"path":"/"},"passport":{"user":42}}"#, Life::Forever);
//!
//! let source = ExpressSource::new("connect.sid", ["keyboard cat"])?;
//! let cookie = source.signer().cookie_pair("connect.sid", "sid-1");
//!
//! let located = source.locate(&SessionRequest::from_cookie_header(&cookie))?;
//! let stored = store.load(located.id()).await?.expect("it was just stored");
//! let record = source.read(stored.payload(), &RecordLimits::default())?.expect("a session");
//! assert_eq!(record.pointer("/passport/user")?, Some(42.into()));
//!
//! // One changed character, and the store is not even asked.
//! let tampered = cookie.replace("sid-1", "sid-2");
//! assert!(source.locate(&SessionRequest::from_cookie_header(&tampered)).is_err());
//! # Ok(()) }
//! ```
//!
//! [express-session]: https://www.npmjs.com/package/express-session

pub mod cookie;
pub mod source;
pub mod store;
pub mod watch;

mod clock;
mod json;
mod record;
mod request;
mod sid;
mod store_error;

pub use clock::{Clock, SystemClock};
pub use record::{CorruptRecord, RecordLimits, SessionCookie, SessionRecord};
pub use request::SessionRequest;
pub use sid::{SessionId, SidHash};
