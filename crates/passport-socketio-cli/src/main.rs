//! The `passport-socketio` command line.

mod args;
mod demo;
mod doctor;
mod logging;
mod open_store;
mod sessions;

use std::error::Error;
use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser as _;

/// Whatever ends a command early: its message is for the person who typed it.
type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    logging::init();
    match Cli::parse().command {
        Command::Demo(args) => match demo::run(args).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                report(&*error);
                ExitCode::FAILURE
            }
        },
        Command::Doctor(args) => match doctor::run(&args).await {
            Ok(verdict) => verdict,
            Err(error) => {
                report(&*error);
                doctor::COULD_NOT_TELL.into()
            }
        },
    }
}

/// The error and what caused it, each said once.
#[expect(clippy::print_stderr, reason = "this is where a command line's errors go")]
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
