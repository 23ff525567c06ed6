//! A real memcached.

use std::path::Path;

use tokio::process::Command;

use super::ServerProcess;
use crate::ScratchDir;

/// A `memcached` of the test's own.
#[derive(Debug)]
pub struct MemcachedServer {
    process: ServerProcess,
    _dir: ScratchDir,
}

impl MemcachedServer {
    /// Starts one. `None` where memcached is not installed (see
    /// [`missing_server`](crate::missing_server)).
    ///
    /// # Panics
    /// If it is installed but does not start; under `CI` also if it is not installed.
    pub async fn start() -> Option<Self> {
        let dir = ScratchDir::new();
        let process = ServerProcess::start("memcached", &dir, command).await?;
        Some(Self { process, _dir: dir })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("memcached://127.0.0.1:{}", self.process.port())
    }

    /// The process, to be stopped and started again: empty then.
    pub fn process(&self) -> &ServerProcess {
        &self.process
    }
}

fn command(port: u16, _: &Path) -> Command {
    let mut command = Command::new("memcached");
    // Without UDP. It changes to this user if root starts it: as root it would refuse to run.
    command.args(["-U", "0", "-l", "127.0.0.1", "-u", "nobody", "-p"]).arg(port.to_string());
    command
}
