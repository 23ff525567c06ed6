//! What was published, and waits to be acted on.
//!
//! The driver reads from the connection as fast as it can, into a queue without a bound. So what it has read is taken out
//! at once, by a task that does nothing else, and kept here within bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Incoming;
use crate::stats::Stats;

/// So many messages may wait, and so many bytes of them: some seconds of work. Node keeps them all in memory.
const MESSAGES: usize = 16_384;
const BYTES: usize = 64 * 1024 * 1024;

pub(super) struct Inbox {
    messages: mpsc::Sender<Incoming>,
    bytes: Arc<AtomicUsize>,
    stats: Arc<Stats>,
}

impl Inbox {
    /// Hands what is put into it to `hear`, one after the other, in a task of its own.
    pub(super) fn start(
        stats: Arc<Stats>,
        mut hear: impl FnMut(Incoming) + Send + 'static,
    ) -> (Self, AbortHandle) {
        let (messages, mut waiting) = mpsc::channel::<Incoming>(MESSAGES);
        let bytes = Arc::<AtomicUsize>::default();
        let inbox = Self { messages, bytes: bytes.clone(), stats: stats.clone() };
        let task = tokio::spawn(async move {
            while let Some(incoming) = waiting.recv().await {
                bytes.fetch_sub(incoming.message.len(), Ordering::Relaxed);
                // socketioxide runs a socket's disconnect handler in here.
                stats.guard(|| hear(incoming));
            }
        });
        (inbox, task.abort_handle())
    }

    /// One that finds no room is dropped, and counted.
    pub(super) fn put(&self, incoming: Incoming) {
        let size = incoming.message.len();
        let before = self.bytes.fetch_add(size, Ordering::Relaxed);
        if before.saturating_add(size) > BYTES || self.messages.try_send(incoming).is_err() {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            self.stats.dropped();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn message(number: usize, size: usize) -> Incoming {
        Incoming { channel: number.to_string(), message: vec![0; size] }
    }

    fn heard() -> (Inbox, Arc<Mutex<Vec<String>>>, Arc<Stats>) {
        let (stats, heard) = (Arc::<Stats>::default(), Arc::<Mutex<Vec<String>>>::default());
        let told = heard.clone();
        let hear = move |incoming: Incoming| told.lock().unwrap().push(incoming.channel);
        (Inbox::start(stats.clone(), hear).0, heard, stats)
    }

    async fn until(heard: &Mutex<Vec<String>>, count: usize) {
        while heard.lock().unwrap().len() < count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_flood_keeps_its_beginning_and_the_rest_is_counted() {
        let (inbox, heard, stats) = heard();
        for number in 0..MESSAGES + 10 {
            inbox.put(message(number, 1));
        }
        until(&heard, MESSAGES).await;
        inbox.put(message(0, 1));
        until(&heard, MESSAGES + 1).await;
        let expected: Vec<String> = (0..MESSAGES).chain([0]).map(|n| n.to_string()).collect();
        assert_eq!(*heard.lock().unwrap(), expected);
        assert_eq!(stats.counts().dropped, 10);
    }

    #[tokio::test]
    async fn what_follows_a_panic_is_heard() {
        let (stats, heard) = (Arc::<Stats>::default(), Arc::<Mutex<Vec<String>>>::default());
        let told = heard.clone();
        let hear = move |incoming: Incoming| {
            assert!(incoming.channel != "0", "the app's handler");
            told.lock().unwrap().push(incoming.channel);
        };
        let (inbox, task) = Inbox::start(stats.clone(), hear);
        inbox.put(message(0, 1));
        inbox.put(message(1, 1));
        while heard.lock().unwrap().is_empty() {
            assert!(!task.is_finished(), "nothing more is heard");
            tokio::task::yield_now().await;
        }
        assert_eq!(*heard.lock().unwrap(), ["1"]);
        assert_eq!(stats.counts().panicked, 1);
    }

    #[tokio::test]
    async fn large_messages_are_bounded_by_their_bytes() {
        let (inbox, heard, stats) = heard();
        for number in 0..5 {
            inbox.put(message(number, BYTES / 4));
        }
        until(&heard, 4).await;
        for number in 5..9 {
            inbox.put(message(number, BYTES / 4));
        }
        until(&heard, 8).await;
        assert_eq!(stats.counts().dropped, 1);
    }
}
