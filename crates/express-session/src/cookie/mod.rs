//! Cookies as Node writes and reads them.
//!
//! - [`find`] reads one cookie from a header as npm `cookie` does, [`cookies_get`] as npm `cookies`
//!   does: Express and Fastify use the one, cookie-session and Koa the other;
//! - [`Signer`] signs and verifies values as npm `cookie-signature` does, [`Keygrip`] as npm
//!   `keygrip` does.

mod base64;
mod cookies;
mod header;
mod keygrip;
mod signature;

pub use base64::decode_base64;
pub use cookies::{Signed, cookies_get, cookies_get_signed};
pub(crate) use header::find_with_quotes;
pub use header::{decode_uri_component, find};
pub use keygrip::{Keygrip, KeygripHash};
pub use signature::{EmptySecret, Signer};
