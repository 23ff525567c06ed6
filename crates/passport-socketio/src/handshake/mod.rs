//! The seam to HTTP: a tower layer around the host's.
//!
//! For every request to Socket.IO's path:
//!
//! 1. a foreign origin is refused with 403, before anything else happens, so it costs no socket;
//!    an allowed one gets its CORS headers, its preflights are answered;
//! 2. the request that opens a connection is counted, where there is a limit (429);
//!    its cookie is moved out of the headers, and the rest of it made small: the host keeps it as
//!    long as the connection lives;
//! 3. its session is looked up, and the answer handed over to the connect middleware, once;
//! 4. who is not let in is refused right here, [if](crate::AuthorizerBuilder::refuse_at_http)
//!    [wanted](crate::AuthorizerBuilder::retry_at_http);
//! 5. every later request of the connection, the upgrade to a WebSocket too, has to show the cookie
//!    of the session that was let in on it.
//!
//! The body of a POST has 30 seconds to come, or is answered with 408.
//!
//! Where [it holds the host's layer](crate::Authorizer::layer_over), it closes connections, too, and
//! bounds what a client may send before a namespace has let it in.

mod allowance;
mod answer;
mod body;
mod bounded;
mod bounded_body;
mod compact;
mod connection;
mod connects;
mod context;
mod cors;
mod cuttable;
mod deadline;
mod end_filter;
mod engine;
mod exchange;
mod first_frame;
mod frames;
mod future;
mod handover;
mod layer;
mod over;
mod packet;
mod path;
mod payload;
mod settings;
mod silence;
mod transport;
mod upgrade;

pub use body::ResponseBody;
pub use bounded::BoundedStream;
pub use bounded_body::BoundedBody;
pub use cuttable::CuttableStream;
pub use first_frame::FirstFrame;
pub use future::ResponseFuture;
pub use layer::{AuthLayer, AuthService};
pub use over::OverLayer;
pub use path::NotServed;
pub use upgrade::UpgradeService;

pub(crate) use connection::Connection;
pub(crate) use context::HandshakeContext;
pub(crate) use end_filter::{SESSION_ENDED, SessionEnded};
pub(crate) use handover::{HandedOver, Handover};
pub(crate) use path::normal_path;
pub(crate) use settings::HandshakeSettings;
