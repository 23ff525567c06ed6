//! A real Redis Cluster.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::ServerProcess;
use super::redis::keep_to;
use crate::ScratchDir;

const SLOTS: usize = 16384;

/// Some `redis-server`s, each with its share of the slots, without replicas.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<ServerProcess>,
    spare: Option<ServerProcess>,
    dirs: Vec<ScratchDir>,
}

impl RedisCluster {
    /// Starts one of so many nodes. `None` where Redis is not installed (see
    /// [`missing_server`](crate::missing_server)).
    ///
    /// # Panics
    /// If it is installed but does not start; under `CI` also if it is not installed.
    pub async fn start(count: usize) -> Option<Self> {
        let (mut nodes, mut dirs) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let dir = ScratchDir::new();
            nodes.push(ServerProcess::start("redis-server", &dir, node).await?);
            dirs.push(dir);
        }
        let cluster = Self { nodes, spare: None, dirs };
        let first = cluster.nodes.first().expect("a cluster has nodes").port();
        for (n, node) in cluster.nodes.iter().enumerate() {
            let (from, to) = (SLOTS * n / count, SLOTS * (n + 1) / count - 1);
            run(node.port(), &format!("CLUSTER ADDSLOTSRANGE {from} {to}")).await;
            let meet = format!("CLUSTER MEET 127.0.0.1 {} {}", node.port(), bus_port(node.port()));
            run(first, &meet).await;
        }
        cluster.agrees().await;
        Some(cluster)
    }

    /// The same, with one more node that has no slots so far.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_with_spare(count: usize) -> Option<Self> {
        let mut cluster = Self::start(count).await?;
        let dir = ScratchDir::new();
        let spare = ServerProcess::start("redis-server", &dir, node).await?;
        let first = cluster.nodes.first().expect("a cluster has nodes").port();
        let port = spare.port();
        run(first, &format!("CLUSTER MEET 127.0.0.1 {port} {}", bus_port(port))).await;
        for node in cluster.nodes.iter().chain([&spare]) {
            let known = format!("cluster_known_nodes:{}\r\n", count + 1);
            until(node.port(), "CLUSTER INFO", |info| info.contains(&known)).await;
        }
        cluster.spare = Some(spare);
        cluster.dirs.push(dir);
        cluster.agrees().await;
        Some(cluster)
    }

    /// The node without slots, where the cluster was started with one.
    ///
    /// # Panics
    /// If it was not.
    pub fn spare(&self) -> &ServerProcess {
        self.spare.as_ref().expect("it was started with a spare")
    }

    /// Gives a slot that has no keys to the spare.
    ///
    /// # Panics
    /// If its owner still has keys in it.
    pub async fn give_to_spare(&self, slot: u16) {
        let id = self.id(self.spare()).await;
        let line = format!("CLUSTER SETSLOT {slot} NODE {id}");
        for node in [self.spare()].into_iter().chain(&self.nodes) {
            run(node.port(), &line).await;
        }
    }

    /// Makes the spare a replica of this node, in step with it.
    ///
    /// # Panics
    /// If it is not within 30 seconds.
    pub async fn replicate(&self, node: &ServerProcess) {
        let port = self.spare().port();
        run(port, &format!("CLUSTER REPLICATE {}", self.id(node).await)).await;
        until(port, "INFO replication", |info| info.contains("master_link_status:up")).await;
    }

    /// Makes the spare, a replica, the master in its master's place.
    ///
    /// # Panics
    /// If it does not take over within 30 seconds.
    pub async fn spare_takes_over(&self) {
        run(self.spare().port(), "CLUSTER FAILOVER TAKEOVER").await;
        until(self.spare().port(), "INFO replication", |info| info.contains("role:master")).await;
    }

    async fn id(&self, node: &ServerProcess) -> String {
        let answer = run(node.port(), "CLUSTER MYID").await;
        answer.lines().nth(1).expect("an id of 40 digits").to_owned()
    }

    /// The nodes, in the order of their slots. One that is started again has kept its slots and
    /// nothing else.
    pub fn nodes(&self) -> &[ServerProcess] {
        &self.nodes
    }

    /// Its URL, by all of its nodes.
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis://{}/?cluster=true", hosts.join(","))
    }

    /// From now on this node tells clients that it is reached at another port of 127.0.0.1.
    ///
    /// # Panics
    /// If it is not there.
    pub async fn announce(&self, node: &ServerProcess, port: u16) {
        run(node.port(), &format!("CONFIG SET cluster-announce-port {port}")).await;
        // Also when it is started again.
        run(node.port(), "CONFIG REWRITE").await;
        for other in &self.nodes {
            until(other.port(), "CLUSTER SLOTS", |slots| slots.contains(&format!(":{port}\r\n")))
                .await;
        }
    }

    /// Waits until every node knows the slots of all nodes.
    ///
    /// # Panics
    /// If they do not agree within 30 seconds.
    pub async fn agrees(&self) {
        for node in &self.nodes {
            until(node.port(), "CLUSTER INFO", |info| {
                info.contains("cluster_state:ok")
                    && info.contains(&format!("cluster_size:{}\r\n", self.nodes.len()))
            })
            .await;
        }
    }
}

fn node(port: u16, dir: &Path) -> Command {
    let file = dir.join("redis.conf");
    if !file.exists() {
        std::fs::write(&file, "").expect("the folder is ours");
    }
    let mut command = Command::new("redis-server");
    command.arg(file);
    keep_to(dir, &mut command);
    command.arg("--port").arg(port.to_string());
    command.arg("--cluster-port").arg(bus_port(port).to_string());
    command.args(["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]);
    // The other nodes go on serving when one is stopped: tests need that.
    command.args(["--cluster-require-full-coverage", "no"]);
    command
}

/// Where the nodes talk to each other. If another process has this port, the node does not start,
/// and gets another one.
pub(super) fn bus_port(port: u16) -> u16 {
    port.checked_add(10_000).unwrap_or(port - 10_000)
}

async fn until(port: u16, line: &str, holds: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = run(port, line).await;
        if holds(&answer) {
            return;
        }
        assert!(Instant::now() < deadline, "{line} within 30 s:\n{answer}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The answer to an inline command, as it comes over the wire.
pub(super) async fn run(port: u16, line: &str) -> String {
    let mut node = TcpStream::connect(("127.0.0.1", port)).await.expect("the node is there");
    let commands = format!("{line}\r\nQUIT\r\n");
    node.write_all(commands.as_bytes()).await.expect("the node listens");
    // A sentinel knows no QUIT.
    node.shutdown().await.expect("the node listens");
    let mut answer = String::new();
    node.read_to_string(&mut answer).await.expect("the node answers");
    assert!(!answer.starts_with('-'), "{line}: {answer}");
    answer
}
