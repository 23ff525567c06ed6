//! A real MariaDB.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Weak};

use tokio::process::Command;
use tokio::sync::Mutex;

use super::{ServerProcess, missing_server};
use crate::ScratchDir;

/// Odd on purpose: a URL has to encode it.
const PASSWORD: &str = "se/cr:et@é";
const PASSWORD_IN_URL: &str = "se%2Fcr%3Aet%40%C3%A9";

/// Where Debian installs the server, which is not in every user's PATH.
const DEBIANS: &str = "/usr/sbin/mariadbd";

/// A `mariadbd` of the test's own, with a database `app` and a user who needs a password.
#[derive(Debug)]
pub struct MariadbServer {
    process: ServerProcess,
    _dir: ScratchDir,
    _installed: Arc<ScratchDir>,
}

impl MariadbServer {
    /// Starts one. `None` where MariaDB is not installed (see
    /// [`missing_server`](crate::missing_server)).
    ///
    /// # Panics
    /// If it is installed but does not start; under `CI` also if it is not installed.
    pub async fn start() -> Option<Self> {
        Self::start_by(command).await
    }

    /// The same, five hours behind UTC: sessions of apps in New York, in winter.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_behind_utc() -> Option<Self> {
        Self::start_by(|port, dir| {
            let mut command = command(port, dir);
            command.arg("--default-time-zone=-05:00");
            command
        })
        .await
    }

    /// The same, and it speaks TLS with clients that ask for it, under a self-signed certificate for
    /// 127.0.0.1, made by `openssl`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_with_tls() -> Option<Self> {
        Self::start_by(|port, dir| {
            let (key, cert) = (dir.join("tls.key"), dir.join("tls.crt"));
            if !cert.exists() {
                certify(&key, &cert);
            }
            let mut command = command(port, dir);
            command.arg(format!("--ssl-key={}", key.display()));
            command.arg(format!("--ssl-cert={}", cert.display()));
            command
        })
        .await
    }

    async fn start_by(command: fn(u16, &Path) -> Command) -> Option<Self> {
        let Some(installed) = installed().await else {
            missing_server("mariadb-server");
            return None;
        };
        let dir = ScratchDir::new();
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(installed.join("data")).arg(&*dir);
        assert!(copy.status().await.expect("cp is everywhere").success());
        let users = format!(
            "CREATE DATABASE IF NOT EXISTS app CHARACTER SET utf8mb4;
             CREATE USER IF NOT EXISTS app@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';
             GRANT ALL ON app.* TO app@'127.0.0.1';"
        );
        std::fs::write(dir.join("users.sql"), users).expect("the folder is ours");
        let process = ServerProcess::start("mariadbd", &dir, command).await?;
        Some(Self { process, _dir: dir, _installed: installed })
    }

    /// The URL of its database `app`.
    pub fn url(&self) -> String {
        self.url_by(std::net::SocketAddr::from(([127, 0, 0, 1], self.process.port())), None)
    }

    /// The same by way of another address, and with another password.
    pub fn url_by(&self, by: std::net::SocketAddr, password: Option<&str>) -> String {
        format!("mysql://app:{}@{by}/app", password.unwrap_or(PASSWORD_IN_URL))
    }

    /// The process, to be stopped and started again: its tables are still there then.
    pub fn process(&self) -> &ServerProcess {
        &self.process
    }
}

fn command(port: u16, dir: &Path) -> Command {
    let mut command = Command::new(if Path::new(DEBIANS).exists() { DEBIANS } else { "mariadbd" });
    command.args(["--no-defaults", "--skip-name-resolve", "--bind-address=127.0.0.1"]);
    command.arg(format!("--port={port}")).arg(format!("--init-file={}/users.sql", dir.display()));
    on_data_of(&mut command, dir);
    // `userstat`: a test can see how many rows were read.
    command.args(["--socket=mariadb.sock", "--userstat=1"]).stderr(Stdio::null());
    command
}

/// Makes a key and a certificate that it signed itself.
fn certify(key: &Path, cert: &Path) {
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    openssl.args(["-nodes", "-days", "2", "-subj", "/CN=test", "-addext"]);
    openssl.arg("subjectAltName=IP:127.0.0.1").arg("-keyout").arg(key).arg("-out").arg(cert);
    assert!(openssl.output().expect("openssl is installed").status.success());
    // The server is another user.
    std::fs::set_permissions(key, PermissionsExt::from_mode(0o644)).expect("the key is ours");
}

/// What the server and its installation have in common: where the data is, that it need not outlive
/// the machine, and that it is small.
fn on_data_of(command: &mut Command, dir: &Path) {
    command.arg(format!("--datadir={}/data", dir.display()));
    command.args(["--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0"]);
    command.args(["--innodb-doublewrite=0", "--sync-frm=0", "--innodb-log-file-size=4M"]);
    command.args(["--innodb-buffer-pool-size=16M", "--key-buffer-size=1M"]);
    // It refuses to be root.
    if std::fs::metadata(dir).is_ok_and(|dir| dir.uid() == 0) {
        command.arg("--user=mysql");
    }
}

/// An empty installation, for the servers of this process to start from: making one takes seconds.
/// It is removed with the last server that came from it.
async fn installed() -> Option<Arc<ScratchDir>> {
    static LAST: Mutex<Weak<ScratchDir>> = Mutex::const_new(Weak::new());
    let mut last = LAST.lock().await;
    if let Some(dir) = last.upgrade() {
        return Some(dir);
    }
    let dir = Arc::new(ScratchDir::new());
    let mut install = Command::new("mariadb-install-db");
    install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    install.args(["--skip-name-resolve"]);
    on_data_of(&mut install, &dir);
    install.stdin(Stdio::null()).kill_on_drop(true);
    let Ok(done) = install.output().await else {
        return None;
    };
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "mariadb-install-db: {stderr}");
    *last = Arc::downgrade(&dir);
    Some(dir)
}
