//! Why the nodes of a cluster can't reach each other.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

/// The cluster could not be joined, or the other nodes could not be reached.
///
/// `Display` says what failed; the reason is its [`source`](Error::source), for logs. Neither holds a
/// password or a secret.
///
/// ```
/// use passport_socketio::cluster::ClusterError;
///
/// let error = ClusterError::NoSecret;
/// assert!(error.to_string().contains(".cluster_secret(…)"));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// No secret was given that the nodes could sign their messages with.
    #[error(
        "no cluster secret: give `.cluster_secret(…)` one that all nodes share; without it anybody who can write to their Redis could give them orders"
    )]
    NoSecret,
    /// The URL of the cluster's Redis can't be used.
    #[error("cluster: {what}")]
    #[non_exhaustive]
    Url {
        /// What is wrong with it.
        what: Cow<'static, str>,
        /// Why, where more is known.
        source: Option<Arc<dyn Error + Send + Sync>>,
    },
    /// The cluster's Redis can't be reached, or did not do what it was asked.
    #[error("cluster: {operation}")]
    #[non_exhaustive]
    Redis {
        /// What was tried.
        operation: &'static str,
        /// Why it failed, where more is known.
        source: Option<Arc<dyn Error + Send + Sync>>,
    },
}

impl ClusterError {
    /// `operation` failed because of `source`, which must hold no secret: it reaches logs.
    pub(super) fn new(
        operation: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Redis { operation, source: Some(source.into().into()) }
    }

    /// `operation` failed, and nothing more is known.
    pub(super) fn message(operation: &'static str) -> Self {
        Self::Redis { operation, source: None }
    }
}
