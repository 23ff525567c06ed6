//! The names are those in the guide, and no text gets out of its line.

use std::collections::BTreeSet;

use super::metrics::ALL;
use super::text::{chain, safe};

const GUIDE: &str = include_str!("../../../../docs/observability.md");

#[test]
fn the_guide_names_every_metric_and_no_other() {
    let ours: BTreeSet<_> = ALL.iter().map(|(name, ..)| *name).collect();
    let cells = GUIDE.lines().filter_map(|line| line.strip_prefix("| `passport_socketio_"));
    let told: BTreeSet<_> = cells.filter_map(|rest| rest.split('`').next()).collect();
    let told: BTreeSet<_> = told.iter().map(|rest| format!("passport_socketio_{rest}")).collect();
    let told: BTreeSet<_> = told.iter().map(String::as_str).collect();
    assert_eq!(ours, told);
}

#[test]
fn the_guide_names_every_event() {
    let source = concat!(include_str!("events.rs"), include_str!("nodes.rs"));
    // Every event's message, but for the one that is put together.
    let messages = source.split('"').skip(1).step_by(2).filter(|text| text.contains(' '));
    let missing: Vec<_> = messages.filter(|message| !GUIDE.contains(*message)).collect();
    assert_eq!(missing, ["the app's {hook} panicked"]);
    assert!(GUIDE.contains("the app's … panicked"));
}

#[test]
fn control_characters_in_logged_text_are_escaped() {
    assert_eq!(safe("plain, \"quoted\" and ünïcode \\"), "plain, \"quoted\" and ünïcode \\");
    assert_eq!(safe("a\nb\r\x1b[31m\u{202e}"), "a\\nb\\r\\u{1b}[31m\\u{202e}");
    assert_eq!(safe("\u{2028}\0\u{85}"), "\\u{2028}\\0\\u{85}");
    let long = "x".repeat(10_000);
    assert_eq!(safe(&long).chars().count(), 513);
}

#[test]
fn a_chain_of_errors_is_logged_as_one_line() {
    let cause = std::io::Error::other("code: 1\ncode=\"granted\"");
    let error = express_session::store::StoreError::new("GET", cause);
    assert_eq!(chain(&error), "session store: GET: code: 1\\ncode=\"granted\"");
}
