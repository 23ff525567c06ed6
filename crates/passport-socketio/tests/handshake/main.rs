//! What happens before a socket is there: decisions, layers, gates, extractors and the app's own code.

#[path = "../common/mod.rs"]
mod common;

mod binding;
mod builder;
mod carried;
mod compact;
mod cors;
mod extractors;
mod freed;
mod gate;
mod hooks;
mod layer;
mod layer_over;
mod limits;
mod middlewares;
mod panics;
mod refuse_at_http;
