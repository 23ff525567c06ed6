//! Real Redis servers under a real Sentinel.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::redis_cluster::run as ask;
use super::{RedisServer, ServerProcess};
use crate::ScratchDir;

/// A master and its replica, and a sentinel that lets the one take the other's place.
#[derive(Debug)]
pub struct RedisSentinel {
    master: RedisServer,
    replica: RedisServer,
    sentinel: ServerProcess,
    _dir: ScratchDir,
}

impl RedisSentinel {
    /// The name of the master.
    pub const NAME: &str = "of-ours";

    /// Starts them. `None` where Redis is not installed (see
    /// [`missing_server`](crate::missing_server)).
    ///
    /// # Panics
    /// If it is installed but does not start; under `CI` also if it is not installed.
    pub async fn start() -> Option<Self> {
        let (master, replica) = (RedisServer::start().await?, RedisServer::start().await?);
        let port = master.process().port();
        ask(replica.process().port(), &format!("REPLICAOF 127.0.0.1 {port}")).await;
        let dir = ScratchDir::new();
        let sentinel = ServerProcess::start("redis-server", &dir, sentinel).await?;
        let under = Self { master, replica, sentinel, _dir: dir };
        let name = Self::NAME;
        for line in [
            format!("SENTINEL MONITOR {name} 127.0.0.1 {port} 1"),
            format!("SENTINEL SET {name} down-after-milliseconds 2000"),
            format!("SENTINEL SET {name} failover-timeout 4000"),
        ] {
            ask(under.sentinel.port(), &line).await;
        }
        // It can't take over before it is known, and in step.
        let replicas = format!("SENTINEL REPLICAS {name}");
        under.until(&replicas, |known| known.contains("master-link-status\r\n$2\r\nok")).await;
        Some(under)
    }

    /// The master at the start.
    pub fn master(&self) -> &RedisServer {
        &self.master
    }

    /// The replica, which becomes the master.
    pub fn replica(&self) -> &RedisServer {
        &self.replica
    }

    /// The sentinel.
    pub fn process(&self) -> &ServerProcess {
        &self.sentinel
    }

    /// `HOST:PORT` of the sentinel.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.sentinel.port())
    }

    /// Waits until the sentinel names the former replica as the master.
    ///
    /// # Panics
    /// If it does not within 30 seconds.
    pub async fn has_failed_over(&self) {
        let port = self.replica.process().port().to_string();
        let master = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {}", Self::NAME);
        self.until(&master, |address| address.contains(&port)).await;
    }

    /// From now on the sentinel names another server as the master of this name.
    pub async fn is_to_monitor(&self, other: &RedisServer) {
        let (name, port) = (Self::NAME, other.process().port());
        ask(self.sentinel.port(), &format!("SENTINEL REMOVE {name}")).await;
        ask(self.sentinel.port(), &format!("SENTINEL MONITOR {name} 127.0.0.1 {port} 1")).await;
    }

    async fn until(&self, line: &str, holds: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = ask(self.sentinel.port(), line).await;
            if holds(&answer) {
                return;
            }
            assert!(Instant::now() < deadline, "{line} within 30 s:\n{answer}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn sentinel(port: u16, dir: &Path) -> Command {
    let file = dir.join("sentinel.conf");
    if !file.exists() {
        std::fs::write(&file, "").expect("the folder is ours");
    }
    let mut command = Command::new("redis-server");
    command.arg(file).arg("--sentinel").arg("--port").arg(port.to_string());
    command.args(["--bind", "127.0.0.1"]).arg("--dir").arg(dir);
    command
}
