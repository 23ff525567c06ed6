//! Why a store could not tell, and whether it may soon.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A store could not tell.
///
/// `Display` names the operation only; the reason is its [`source`](StdError::source), for logs.
///
/// Some errors say that the store [is not there yet](Self::appears): its server does not answer, or
/// its table, file or folder has not been made. A server can wait for that. All others, such as a
/// wrong password, or a table with other columns, last until an operator does something about them.
///
/// ```
/// use express_session::store::StoreError;
///
/// let error = StoreError::message("the table is not there").not_there_yet("the app creates it");
/// assert_eq!(error.appears(), Some("the app creates it"));
/// assert_eq!(StoreError::message("the password is wrong").appears(), None);
/// ```
#[derive(Clone, Debug)]
pub struct StoreError {
    operation: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    appears: Option<Cow<'static, str>>,
}

impl StoreError {
    /// `operation` failed because of `source`.
    ///
    /// # Security
    /// `source` reaches logs: it must not hold a password or a session id.
    pub fn new(
        operation: impl Into<Cow<'static, str>>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { operation: operation.into(), source: Some(source.into().into()), appears: None }
    }

    /// `operation` failed, and nothing more is known.
    pub fn message(operation: impl Into<Cow<'static, str>>) -> Self {
        Self { operation: operation.into(), source: None, appears: None }
    }

    /// The same for what is not there yet. `appears` says what will make it appear, in a sentence of
    /// its own for logs, such as "its app creates the table".
    #[must_use]
    pub fn not_there_yet(self, appears: impl Into<Cow<'static, str>>) -> Self {
        Self { appears: Some(appears.into()), ..self }
    }

    /// What will make the store appear, if it is only not there yet.
    pub fn appears(&self) -> Option<&str> {
        self.appears.as_deref()
    }

    /// What failed, and why.
    #[doc(hidden)]
    pub fn into_parts(self) -> (Cow<'static, str>, Option<Arc<dyn StdError + Send + Sync>>) {
        (self.operation, self.source)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session store: {}", self.operation)
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What the stores that have servers, or files, say of what is not there yet.
#[allow(dead_code, reason = "each is of the stores that need it")]
impl StoreError {
    /// The server is away.
    pub(super) fn server_away(self) -> Self {
        self.not_there_yet("it is there as soon as its server answers at the URL's address")
    }

    /// The server is away, if its driver's error is one of the network.
    pub(super) fn server_away_if(self, is_away: bool) -> Self {
        if is_away { self.server_away() } else { self }
    }

    /// The table is missing.
    pub(super) fn no_table(self) -> Self {
        self.not_there_yet("its app creates the table, most often at its own first request")
    }

    /// The database is missing.
    pub(super) fn no_database(self) -> Self {
        self.not_there_yet("it is there as soon as the database and the table are created")
    }

    /// The file or folder is missing.
    pub(super) fn no_file(self) -> Self {
        self.not_there_yet("its app creates it, most often at its own first request")
    }
}

/// Whether an error of the network is behind it: nothing listens, the host can't be found or
/// reached, the connection was cut or has timed out. What TLS says, and what the system forbids, is
/// none.
#[allow(dead_code, reason = "it is of the stores that have servers")]
pub(super) fn is_network(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(mut error) = cause {
        // As Redis' driver shares it.
        if let Some(shared) = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
            error = &**shared;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return is_network_kind(error.kind());
        }
        cause = error.source();
    }
    false
}

/// The same of its kind. (A name that is not found has none that is stable.)
#[allow(dead_code, reason = "it is of the stores that have servers")]
pub(super) fn is_network_kind(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, PermissionDenied, Unsupported};

    !matches!(kind, InvalidData | InvalidInput | Other | PermissionDenied | Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unreachable_server_is_distinguished_from_one_that_refuses() {
        let nothing_listens = tokio::net::TcpStream::connect("127.0.0.1:1").await.unwrap_err();
        let no_such_host = tokio::net::TcpStream::connect("none.invalid:1").await.unwrap_err();
        let behind = StoreError::new("asking", no_such_host);
        assert!(is_network(&nothing_listens));
        assert!(is_network(&behind));
        assert!(!is_network(&io::Error::new(io::ErrorKind::InvalidData, "a certificate")));
        assert!(!is_network(&StoreError::message("a password")));
    }
}
