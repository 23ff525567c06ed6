//! The `passport-socketio` command line.

mod args;
mod demo;
mod logging;
mod open_store;

use std::error::Error;
use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    logging::init();
    let done = match Cli::parse().command {
        Command::Demo(args) => demo::run(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

/// The error and what caused it, each said once.
#[expect(
    clippy::print_stderr,
    reason = "this is where a command line's errors go"
)]
fn report(error: &dyn Error) {
    let mut message = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_message = cause.to_string();
        if !message.ends_with(&cause_message) {
            message = format!("{message}: {cause_message}");
        }
        source = cause.source();
    }
    eprintln!("{message}");
}
