//! What went wrong, without the row it went wrong with: the driver's own errors carry packets and
//! values, and a log may show an error's `Debug`.

use std::time::Duration;

use mysql_async::{Error, IoError, ServerError};

/// The source of this store's [`StoreError`](crate::store::StoreError)s.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// What the network or TLS says.
    #[error(transparent)]
    Io(IoError),
    /// What the server says.
    #[error(transparent)]
    Server(ServerError),
    /// What the driver says: its text alone.
    #[error("{0}")]
    Driver(String),
    #[error("no connection within {0:?}")]
    NoConnection(Duration),
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    #[error("the server could not be reached a moment ago; it is asked again soon")]
    Waiting,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => Self::Io(error),
            Error::Server(error) => Self::Server(error),
            Error::Driver(_) | Error::Other(_) | Error::Url(_) => Self::Driver(error.to_string()),
        }
    }
}
