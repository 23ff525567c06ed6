//! Waiting without sleeping.

use std::time::{Duration, Instant};

/// How long a test waits for what it expects. Each takes milliseconds, seconds on a busy machine. It is
/// shorter than 15 s: half of the default `max_stale`, after which a sweep would find what should have been
/// reported, and the test would pass without the report.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for an event; fails the test if it does not happen within [`PATIENCE`].
pub(crate) async fn soon<F: Future>(event: F) -> F::Output {
    let outcome = tokio::time::timeout(PATIENCE, event).await;
    outcome.expect("the event happens in time")
}

/// Lets all other tasks run until the condition holds. For conditions that no event announces.
///
/// It stands by the machine's own clock, since tokio's is paused in most tests and does not move here.
/// Where it is not paused, the condition may depend on other processes, which a busy machine delays.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    for turn in 0.. {
        if condition() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        if turn > 10_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        tokio::task::yield_now().await;
    }
}
