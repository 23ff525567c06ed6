//! What is counted and measured. Gauges add up over the authorizers of a process, so these tests have a process
//! of their own, in which they take turns.
#![cfg(all(feature = "metrics", feature = "redis"))]
#![expect(clippy::expect_used, reason = "helpers of tests assert, too")]

#[path = "../common/mod.rs"]
mod common;

mod counted;
mod outages;

use std::sync::{Mutex, PoisonError};

/// Runs one test after the other, each on a runtime that is gone before the next one begins.
fn alone(start_paused: bool, test: impl Future<Output = ()>) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(start_paused).build();
    runtime.expect("a runtime starts").block_on(test);
}
