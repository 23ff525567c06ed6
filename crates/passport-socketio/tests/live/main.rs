//! Live sessions: sockets end with their login, on one node and on several.

#[path = "../common/mod.rs"]
mod common;

mod activity;
mod churn;
mod clock_jumps;
mod cluster;
mod ends;
mod faults;
mod keeping;
mod logout_everywhere;
mod midway;
mod operators;
mod races;
mod registry;
mod storms;
mod two_authorizers;
