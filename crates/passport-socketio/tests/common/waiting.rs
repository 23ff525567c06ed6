//! Waiting without sleeping.

use std::time::Duration;

/// A real client waits as long as it takes; a test has failed long before.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happens, or fails the test.
pub(crate) async fn soon<F: Future>(event: F) -> F::Output {
    let outcome = tokio::time::timeout(PATIENCE, event).await;
    outcome.expect("it happens")
}

/// Lets all other tasks run until it is so. For what announces itself by no event.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never: {what}");
}
