//! A real Redis for tests.

use std::process::Stdio;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::ScratchDir;

/// A `redis-server` of the test's own, on a free port of the loopback interface, with nothing kept
/// on disk. It ends with this value.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    process: Child,
    _dir: ScratchDir,
}

impl RedisServer {
    /// Starts one. `None` where Redis is not installed (see [`missing_server`]).
    ///
    /// # Panics
    /// If it is installed but does not start; under `CI` also if it is not installed.
    pub async fn start() -> Option<Self> {
        let port = free_port().await;
        let dir = ScratchDir::new();
        let spawned = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .arg("--dir")
            .arg(&*dir)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let Ok(process) = spawned else {
            missing_server("redis-server");
            return None;
        };
        let server = Self { port, process, _dir: dir };
        server.wait_until_it_listens().await.expect("redis-server listens within 10 seconds");
        Some(server)
    }

    async fn wait_until_it_listens(&self) -> Result<(), tokio::time::error::Elapsed> {
        tokio::time::timeout(Duration::from_secs(10), async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Ends it, as a crash would.
    ///
    /// # Panics
    /// If the process can't be killed.
    pub async fn kill(mut self) {
        self.process.kill().await.expect("redis-server is ours to kill");
    }
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Says that a test did not run because `server` is not installed. Under `CI` that is a failure:
/// nothing may be left untested there.
///
/// # Panics
/// Under `CI`.
pub fn missing_server(server: &str) {
    assert!(std::env::var_os("CI").is_none(), "{server} is not installed");
    eprintln!("SKIPPED: {server} is not installed; ./scripts/test installs it");
}
