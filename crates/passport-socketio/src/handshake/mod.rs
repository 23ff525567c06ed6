//! The seam to HTTP: a tower layer around the host's.
//!
//! For every request to Socket.IO's path:
//!
//! 1. a foreign origin is refused with 403, before anything else happens, so it costs no socket;
//!    an allowed one gets its CORS headers, its preflights are answered;
//! 2. the request that opens a connection is counted, where there is a limit (429), and has its cookie moved out of the headers, which the host
//!    keeps as long as the connection lives;
//! 3. its session is looked up, and the answer handed over to the connect middleware, once.
//!
//! Every other request passes untouched.

mod answer;
mod cors;
mod engine;
mod future;
mod handover;
mod layer;
mod settings;

pub use future::ResponseFuture;
pub use layer::{AuthLayer, AuthService};

pub(crate) use handover::Handover;
pub(crate) use settings::HandshakeSettings;
