//! Logs go to stderr, by `RUST_LOG`.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. By default warnings; `RUST_LOG` is honoured for our own targets, while
/// dependencies stay at `info` whatever it says: below that they print headers and frames, which
/// hold cookies and private data.
pub(crate) fn init() {
    let asked =
        EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    let cap = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("passport_socketio", LevelFilter::TRACE)
        .with_target("express_session", LevelFilter::TRACE);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    tracing_subscriber::registry().with(lines.with_filter(asked.and(cap))).init();
}
