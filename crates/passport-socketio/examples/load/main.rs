//! Crowds against a server in this process, run by `scripts/storm`, `scripts/hostile` and `scripts/soak`.
//!
//! - `load storm`: everybody comes back at once, to a store that takes 50 ms. At least 99.9 % have to
//!   be back, and the store must not be asked for more at once than was allowed.
//! - `load hostile`: handshakes that mean no good, of all kinds. None may panic, ask the store
//!   without need, or leave anything behind.
//! - `load soak`: visits of all sorts for minutes, to a real Redis that fails in every way. Nobody may be
//!   mixed up, outlive their login, or be left behind.
//!
//! Clients speak HTTP and WebSocket of their own, byte by byte. They reach the server over TCP, or over
//! pipes in memory, where a process may not have as many files open as there are clients.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a run that can't go on has failed"
)]

mod client;
mod hostile;
mod kinds;
mod link;
mod memory;
mod server;
mod soak;
mod storm;

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use memory::Slack;

const USAGE: &str = "usage: load storm [--clients 20000] [--latency MS] [--transport memory|tcp]
       load hostile [--handshakes 100000] [--at-once 500] [--connect-timeout SECONDS]
                    [--slack MIB] [--resident-slack MIB]
       load soak [--minutes 10] [--visitors 60] [--slack MIB] [--resident-slack MIB]";

/// What stands behind the flags.
struct Flags(HashMap<String, String>);

impl Flags {
    fn read(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let mut flags = HashMap::new();
        while let Some(flag) = args.next() {
            flags.insert(flag.strip_prefix("--")?.to_owned(), args.next()?);
        }
        Some(Self(flags))
    }

    fn number(&mut self, name: &str, default: usize) -> Option<usize> {
        self.0.remove(name).map_or(Some(default), |text| text.parse().ok())
    }

    fn slack(&mut self, allocated: usize) -> Option<Slack> {
        let allocated = self.number("slack", allocated)?;
        let resident = self.0.remove("resident-slack").map(|text| text.parse());
        Some(Slack { allocated, resident: resident.transpose().ok()? })
    }

    fn storm(mut self) -> Option<storm::Storm> {
        let storm = storm::Storm {
            clients: self.number("clients", 20_000)?,
            latency: Duration::from_millis(self.number("latency", 50)? as u64),
            over_tcp: match self.0.remove("transport").as_deref() {
                None | Some("memory") => false,
                Some("tcp") => true,
                Some(_) => return None,
            },
        };
        self.0.is_empty().then_some(storm)
    }

    fn hostile(mut self) -> Option<hostile::Hostile> {
        let hostile = hostile::Hostile {
            handshakes: self.number("handshakes", 100_000)?,
            at_once: self.number("at-once", 500)?,
            connect_timeout: Duration::from_secs(self.number("connect-timeout", 5)? as u64),
            slack: self.slack(1)?,
        };
        self.0.is_empty().then_some(hostile)
    }

    fn soak(mut self) -> Option<soak::Soak> {
        let minutes: f64 = self.0.remove("minutes").map_or(Some(10.0), |text| text.parse().ok())?;
        let soak = soak::Soak {
            length: Duration::try_from_secs_f64(60.0 * minutes).ok()?,
            visitors: self.number("visitors", 60)?,
            slack: self.slack(4)?,
        };
        self.0.is_empty().then_some(soak)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let what = args.next();
    let flags = Flags::read(args);
    let kept = match (what.as_deref(), flags) {
        (Some("storm"), Some(flags)) => match flags.storm() {
            Some(storm) => storm.run().await,
            None => return usage(),
        },
        (Some("hostile"), Some(flags)) => match flags.hostile() {
            Some(hostile) => hostile.run().await,
            None => return usage(),
        },
        (Some("soak"), Some(flags)) => match flags.soak() {
            Some(soak) => soak.run().await.unwrap_or_else(|| promise("there is a Redis", false)),
            None => return usage(),
        },
        _ => return usage(),
    };
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

/// How many panics there are, from now on.
fn count_panics() -> Arc<AtomicUsize> {
    let panics = Arc::new(AtomicUsize::new(0));
    let count = panics.clone();
    std::panic::set_hook(Box::new(move |panic| {
        count.fetch_add(1, Ordering::Relaxed);
        eprintln!("{panic}");
    }));
    panics
}

/// One line of a report, and whether what it promises was kept.
fn promise(what: &str, kept: bool) -> bool {
    println!("{} {what}", if kept { "ok    " } else { "BROKEN" });
    kept
}
