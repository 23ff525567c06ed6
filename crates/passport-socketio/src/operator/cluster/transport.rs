//! What carries the nodes' messages: Redis, or the memory of a test.
//!
//! A transport is not trusted. Whatever comes over it is believed only if it was signed with the
//! cluster's secret; what it loses, repeats or makes up must not let an answer look complete.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::ClusterError;

/// The way of one node to all others.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Connects anew, and hears from then on what is published on these channels.
    async fn connect(&self, channels: &[String]) -> Result<Connected, ClusterError>;
}

/// A new connection.
pub struct Connected {
    /// To ask with.
    pub connection: Arc<dyn Connection>,
    /// What is heard. Its end is the connection's.
    pub heard: mpsc::UnboundedReceiver<Heard>,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").finish_non_exhaustive()
    }
}

/// One message, from any writer.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Where it was published.
    pub channel: String,
    /// What was published.
    pub message: Vec<u8>,
}

/// A connection. Its calls may hang: the caller has the patience.
#[async_trait]
pub trait Connection: Send + Sync + 'static {
    /// The time by the clock that all nodes share, in milliseconds since 1970.
    async fn time(&self) -> Result<u64, ClusterError>;

    /// To all that listen at this moment, this one included: how many those are, as far as can be told.
    async fn publish(&self, channel: &str, message: &str) -> Result<u64, ClusterError>;

    /// Changes the list of nodes, and reads it, at once.
    async fn list(&self, change: ListChange<'_>) -> Result<Vec<Listed>, ClusterError>;
}

/// What is done to the list of nodes before it is read.
#[derive(Clone, Copy, Debug)]
pub struct ListChange<'c> {
    /// The list's name.
    pub list: &'c str,
    /// An entry that is written, or replaced: its name and its text.
    pub write: Option<(&'c str, &'c str)>,
    /// Names of entries that are removed.
    pub remove: &'c [String],
    /// The list may be forgotten if nothing asks for it for so long.
    pub keep: Duration,
}

/// An entry of the list of nodes, by any writer.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: Vec<u8>,
    /// Its text.
    pub text: Vec<u8>,
}
