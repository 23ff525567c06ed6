//! What the pipeline saw, check by check, for who asks why.

use crate::model::{AuthorizeError, Check, Decision, Failure};
use crate::observe::events;

/// A check that was made, and what it saw: names, lengths and hashes, never a value of a cookie or
/// a session, but for the user key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Which.
    pub check: Check,
    /// Whether it passed. A check that did not is the last one.
    pub passed: bool,
    /// What it saw, in words; empty where there is nothing to tell.
    pub saw: String,
}

/// A decision and how it came about. Made by [`Authorizer::explain`](crate::Authorizer::explain).
#[derive(Debug)]
#[non_exhaustive]
pub struct Explanation<U> {
    /// The checks that were made, in their order.
    pub steps: Vec<Step>,
    /// What was decided.
    pub outcome: Result<Decision<U>, AuthorizeError>,
}

/// Records every check that passed. What a check saw is put into words only if it is recorded.
pub(crate) trait Trace: Send {
    fn passed(&mut self, check: Check, saw: impl FnOnce() -> String);

    /// Of so many session cookies the first one counts.
    fn has_several_cookies(&mut self, cookies: usize) {
        events::several_cookies(cookies);
    }
}

/// Nothing is recorded.
pub(crate) struct NoTrace;

impl Trace for NoTrace {
    fn passed(&mut self, _: Check, _: impl FnOnce() -> String) {}
}

/// For a connection's later requests: what the first one said is not logged again.
pub(crate) struct LaterRequest;

impl Trace for LaterRequest {
    fn passed(&mut self, _: Check, _: impl FnOnce() -> String) {}

    fn has_several_cookies(&mut self, _: usize) {}
}

impl Trace for Vec<Step> {
    fn passed(&mut self, check: Check, saw: impl FnOnce() -> String) {
        self.push(Step { check, passed: true, saw: saw() });
    }
}

/// The check that a failure failed.
pub(crate) fn failed_step(failure: &Failure) -> Step {
    Step { check: failure.check(), passed: false, saw: with_sources(failure) }
}

/// An error and what caused it.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
