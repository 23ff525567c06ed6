//! A store that is not there yet when its server starts.
//!
//! Node packages create their table, file or folder at the app's own first request, and servers are
//! started in any order. So a store may be opened later: until then every question gets the error
//! that says what is missing, and each question lets it be tried again, as does time.

use std::convert::Infallible;
use std::error::Error as _;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{DestroySession, SessionStore, StoreError, StoredSession, TouchSession};
use crate::SessionId;
use crate::watch::{Changes, SessionWatch, WatchError};

/// The shortest pause between two attempts, however many questions there are, and the longest, if there
/// are none, or if the error is not that the store is not there yet.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Opens a store now, or as soon as it is there.
///
/// `open` is called at once. An error that [lasts](StoreError::appears) is returned. If the store is
/// only not there yet, that is logged once, and `open` is called again, at least once a second, until
/// it succeeds: once a second at most while its error is another one, such as a wrong password. Until then the store that is returned answers each question with the last
/// error, so that connections are refused with `try_again`, and its feed of changes waits.
///
/// [`open`](super::open) does the same for a URL.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use express_session::store::{self, SessionStore, file::FileStore};
///
/// let dir = testkit::ScratchDir::new();
/// let folder = dir.join("sessions");
/// let store = store::open_later({
///     let folder = folder.clone();
///     move || FileStore::open(folder.clone())
/// })
/// .await?;
/// assert!(store.load(&"sid".into()).await.is_err());
///
/// std::fs::create_dir(&folder)?;
/// assert!(store.load(&"sid".into()).await?.is_none());
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`StoreError`] as `open` gives it, if waiting can't help.
pub async fn open_later<S, F>(
    open: impl Fn() -> F + Send + Sync + 'static,
) -> Result<Arc<dyn SessionStore>, StoreError>
where
    S: SessionStore,
    F: Future<Output = Result<S, StoreError>> + Send + 'static,
{
    let error = match open().await {
        Ok(store) => return Ok(Arc::new(store)),
        Err(error) => error,
    };
    let Some(appears) = error.appears() else {
        return Err(error);
    };
    tracing::warn!(
        "the session store is not there yet: {}; {appears}. Until then connections are refused \
         with `try_again`",
        chain(&error)
    );
    let arrival = Arc::new(Arrival::default());
    let (tell, progress) = watch::channel(Progress { begun: 0, ended: 0, error });
    let mut attempts = JoinSet::new();
    attempts.spawn(keep_trying(open, tell, arrival.clone()));
    Ok(Arc::new(LaterStore { arrival, progress, _attempts: attempts }))
}

/// A store that may not be there yet.
struct LaterStore {
    arrival: Arc<Arrival>,
    progress: watch::Receiver<Progress>,
    /// Ends with the store.
    _attempts: JoinSet<()>,
}

#[derive(Default)]
struct Arrival {
    store: OnceLock<Arc<dyn SessionStore>>,
    /// Has a question waiting.
    asked: Notify,
}

/// The attempts so far, and what the last one gave.
struct Progress {
    begun: u64,
    ended: u64,
    error: StoreError,
}

async fn keep_trying<S, F>(
    open: impl Fn() -> F + Send + Sync,
    progress: watch::Sender<Progress>,
    arrival: Arc<Arrival>,
) where
    S: SessionStore,
    F: Future<Output = Result<S, StoreError>> + Send,
{
    loop {
        if progress.borrow().error.appears().is_some() {
            sleep(PAUSES.0).await;
            let _ = timeout(PAUSES.1, arrival.asked.notified()).await;
        } else {
            // A wrong password, say, which must not be tried as often as clients ask.
            sleep(PAUSES.1).await;
        }
        progress.send_modify(|progress| progress.begun += 1);
        match open().await {
            Ok(store) => {
                let _ = arrival.store.set(Arc::new(store));
                tracing::info!("the session store is there now");
                // Dropping `progress` tells all who wait.
                return;
            }
            Err(error) => progress.send_modify(|progress| {
                log_what_is_new(&progress.error, &error);
                progress.ended = progress.begun;
                progress.error = error;
            }),
        }
    }
}

fn log_what_is_new(before: &StoreError, now: &StoreError) {
    let (before, text) = (chain(before), chain(now));
    match now.appears() {
        _ if before == text => {}
        Some(appears) => {
            tracing::info!("the session store is still not there: {text}; {appears}");
        }
        None => tracing::error!("the session store can't be opened: {text}"),
    }
}

fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl LaterStore {
    /// The store, after an attempt that begins now, if need be.
    async fn store(&self) -> Result<&Arc<dyn SessionStore>, StoreError> {
        if let Some(store) = self.arrival.store.get() {
            return Ok(store);
        }
        let mut progress = self.progress.clone();
        let before = {
            let progress = progress.borrow();
            if progress.error.appears().is_none() {
                // No question hastens the next attempt.
                return Err(progress.error.clone());
            }
            progress.begun
        };
        self.arrival.asked.notify_one();
        // An error says that it is there, which the last line sees.
        let _ = progress.wait_for(|progress| progress.ended > before).await;
        let error = || self.progress.borrow().error.clone();
        self.arrival.store.get().ok_or_else(error)
    }
}

#[async_trait]
impl SessionStore for LaterStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.store().await?.load(sid).await
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        self.store().await?.load_many(sids).await
    }

    fn watch(&self) -> Option<Arc<dyn SessionWatch>> {
        match self.arrival.store.get() {
            Some(store) => store.watch(),
            None => Some(Arc::new(LaterWatch {
                arrival: self.arrival.clone(),
                progress: self.progress.clone(),
            })),
        }
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        self.arrival.store.get().map_or(Some(self), |store| store.as_touch())
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        self.arrival.store.get().map_or(Some(self), |store| store.as_destroy())
    }
}

#[async_trait]
impl TouchSession for LaterStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        match self.store().await?.as_touch() {
            Some(store) => store.touch(sid, life).await,
            None => Err(StoreError::message("it can't touch sessions")),
        }
    }
}

#[async_trait]
impl DestroySession for LaterStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        match self.store().await?.as_destroy() {
            Some(store) => store.destroy(sid).await,
            None => Err(StoreError::message("it can't destroy sessions")),
        }
    }
}

impl fmt::Debug for LaterStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.arrival.store.get() {
            Some(store) => store.fmt(f),
            None => f.write_str("LaterStore(not there yet)"),
        }
    }
}

/// The feed of a store that may not be there yet.
struct LaterWatch {
    arrival: Arc<Arrival>,
    progress: watch::Receiver<Progress>,
}

#[async_trait]
impl SessionWatch for LaterWatch {
    async fn watch(&self, changes: &Changes) -> Result<Infallible, WatchError> {
        // Until there will be no further attempt.
        let _ = self.progress.clone().wait_for(|_| false).await;
        match self.arrival.store.get().map(SessionStore::watch) {
            Some(Some(watch)) => watch.watch(changes).await,
            // It has none, or all is about to end.
            Some(None) | None => pending().await,
        }
    }
}

impl fmt::Debug for LaterWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LaterWatch")
    }
}
