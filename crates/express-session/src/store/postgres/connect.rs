//! From a URL to a connection.
//!
//! Nothing of ours is set on a connection but its `application_name`: its time zone above all is
//! PostgreSQL's own business (see `table.rs`).

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Error as DriverError, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{StoreError, StoreUrl};
use super::{hosts, tls};

/// A server that is there accepts within this, unless the URL has a `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes connections: those of the pool, and whatever wants one of its own.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

impl Connector {
    /// Reads what is left of the URL when the store has taken its own parameters.
    pub(super) fn from_url(mut url: StoreUrl) -> Result<Self, StoreError> {
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(StoreError::message("a URL of PostgreSQL starts with postgres://"));
        }
        let (mode, tls) = tls::from_url(&mut url)?;
        let rest = hosts::in_authority(url)?;
        // What stands after a raw `?` in a password would be taken for a parameter, and be told.
        if rest.split_once('?').is_some_and(|(_, parameters)| parameters.contains('@')) {
            return Err(StoreError::message(
                "reading the PostgreSQL URL: in a user or password write ? as %3F, elsewhere @ as %40",
            ));
        }
        let mut config: Config = rest
            .parse()
            .map_err(|error| StoreError::new("reading the PostgreSQL URL", SaysWhy::of(error)))?;
        config.ssl_mode(mode);
        if config.get_application_name().is_none() {
            config.application_name(env!("CARGO_PKG_NAME"));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        Ok(Self { config, tls })
    }

    /// A connection of the caller's own, who keeps it going.
    pub(super) async fn open(&self) -> Result<(Client, Connection), DriverError> {
        self.config.connect(self.tls.clone()).await
    }
}

/// The half of a connection that speaks with the server, encrypted or not.
pub(super) type Connection =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// Without the address and the password.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl deadpool_postgres::Connect for Connector {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let (config, tls) = (config.clone(), self.tls.clone());
        Box::pin(async move {
            let (client, connection) = config.connect(tls).await?;
            let task = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a PostgreSQL connection has ended");
                }
            });
            Ok((client, task))
        })
    }
}

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), DriverError>> + Send + 'a>>;

/// The driver says *that* the URL is bad, and only its source says why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct SaysWhy(String);

impl SaysWhy {
    #[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
    fn of(error: DriverError) -> Self {
        Self(
            std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), ToString::to_string),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn refused(url: &str) -> String {
        let error = Connector::from_url(StoreUrl::new(url)).unwrap_err();
        format!("{error}: {:?}", error.source().map(ToString::to_string))
    }

    #[test]
    fn the_error_for_a_bad_url_says_why_and_hides_the_password() {
        for (url, told) in [
            ("mysql://ann:hunter2@h/db", "starts with postgres://"),
            ("postgres://ann:hunter2@h:port/db", "invalid value for option `port`"),
            ("postgres://ann:hunter2@h/db?prefix=sess:", "unknown option `prefix`"),
            ("postgres://ann:hun?ter2=x@h/db", "write ? as %3F"),
            ("postgres://ann:hun?ter2@h/db", "write ? as %3F"),
        ] {
            let error = refused(url);
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("hunter2") && !error.contains("ter2"), "{error}");
        }
    }

    #[test]
    fn the_rest_of_the_url_is_as_for_libpq() {
        let url =
            "postgresql://ann:p%40ss%3F@[::1]:6432/my%20db?options=-c%20TimeZone%3DAsia/Tokyo";
        let config = Connector::from_url(StoreUrl::new(url)).unwrap().config;
        assert_eq!(config.get_user(), Some("ann"));
        assert_eq!(config.get_password(), Some(b"p@ss?".as_slice()));
        assert_eq!((config.get_dbname(), config.get_ports()), (Some("my db"), [6432].as_slice()));
        assert_eq!(config.get_options(), Some("-c TimeZone=Asia/Tokyo"));
    }
}
