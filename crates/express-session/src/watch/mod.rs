//! Who tells us that a session changed.
//!
//! A [`SessionWatch`] is a feed of [`Change`]s. It is a hint, never the truth: whoever is told loads
//! the session again. A change that is not told is found by looking at the sessions from time to
//! time, so a feed makes things faster, and may fail.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::store_error::StoreError;
use crate::{SessionId, SidHash};

/// Something may have happened to sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// To this one: it was written, touched, destroyed, or has expired.
    Session(SessionId),
    /// To the one with this hash, where its id was not to be told.
    Hashed(SidHash),
    /// To any: the feed has just begun, or may have missed something.
    Unknown,
}

/// A feed of changes.
///
/// ```
/// use std::convert::Infallible;
/// use async_trait::async_trait;
/// use express_session::store::StoreError;
/// use express_session::watch::{Change, Changes, SessionWatch, WatchError};
/// use tokio::sync::{Mutex, mpsc};
///
/// /// The app tells us itself, over a channel.
/// #[derive(Debug)]
/// struct Told(Mutex<mpsc::Receiver<String>>);
///
/// #[async_trait]
/// impl SessionWatch for Told {
///     async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
///         let mut told = self.0.lock().await;
///         changes.report(Change::Unknown);
///         while let Some(sid) = told.recv().await {
///             changes.report(Change::Session(sid.as_str().into()));
///         }
///         Err(WatchError::Lost(StoreError::message("nobody is left to tell")))
///     }
/// }
/// ```
#[async_trait]
pub trait SessionWatch: fmt::Debug + Send + Sync + 'static {
    /// Reports changes for as long as it can. It begins with [`Change::Unknown`], as soon as no
    /// later change can be missed. When it fails it is called again, after a pause.
    ///
    /// # Errors
    /// [`WatchError`]: there is no other way to return.
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError>;
}

/// Why a feed has ended.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The connection was lost, or has fallen silent.
    #[error("the feed of changes was lost")]
    Lost(#[source] StoreError),
    /// The store has no such feed, or does not permit it.
    #[error("the store gives no feed of changes")]
    Refused(#[source] StoreError),
}

/// Where a feed reports to. Cheap to clone.
#[derive(Clone)]
pub struct Changes(Arc<dyn Fn(Change) + Send + Sync>);

impl Changes {
    /// Reports to `listener`, which must not block.
    pub fn to(listener: impl Fn(Change) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Reports a change.
    pub fn report(&self, change: Change) {
        (self.0)(change);
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes(..)")
    }
}
