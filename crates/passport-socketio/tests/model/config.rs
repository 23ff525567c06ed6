//! What is chosen once for a run, and how well the store, its feed and the app's hooks can do.

use std::time::Duration;

/// What is chosen once for each run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) max_stale: Duration,
    pub(crate) grace: Duration,
    pub(crate) nodes: usize,
    pub(crate) layer: LayerKind,
    /// Whether the store tells of changes.
    pub(crate) feed: bool,
    /// Whether sessions end by the date in them, or the store counts them down.
    pub(crate) dated: bool,
    /// How many loads may be under way; none waits.
    pub(crate) loads: usize,
    pub(crate) kept_for: Duration,
    /// Whether a second authorizer guards `/both`.
    pub(crate) two: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LayerKind {
    Over,
    Around,
    None,
}

pub(crate) const STORE_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreMode {
    Up,
    /// It answers so many milliseconds later what it knew when it was asked.
    Slow(u64),
    Away,
    Hanging,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeedMode {
    Prompt,
    Late(u64),
    /// Changes are lost, and the feed does not know.
    Deaf,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookMode {
    Prompt,
    /// It answers so many milliseconds later what was true when it was asked.
    Slow(u64),
    Fails,
}
