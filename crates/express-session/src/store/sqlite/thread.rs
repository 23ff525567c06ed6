//! SQLite blocks, so a thread of the store's own runs the statements, in their order.

use std::path::Path;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::access;
use crate::store::StoreError;

/// A backstop: who asks gives up earlier by itself (the authorizer's `store_timeout`), and says so more
/// exactly.
const BACKSTOP: Duration = Duration::from_secs(10);
/// How long a statement waits for another process' lock.
const BUSY_TIMEOUT: Duration = Duration::from_millis(1500);
/// Statements that may wait for the thread; at some 20 µs each they are done in a few milliseconds.
const QUEUE: usize = 256;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A database and its thread, which ends with the last clone.
#[derive(Clone)]
pub(super) struct Thread {
    jobs: SyncSender<Job>,
}

impl Thread {
    pub(super) fn start(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let mut db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .and_then(|db| db.busy_timeout(BUSY_TIMEOUT).map(|()| db))
            .map_err(|error| StoreError::new("opening the database", error))?;
        let (jobs, queue) = mpsc::sync_channel::<Job>(QUEUE);
        std::thread::Builder::new()
            .name("sqlite-sessions".into())
            .spawn(move || queue.iter().for_each(|job| job(&mut db)))
            .map_err(|error| StoreError::new("starting the SQLite thread", error))?;
        Ok(Self { jobs })
    }

    /// Runs a statement.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        statement: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            // Whoever asked may have given up while the statement was in the queue.
            if !answer.is_closed() {
                let _ = answer.send(statement(db));
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::message("too many statements wait for SQLite"),
            TrySendError::Disconnected(_) => StoreError::message("the SQLite thread has ended"),
        })?;
        timeout(BACKSTOP, answered)
            .await
            .map_err(|late| StoreError::new(operation, late))?
            .map_err(|_| StoreError::message("the SQLite thread has ended"))?
            .map_err(|error| access::told(operation, error))
    }
}
