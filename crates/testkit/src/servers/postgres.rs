//! A real PostgreSQL.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::{ServerProcess, missing_server};
use crate::ScratchDir;

const USER: &str = "app";
const PASSWORD: &str = "the-right-password";

/// Small, and without syncing: a test's data must survive a crash of the server, not of the machine.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'
fsync = off
shared_buffers = '16MB'
max_connections = 40
autovacuum = off
";

const ENCRYPTED: &str = "ssl = on
ssl_cert_file = '../tls.crt'
ssl_key_file = '../tls.key'
";

/// A PostgreSQL cluster of the test's own, with the database `postgres`, in which a superuser owns
/// everything. It requires a password from every user.
#[derive(Debug)]
pub struct PostgresServer {
    process: ServerProcess,
    dir: ScratchDir,
}

impl PostgresServer {
    /// Starts one with this `TimeZone`. `None` where PostgreSQL is not installed (see
    /// [`missing_server`](crate::missing_server)).
    ///
    /// # Panics
    /// If it is installed but does not start; under `CI` also if it is not installed.
    pub async fn start(time_zone: &str) -> Option<Self> {
        Self::start_with(&format!("timezone = '{time_zone}'\n")).await
    }

    /// Starts one that can encrypt, with a self-signed certificate for 127.0.0.1,
    /// [`certificate`](Self::certificate).
    ///
    /// # Panics
    /// As [`start`](Self::start); also if `openssl`, on which Debian's PostgreSQL depends, is missing.
    pub async fn start_encrypted() -> Option<Self> {
        Self::start_with(ENCRYPTED).await
    }

    async fn start_with(settings: &str) -> Option<Self> {
        let Some(initdb) = program("initdb") else {
            missing_server("postgres");
            return None;
        };
        let dir = ScratchDir::new();
        std::fs::write(dir.join("password"), PASSWORD).expect("a new folder can be written");
        if settings == ENCRYPTED {
            make_certificate(&dir).await;
        }
        if are_root() {
            run(Command::new("chown").args(["-R", "postgres:"]).arg(&*dir)).await;
        }
        let mut init = as_nobody_special(&initdb, &dir);
        init.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        init.args(["--username", USER, "--pwfile"]).arg(dir.join("password"));
        run(init.arg("--pgdata").arg(dir.join("data"))).await;
        let sockets = format!("unix_socket_directories = '{}'\n", dir.display());
        let settings = [SETTINGS, &sockets, settings].concat();
        std::fs::write(dir.join("data/postgresql.conf"), settings).expect("it can be written");
        let process = ServerProcess::start("postgres", &dir, command).await?;
        let server = Self { process, dir };
        server.ready().await;
        Some(server)
    }

    /// Waits until it takes connections, which is a moment after it listens.
    ///
    /// # Panics
    /// If it does not within 30 seconds.
    pub async fn ready(&self) {
        let port = self.process.port().to_string();
        let mut asking = Command::new(program("pg_isready").expect("it is where initdb is"));
        asking.args(["-q", "-h", "127.0.0.1", "-p", &port]);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !asking.status().await.is_ok_and(|status| status.success()) {
            assert!(Instant::now() < deadline, "postgres takes connections within 30 s");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Its URL, for the superuser.
    pub fn url(&self) -> String {
        self.url_by(SocketAddr::from(([127, 0, 0, 1], self.process.port())), None)
    }

    /// The same by way of another address, or with another password than the right one.
    pub fn url_by(&self, by: SocketAddr, password: Option<&str>) -> String {
        let password = password.unwrap_or(PASSWORD);
        format!("postgres://{USER}:{password}@{by}/postgres")
    }

    /// The folder in which its socket is.
    pub fn socket_folder(&self) -> &Path {
        &self.dir
    }

    /// The file with the certificate of a server that can encrypt.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("tls.crt")
    }

    /// The process, to be stopped and started again: it keeps its data.
    pub fn process(&self) -> &ServerProcess {
        &self.process
    }
}

fn command(port: u16, dir: &Path) -> Command {
    let postgres = program("postgres").expect("it is where initdb is");
    let mut command = as_nobody_special(&postgres, dir);
    command.arg("-D").arg(dir.join("data")).arg("-p").arg(port.to_string());
    let log = File::options().create(true).append(true).open(dir.join("log"));
    command.stderr(log.expect("the folder can be written"));
    command
}

async fn make_certificate(dir: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=test"]);
    openssl.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.arg("-keyout").arg(dir.join("tls.key")).arg("-out").arg(dir.join("tls.crt"));
    run(&mut openssl).await;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(dir.join("tls.key"), private).expect("the key is ours");
}

/// PostgreSQL refuses to run as root: then it runs as the user that Debian creates for it.
fn as_nobody_special(program: &Path, dir: &Path) -> Command {
    if !are_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command.current_dir(dir);
    command
}

fn are_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// In the path, or where Debian puts it: one folder a version.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(versions.map(|version| version.path().join("bin")))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

async fn run(command: &mut Command) {
    let output = command.kill_on_drop(true).output().await;
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
