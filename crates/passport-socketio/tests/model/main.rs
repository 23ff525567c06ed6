//! A model of the whole, under paused time: random sequences of what can happen to logins, connections,
//! the store, its feed and the clock, and after each step the [rules] of what must be true.
//!
//! - [operations]: what can happen; [random], [story]: sequences of it; [play]: one run;
//! - [world], [store]: sessions, users, the clock, and what is true of them; [config]: what differs;
//! - [node], [client], [bus]: servers, alone or as a cluster, who connects, and what nodes can know of each
//!   other; [record]: what the servers did;
//! - [rules], [admission], [ends], [looks]: what must be true; [search]: from a failure to its smallest
//!   sequence.
//!
//! `scripts/model` runs it for longer, and plays a seed again.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests assert, and say how far they are"
)]

mod admission;
mod bus;
mod client;
mod config;
mod ends;
mod looks;
mod node;
mod operations;
mod play;
mod random;
mod record;
mod rules;
mod search;
mod store;
mod story;
mod world;

#[test]
fn every_rule_holds_after_every_step_of_random_sequences() {
    search::search(&search::Plan::from_environment());
}
