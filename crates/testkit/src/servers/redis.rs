//! A real Redis.

use std::path::Path;

use tokio::process::Command;

use super::ServerProcess;
use crate::ScratchDir;

/// A `redis-server` of the test's own, with nothing kept on disk.
#[derive(Debug)]
pub struct RedisServer {
    process: ServerProcess,
    _dir: ScratchDir,
}

impl RedisServer {
    /// Starts one. `None` where Redis is not installed (see
    /// [`missing_server`](crate::missing_server)).
    ///
    /// # Panics
    /// If it is installed but does not start; under `CI` also if it is not installed.
    pub async fn start() -> Option<Self> {
        let dir = ScratchDir::new();
        let process = ServerProcess::start("redis-server", &dir, command).await?;
        Some(Self { process, _dir: dir })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.process.port())
    }

    /// The process, to be stopped and started again: empty then.
    pub fn process(&self) -> &ServerProcess {
        &self.process
    }
}

fn command(port: u16, dir: &Path) -> Command {
    let mut command = Command::new("redis-server");
    command.arg("--port").arg(port.to_string()).arg("--dir").arg(dir);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command
}
