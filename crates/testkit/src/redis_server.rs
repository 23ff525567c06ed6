//! A real Redis for tests.

use std::io::Write as _;
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
        // Between our letting go of a free port and its taking it, somebody else may.
        for _ in 0..5 {
            let Some(mut server) = Self::spawn(free_port().await) else {
                missing_server("redis-server");
                return None;
            };
            if server.listens().await {
                return Some(server);
            }
        }
        panic!("redis-server does not start");
    }

    fn spawn(port: u16) -> Option<Self> {
        let dir = ScratchDir::new();
        let mut command = Command::new("redis-server");
        command.arg("--port").arg(port.to_string()).arg("--dir").arg(&*dir);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let process = command.stdout(Stdio::null()).kill_on_drop(true).spawn().ok()?;
        Some(Self { port, process, _dir: dir })
    }

    /// Waits until it does, or has ended.
    async fn listens(&mut self) -> bool {
        let listening = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ended = self.process.wait() => return false,
            waited = tokio::time::timeout(Duration::from_secs(10), listening) => {
                waited.expect("redis-server listens within 10 seconds");
            }
        }
        // It may be somebody else who listens: then ours is about to end.
        let a_moment = Duration::from_millis(20);
        tokio::time::timeout(a_moment, self.process.wait()).await.is_err()
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
    // Not `eprintln!`, which the test runner hides where a test passes.
    let skipped = format!("SKIPPED: {server} is not installed; ./scripts/test installs it\n");
    std::io::stderr().write_all(skipped.as_bytes()).expect("stderr is open");
}
