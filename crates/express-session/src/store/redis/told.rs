//! What an error may say.
//!
//! Redis repeats the arguments of a command that it does not know, and the driver shows an answer
//! that it can't read: session ids and sessions, which no log may hold.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use super::super::StoreError;

/// The driver's error, without what it must not say.
pub(super) fn told(operation: &'static str, error: RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::Server(kind) => StoreError::new(operation, server_error(error, Some(kind))),
        ErrorKind::Extension => StoreError::new(operation, server_error(error, None)),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            StoreError::new(operation, "what was answered is no answer of Redis")
        }
        _ => StoreError::new(operation, error),
    }
}

/// Its code and what Redis says about it, up to where it repeats what it was asked.
fn server_error(error: RedisError, kind: Option<ServerErrorKind>) -> String {
    let mut said = match error.into_server_errors() {
        Some(errors) => errors
            .first()
            .map(|(_, error)| format!("{} {}", error.code(), error.details().unwrap_or_default())),
        None => None,
    }
    .unwrap_or_else(|| "an error without words".into());
    if let Some(at) = said.find(", with args") {
        said.truncate(at);
    }
    if kind == Some(ServerErrorKind::Moved) {
        said.push_str(" (this Redis is a cluster: its URL needs ?cluster=true)");
    }
    said
}

/// Whether the connection is to blame, and another one may do better.
pub(super) fn blames_connection(error: &RedisError) -> bool {
    match error.kind() {
        // It answered, as it should; after a failover a replica that takes no changes.
        ErrorKind::Server(kind) => kind == ServerErrorKind::ReadOnly,
        ErrorKind::Extension => error.code() == Some("NOAUTH"),
        _ => true,
    }
}
