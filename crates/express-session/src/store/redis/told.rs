//! What an error may say.
//!
//! Redis repeats the arguments of a command that it does not know, and the driver shows an answer
//! that it can't read: session ids and sessions, which no log may hold.

use std::error::Error as StdError;

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use super::super::StoreError;
use crate::store_error::is_network;

/// The driver's error, without what it must not say.
pub(super) fn told(operation: &'static str, error: RedisError) -> StoreError {
    let is_away = is_away(&error);
    StoreError::new(operation, harmless(error)).server_away_if(is_away)
}

/// Whether nothing answers there, or a server that is not ready to.
fn is_away(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(kind) => {
            use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, TryAgain};
            matches!(kind, BusyLoading | ClusterDown | MasterDown | TryAgain)
                || is_full_for_now(error)
        }
        ErrorKind::Extension => is_full_for_now(error),
        ErrorKind::ClusterConnectionNotFound => true,
        _ => error.is_timeout() || error.is_connection_dropped() || is_network(error),
    }
}

fn is_full_for_now(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("max number of clients"))
}

/// The driver's error, without what it must not say.
#[doc(hidden)]
pub fn harmless(error: RedisError) -> Box<dyn StdError + Send + Sync> {
    match error.kind() {
        ErrorKind::Server(kind) => server_error(error, Some(kind)).into(),
        ErrorKind::Extension => server_error(error, None).into(),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            "what was answered is no answer of Redis".into()
        }
        _ => error.into(),
    }
}

/// Its code and what Redis says about it, up to where it repeats what it was asked.
fn server_error(error: RedisError, kind: Option<ServerErrorKind>) -> String {
    let refused_at_the_start = error.to_string();
    let mut said = match error.into_server_errors().as_deref() {
        Some([(_, error), ..]) => {
            format!("{} {}", error.code(), error.details().unwrap_or_default())
        }
        _ => refused_at_the_start,
    };
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

/// Whether a server refuses RESP3 itself, because it is older than 6.0 or permits no `HELLO`. A
/// server that is busy for a moment refuses every connection alike.
pub(super) fn refuses_resp3(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::RESP3NotSupported | ErrorKind::Extension => true,
        ErrorKind::Server(kind) => match kind {
            ServerErrorKind::BusyLoading
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::TryAgain => false,
            _ => !is_full_for_now(error),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use ::redis::Value;

    use super::*;

    fn said(answer: &str) -> String {
        let error: RedisError = match ::redis::parse_redis_value(answer.as_bytes()).unwrap() {
            Value::ServerError(error) => error.into(),
            other => ::redis::from_redis_value::<String>(other).unwrap_err().into(),
        };
        let error = told("asking Redis", error);
        format!("{error} {error:?} {:?}", error.source().unwrap().to_string())
    }

    #[test]
    fn errors_contain_no_session_id_and_no_session() {
        for (answer, what) in [
            (
                "-ERR unknown command 'PTTL', with args beginning with: 'sess:secret-sid' \r\n",
                "ERR unknown command 'PTTL'",
            ),
            ("*1\r\n$10\r\nsecret-sid\r\n", "no answer of Redis"),
            ("-MOVED 1 10.0.0.1:7000\r\n", "needs ?cluster=true"),
            ("-WRONGTYPE Operation against a key\r\n", "WRONGTYPE Operation against a key"),
        ] {
            let said = said(answer);
            assert!(said.contains(what), "{said}");
            assert!(!said.contains("secret-sid"), "{said}");
        }
    }
}
