//! session-file-store 1.5.0 (`lib/session-file-helpers.js`).
//!
//! - A file `<sid>.json` in a folder: the session's JSON, with the `__lastAccess` of its last save or
//!   touch, in milliseconds.
//! - A session is valid while `now <= __lastAccess + (cookie.originalMaxAge || ttl)`, by the app's clock;
//!   we compare with ours. Its JSON's `expires` does not count.
//! - A touch writes `__lastAccess`, and nothing else; Node's also writes the cookie anew.
//! - A file that is no JSON is corrupt. (Node removes it, and answers its request with an error.) Node
//!   writes files whole, so a half-written one is never seen.
//! - An id that is no plain file name (with `/`, `\`, a control character, a leading dot, too long) has
//!   no session. A file that is none, such as a symbolic link, is an error.
//! - Of a file beyond 4 MiB so much is read as shows that it is too large: it is corrupt.
//! - The package's `secret` is not read: such a session is corrupt.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use self::files::Files;
use super::{DestroySession, SessionStore, StoreError, StoreUrl, StoredSession, TouchSession};
use crate::{Clock, SessionId, SystemClock};

mod expiry;
mod files;

/// The package's `fileExtension`.
const EXTENSION: &str = ".json";
/// The package's `ttl`.
const TTL: Duration = Duration::from_secs(3600);
/// Threads that may wait for the disk: a network drive that hangs shall not hold more of them.
const THREADS: usize = 8;
/// A backstop: who asks gives up earlier by itself (the authorizer's `store_timeout`), and says so
/// more exactly.
const BACKSTOP: Duration = Duration::from_secs(10);

/// Sessions that session-file-store keeps. Cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use express_session::store::{SessionStore, file::FileStore};
///
/// let dir = testkit::ScratchDir::new();
/// std::fs::write(dir.join("sid-1.json"), r#"{"cookie":{},"__lastAccess":1795401605979}"#)?;
/// let store = FileStore::open(&*dir).await?;
/// assert!(store.load(&"sid-1".into()).await?.is_some());
/// assert!(store.load(&"../sid-1".into()).await?.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FileStore {
    files: Arc<Files>,
    places: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
}

impl FileStore {
    /// Opens the folder of a Node app: session-file-store's `path`. Creates nothing.
    ///
    /// # Errors
    /// [`StoreError`] if there is no such folder, or it can't be read.
    pub async fn open(dir: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::start(Files { dir: dir.into(), extension: EXTENSION.to_owned(), ttl: TTL }).await
    }

    /// The same by a URL: `file:DIR`, with session-file-store's options `ttl` (seconds that a session
    /// without a `maxAge` lives; 3600) and `fileExtension` (`.json`).
    ///
    /// # Errors
    /// As [`open`](Self::open); also if the URL says what is not understood.
    pub async fn open_url(url: &str) -> Result<Self, StoreError> {
        let mut url = StoreUrl::new(url);
        let extension = url.take("fileExtension")?.unwrap_or_else(|| EXTENSION.to_owned());
        if extension.len() > 32 || extension.contains(|c: char| c.is_control() || "/\\".contains(c))
        {
            return Err(wrong("a fileExtension is the end of a file's name"));
        }
        let ttl = match url.take("ttl")? {
            None => TTL,
            Some(seconds) => Duration::from_secs(
                seconds.parse().map_err(|_| wrong("ttl is a whole number of seconds"))?,
            ),
        };
        match url.rest().strip_prefix("file:") {
            Some(dir) if !dir.is_empty() && !dir.contains('?') => {
                Self::start(Files { dir: dir.into(), extension, ttl }).await
            }
            _ => Err(wrong("it is file:DIR?ttl=SECONDS&fileExtension=.json")),
        }
    }

    async fn start(files: Files) -> Result<Self, StoreError> {
        let places = Arc::new(Semaphore::new(THREADS));
        let store = Self { files: files.into(), places, clock: Arc::new(SystemClock) };
        let is_there = store
            .run("opening the folder of sessions", |files| match std::fs::read_dir(&files.dir) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                opened => opened.map(|_| true),
            })
            .await?;
        if !is_there {
            let named = format!("the folder {} is not there", store.files.dir.display());
            return Err(StoreError::message(named).no_file());
        }
        Ok(store)
    }

    /// Runs blocking calls on a thread for them.
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        calls: impl FnOnce(&Files) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (files, places) = (self.files.clone(), self.places.clone());
        let running = async move {
            let place = places.acquire_owned().await.map_err(io::Error::other)?;
            let thread = tokio::task::spawn_blocking(move || {
                // Held until the thread is free again, also if nobody waits for it any more.
                let _place = place;
                calls(&files)
            });
            thread.await.map_err(io::Error::other)?
        };
        tokio::time::timeout(BACKSTOP, running)
            .await
            .map_err(|late| StoreError::new(operation, late))?
            .map_err(|error| StoreError::new(operation, error))
    }
}

fn wrong(what: &str) -> StoreError {
    StoreError::message(format!("reading the URL of the sessions' folder: {what}"))
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("dir", &self.files.dir).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for FileStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let sid = sid.clone();
        self.run("loading a session", move |files| files.load(&sid)).await
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        let sids = sids.to_vec();
        let load = move |files: &Files| sids.iter().map(|sid| files.load(sid)).collect();
        self.run("loading sessions", load).await
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        Some(self)
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }
}

/// Whatever `maxAge` the session has: its `__lastAccess` becomes one from which it lives for `life`.
#[async_trait]
impl TouchSession for FileStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        let (sid, now) = (sid.clone(), self.clock.now());
        let end =
            now.checked_add(life).ok_or_else(|| StoreError::message("it is too long a life"))?;
        self.run("touching a session", move |files| files.touch(&sid, now, end)).await
    }
}

#[async_trait]
impl DestroySession for FileStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        let sid = sid.clone();
        self.run("destroying a session", move |files| files.destroy(&sid)).await
    }
}
