//! Cookies as Node writes and reads them.
//!
//! - [`find`] reads one cookie from a header as npm `cookie` does;
//! - [`Signer`] signs and verifies values as npm `cookie-signature` does.

mod header;
mod signature;

pub use header::{decode_uri_component, find};
pub use signature::{EmptySecret, Signer};
