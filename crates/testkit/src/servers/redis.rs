//! A real Redis.

use std::path::Path;

use tokio::process::Command;

use super::redis_cluster::bus_port;
use super::{Certificates, ServerProcess};
use crate::ScratchDir;

/// A `redis-server` of the test's own, with nothing kept on disk.
#[derive(Debug)]
pub struct RedisServer {
    process: ServerProcess,
    dir: ScratchDir,
}

impl RedisServer {
    /// Starts one. `None` where Redis is not installed (see
    /// [`missing_server`](crate::missing_server)).
    ///
    /// # Panics
    /// If it is installed but does not start; under `CI` also if it is not installed.
    pub async fn start() -> Option<Self> {
        let dir = ScratchDir::new();
        let process = ServerProcess::start("redis-server", &dir, plain).await?;
        Some(Self { process, dir })
    }

    /// Starts one that speaks TLS and nothing else. It requires no certificate of its clients, but
    /// verifies one that they present.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_with_tls() -> Option<(Self, Certificates)> {
        Self::start_certified(tls).await
    }

    /// The same as a node of a cluster, without any slots so far.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_node_with_tls() -> Option<(Self, Certificates)> {
        Self::start_certified(tls_node).await
    }

    async fn start_certified(command: fn(u16, &Path) -> Command) -> Option<(Self, Certificates)> {
        let dir = ScratchDir::new();
        let certificates = Certificates::make(&dir).await?;
        let process = ServerProcess::start("redis-server", &dir, command).await?;
        Some((Self { process, dir }, certificates))
    }

    /// Its URL, where it does not speak TLS.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.process.port())
    }

    /// Its socket in the file system, where it was made by [`start`](Self::start).
    pub fn socket(&self) -> std::path::PathBuf {
        self.dir.join("redis.sock")
    }

    /// The process, to be stopped and started again: empty then.
    pub fn process(&self) -> &ServerProcess {
        &self.process
    }
}

fn plain(port: u16, dir: &Path) -> Command {
    let mut command = Command::new("redis-server");
    keep_to(dir, &mut command);
    command.arg("--port").arg(port.to_string());
    command.arg("--unixsocket").arg(dir.join("redis.sock"));
    command
}

fn tls(port: u16, dir: &Path) -> Command {
    let mut command = Command::new("redis-server");
    keep_to(dir, &mut command);
    command.args(["--port", "0", "--tls-auth-clients", "optional", "--tls-port"]);
    command.arg(port.to_string());
    for (option, file) in [
        ("--tls-ca-cert-file", "ca.pem"),
        ("--tls-cert-file", "test.pem"),
        ("--tls-key-file", "test.key"),
    ] {
        command.arg(option).arg(dir.join(file));
    }
    command
}

fn tls_node(port: u16, dir: &Path) -> Command {
    let mut command = tls(port, dir);
    command.args(["--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port"]);
    command.arg(bus_port(port).to_string());
    command
}

/// What all have in common.
pub(super) fn keep_to(dir: &Path, command: &mut Command) {
    command.arg("--dir").arg(dir);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
}
