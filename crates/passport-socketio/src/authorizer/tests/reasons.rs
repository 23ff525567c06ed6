//! Every document names the same codes, and says the same of them.

use super::*;

const TABLE: &str = include_str!("../mod.rs");
const README: &str = include_str!("../../../../../README.md");
const OBSERVABILITY: &str = include_str!("../../../../../docs/observability.md");
const FROM_PASSPORT: &str = include_str!("../../../../../docs/from-passport-socketio.md");

/// The rows of the table in `authorizer/mod.rs`: codes, kind, what the client reads, guest.
fn rows() -> Vec<(Vec<&'static str>, &'static str, &'static str, &'static str)> {
    let cells = |line: &'static str| -> Option<Vec<&'static str>> {
        let row = line.strip_prefix("//! | ")?.strip_suffix(" |")?;
        Some(row.split('|').map(str::trim).collect())
    };
    let rows = TABLE.lines().filter_map(cells);
    let rows = rows.filter_map(|row| match *row {
        [_, _, codes, kind @ ("denied" | "error"), reads, guest] => {
            Some((quoted(codes), kind, reads, guest))
        }
        _ => None,
    });
    rows.collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_table_of_checks_lists_every_code_once_with_its_effect() {
    let mut codes = Vec::new();
    for (of_row, kind, reads, guest) in rows() {
        for code in of_row {
            codes.push(code);
            let reason = Reason::ALL.iter().find(|reason| reason.code() == code);
            let reason = reason.unwrap_or_else(|| panic!("there is no `{code}`"));
            assert_eq!(kind == "error", reason.is_error(), "{code}");
            assert_eq!(guest == "yes", reason.allows_guest(), "{code}");
            match reason.client_message() {
                Some(word) => assert_eq!(quoted(reads), [word], "{code}"),
                None => assert_eq!(reads, "the app's own text", "{code}"),
            }
        }
    }
    codes.sort_unstable();
    let mut all: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    all.sort_unstable();
    assert_eq!(codes, all);
}

#[test]
fn the_guide_names_every_code() {
    let section = |text: &'static str, heading: &str| {
        let after = text.split_once(heading).unwrap().1;
        after.split_once("\n## ").map_or(after, |(section, _)| section)
    };
    for (name, text) in [
        ("README", section(README, "\n## What the client reads")),
        ("observability", section(OBSERVABILITY, "\n## Codes")),
        ("from-passport-socketio", FROM_PASSPORT),
    ] {
        let named = quoted(text);
        let missing: Vec<_> =
            Reason::ALL.iter().map(|reason| reason.code()).filter(|c| !named.contains(c)).collect();
        assert!(missing.is_empty(), "{name} does not name {missing:?}");
    }
}

#[test]
fn no_error_allows_guests_and_client_messages_come_from_a_fixed_list() {
    let words = ["unauthorized", "forbidden", "try_again", "server_error", "too_many_connections"];
    for reason in Reason::ALL {
        assert!(!(reason.is_error() && reason.allows_guest()), "{reason:?}");
        assert!(reason.client_message().is_none_or(|word| words.contains(&word)), "{reason:?}");
    }
}
