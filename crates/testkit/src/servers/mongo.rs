//! A server that speaks MongoDB's protocol.

use std::ffi::OsString;
use std::path::Path;

use tokio::process::Command;

use super::ServerProcess;
use crate::ScratchDir;

/// Where `scripts/install-mongo-wire` puts it.
const INSTALLED: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/mongo-wire/bin/mongo-wire");

/// A MongoDB-wire server of the test's own. MongoDB itself is in no distribution, so this is what
/// `scripts/install-mongo-wire` installs; the environment variable `MONGO_WIRE_SERVER` names another
/// program with mongod's options, such as mongod.
#[derive(Debug)]
pub struct MongoServer {
    process: ServerProcess,
    _dir: ScratchDir,
}

impl MongoServer {
    /// Starts one. `None` where it is not installed (see
    /// [`missing_server`](crate::missing_server)).
    ///
    /// # Panics
    /// If it is installed but does not start; under `CI` also if it is not installed.
    pub async fn start() -> Option<Self> {
        let dir = ScratchDir::new();
        let process = ServerProcess::start("mongo-wire", &dir, command).await?;
        Some(Self { process, _dir: dir })
    }

    /// The URL of its database `app`.
    pub fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/app", self.process.port())
    }

    /// The process, to be stopped and started again: perhaps empty then.
    pub fn process(&self) -> &ServerProcess {
        &self.process
    }
}

fn command(port: u16, dir: &Path) -> Command {
    let program = std::env::var_os("MONGO_WIRE_SERVER");
    let mut command = Command::new(program.unwrap_or_else(|| OsString::from(INSTALLED)));
    command.arg("--port").arg(port.to_string()).arg("--dbpath").arg(dir);
    command.args(["--bind_ip", "127.0.0.1"]).stderr(std::process::Stdio::null());
    command
}
