//! The messages of the classic protocol.

mod broadcast;
mod fields;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub use broadcast::Broadcast;
pub use fields::{Event, Target};
pub use request::{Request, RequestKind};
pub use response::{RemoteSocket, Response};
