//! A server's process: started on a free port, stopped, started again, gone with its value.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// A server of the test's own. What [`ServerProcess::start`] is given says how each server is started;
/// the rest is the same for all.
#[derive(Debug)]
pub struct ServerProcess {
    name: &'static str,
    port: u16,
    command: fn(u16, &std::path::Path) -> Command,
    process: Mutex<Option<Child>>,
    dir: std::path::PathBuf,
}

impl ServerProcess {
    /// Starts `name`, by the command that `command` makes of a port and a folder, and waits until it
    /// listens. The caller keeps the folder. `None` where it is not installed (see [`missing_server`]).
    ///
    /// # Panics
    /// If it is installed but does not start; under `CI` also if it is not installed.
    pub async fn start(
        name: &'static str,
        dir: &std::path::Path,
        command: fn(u16, &std::path::Path) -> Command,
    ) -> Option<Self> {
        // Another process may take the free port after we release it.
        for _ in 0..5 {
            let port = free_port().await;
            let process = Mutex::default();
            let server = Self { name, port, command, process, dir: dir.to_path_buf() };
            if !server.spawn() {
                missing_server(name);
                return None;
            }
            if server.listens().await {
                return Some(server);
            }
        }
        panic!("{name} does not start");
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it, as a crash would.
    ///
    /// # Panics
    /// If the process can't be killed.
    pub async fn stop(&self) {
        let process = self.process.lock().expect("no test panics here").take();
        if let Some(mut process) = process {
            forget(&process);
            process.kill().await.expect("it is ours to kill");
        }
    }

    /// Starts it again, on the same port and in the same folder.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&self) {
        // What it held may be in use for a moment longer, by processes of its own.
        for _ in 0..20 {
            if self.spawn() && self.listens().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} does not start again", self.name);
    }

    fn spawn(&self) -> bool {
        let mut command = (self.command)(self.port, &self.dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let Ok(process) = command.spawn() else {
            return false;
        };
        if let Some(id) = process.id() {
            running().insert(id);
        }
        *self.process.lock().expect("no test panics here") = Some(process);
        true
    }

    /// Waits until it does, or has ended.
    async fn listens(&self) -> bool {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            if self.has_ended() {
                return false;
            }
            assert!(tokio::time::Instant::now() < deadline, "{} listens within 30 s", self.name);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Another process may be listening: then ours is about to end.
        tokio::time::sleep(Duration::from_millis(20)).await;
        !self.has_ended()
    }

    fn has_ended(&self) -> bool {
        let mut process = self.process.lock().expect("no test panics here");
        process.as_mut().is_none_or(|process| !matches!(process.try_wait(), Ok(None)))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Ok(Some(process)) = self.process.get_mut() {
            forget(process);
        }
    }
}

/// The servers of this process that have not been stopped.
fn running() -> MutexGuard<'static, BTreeSet<u32>> {
    static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forget(process: &Child) {
    if let Some(id) = process.id() {
        running().remove(&id);
    }
}

/// Ends them all, before this process ends without running its destructors.
pub(crate) fn kill_all() {
    let ids = running().iter().map(u32::to_string).collect::<Vec<_>>();
    if !ids.is_empty() {
        let _ = std::process::Command::new("kill").arg("-KILL").args(ids).status();
    }
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Says that a test did not run because `server` is not installed. Under `CI` that is a failure:
/// every test must run there.
///
/// # Panics
/// Under `CI`.
pub fn missing_server(server: &str) {
    assert!(std::env::var_os("CI").is_none(), "{server} is not installed");
    // Not `eprintln!`, which the test runner hides where a test passes.
    let skipped = format!("SKIPPED: {server} is not installed; ./scripts/test installs it\n");
    std::io::stderr().write_all(skipped.as_bytes()).expect("stderr is open");
}
