//! What went wrong, without the row it went wrong with: the driver's own errors carry packets and
//! values, and a log may show an error's `Debug`.

use std::time::Duration;

use mysql_async::{DriverError, Error, IoError, ServerError};

use crate::store::StoreError;
use crate::store_error::is_network_kind;

/// Errors about connections, rights, databases, tables, columns, locks and limits. Others say
/// "Incorrect string value: '…'", or "Duplicate entry '…'".
const WITHOUT_ROWS: [u16; 23] = [
    1040, 1042, 1043, 1044, 1045, 1046, 1049, 1053, 1054, 1129, 1130, 1142, 1143, 1146, 1158, 1159,
    1161, 1203, 1205, 1213, 1226, 1290, 3024,
];

/// The source of this store's [`StoreError`](crate::store::StoreError)s.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// What the network or TLS says.
    #[error(transparent)]
    Io(IoError),
    /// What the server says, if it can't be about a row.
    #[error(transparent)]
    Server(ServerError),
    /// That the server says something, which may quote what it was told.
    #[error("the server's error {code} ({state})")]
    Quoting { code: u16, state: String },
    /// What the driver says: its text alone.
    #[error("{0}")]
    Driver(String),
    /// The same, because the server has closed the connection.
    #[error("{0}")]
    Closed(String),
    #[error("no connection within {0:?}")]
    NoConnection(Duration),
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    #[error("the server could not be reached a moment ago; it is asked again soon")]
    Waiting,
}

impl Failure {
    /// `operation` failed because of it.
    pub(super) fn of(self, operation: &'static str) -> StoreError {
        /// "No such table", "unknown database", and: too many connections, shutting down, a packet
        /// that could not be read or written.
        const NO_TABLE: u16 = 1146;
        const NO_DATABASE: u16 = 1049;
        const FOR_NOW: [u16; 6] = [1040, 1053, 1158, 1159, 1161, 1203];
        let code = match &self {
            Self::Server(ServerError { code, .. }) | Self::Quoting { code, .. } => Some(*code),
            _ => None,
        };
        let is_away = match &self {
            Self::Io(IoError::Io(error)) => is_network_kind(error.kind()),
            Self::Closed(_) | Self::NoConnection(_) | Self::NoAnswer(_) | Self::Waiting => true,
            _ => code.is_some_and(|code| FOR_NOW.contains(&code)),
        };
        let failed = StoreError::new(operation, self);
        match code {
            Some(NO_TABLE) => failed.no_table(),
            Some(NO_DATABASE) => failed.no_database(),
            _ => failed.server_away_if(is_away),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => Self::Io(error),
            Error::Server(error) if WITHOUT_ROWS.contains(&error.code) => Self::Server(error),
            Error::Server(ServerError { code, state, .. }) => Self::Quoting { code, state },
            Error::Driver(DriverError::ConnectionClosed | DriverError::PoolDisconnected) => {
                Self::Closed(error.to_string())
            }
            Error::Driver(_) | Error::Other(_) | Error::Url(_) => Self::Driver(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_may_quote_a_row_is_reduced_to_its_number() {
        let said = |code, message: &str| {
            let (state, message) = ("HY000".into(), message.into());
            Failure::from(Error::Server(ServerError { code, message, state }))
        };
        let quoting = said(1366, "Incorrect string value: 'secret' for column `sid`");
        assert_eq!(quoting.to_string(), "the server's error 1366 (HY000)");
        assert!(!format!("{quoting:?}").contains("secret"));
        let denied = said(1045, "Access denied for user 'app'@'localhost'");
        assert!(denied.to_string().contains("Access denied for user 'app'"));
    }
}
