//! The security checklist item by item, the page that lists its tests, and the audit hook.

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod checklist;
mod threat_model;
