//! The table in `docs/threat-model.md`: every item of the checklist has a line, and every test that a
//! line names is there.

use std::path::{Path, PathBuf};

/// The lines of the table: an item's number, and what proves it.
fn table() -> Vec<(u32, Vec<String>)> {
    let page = include_str!("../../../../docs/threat-model.md");
    let line = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let item = cells.next()?.trim().parse().ok()?;
        let proofs = cells.nth(1)?.split('`').skip(1).step_by(2);
        Some((item, proofs.map(str::to_owned).collect()))
    };
    page.lines().filter_map(line).collect()
}

/// Whether a file of the repository holds a test of this name. A file alone is a script.
fn exists(proof: &str) -> bool {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let Some((file, test)) = proof.split_once("::") else { return root.join(proof).is_file() };
    let source = std::fs::read_to_string(root.join(file)).unwrap_or_default();
    if file.rsplit('.').next() == Some("mjs") {
        return ['\'', '"', '`'].iter().any(|q| source.contains(&format!("test({q}{test}{q}")));
    }
    let Some((before, _)) = source.split_once(&format!("fn {test}()")) else { return false };
    let attributes = before.lines().rev().skip(usize::from(!before.ends_with('\n')));
    let mut attributes = attributes.take_while(|line| line.trim_start().starts_with("#["));
    attributes.any(|line| line.contains("test"))
}

#[test]
fn every_test_that_the_guide_names_exists() {
    let proofs = || table().into_iter().flat_map(|(_, proofs)| proofs);
    let missing: Vec<_> = proofs().filter(|proof| !exists(proof)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(proofs().count() > 80);
    assert!(!exists("crates/passport-socketio/tests/security/checklist.rs::no_such_test"));
    assert!(!exists("crates/passport-socketio/tests/security/threat_model.rs::exists"));
    assert!(!exists("scripts/no-such-script"));
}

#[test]
fn every_item_has_a_line_and_a_proof_unless_it_does_not_apply() {
    let items: Vec<_> = table().iter().map(|(item, _)| *item).collect();
    let expected: Vec<_> = (1..=41).filter(|item| ![27, 36].contains(item)).collect();
    assert_eq!(items, expected);
    let unproved = table().into_iter().filter(|(_, proofs)| proofs.is_empty());
    assert_eq!(unproved.map(|(item, _)| item).collect::<Vec<_>>(), [28, 30]);
    // What stands in this file under a number is in the line of that number.
    for line in include_str!("checklist.rs").lines() {
        if let Some(item) = line.strip_prefix("async fn item_") {
            let name = item.split('(').next().unwrap();
            let number: u32 = item.split('_').next().unwrap().parse().unwrap();
            let own = format!("crates/passport-socketio/tests/security/checklist.rs::item_{name}");
            let line = table().into_iter().find(|(item, _)| *item == number);
            assert!(line.unwrap().1.contains(&own), "{own}");
        }
    }
}
