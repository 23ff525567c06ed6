//! Certificates for servers that speak TLS.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::missing_server;

/// An authority of the test's own, and a certificate for 127.0.0.1 that it signed: files in PEM.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority to trust.
    pub ca: PathBuf,
    /// The certificate, for a server or a client.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes them in this folder. `None` where there is no `openssl` (see [`missing_server`]).
    ///
    /// # Panics
    /// If `openssl` fails; under `CI` also if it is missing.
    pub async fn make(dir: &Path) -> Option<Self> {
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        let steps = [
            format!("req -x509 {new_key} -days 2 -subj /CN=test-ca -keyout ca.key -out ca.pem"),
            format!(
                "req {new_key} -subj /CN=test -addext subjectAltName=IP:127.0.0.1 \
                 -keyout test.key -out test.csr"
            ),
            "x509 -req -in test.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -copy_extensions copy -out test.pem"
                .into(),
        ];
        for step in steps {
            let mut openssl = Command::new("openssl");
            openssl.args(step.split_whitespace()).current_dir(dir).stdin(Stdio::null());
            let Ok(output) = openssl.output().await else {
                missing_server("openssl");
                return None;
            };
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "openssl {step}: {said}");
        }
        let [ca, cert, key] = ["ca.pem", "test.pem", "test.key"].map(|name| dir.join(name));
        Some(Self { ca, cert, key })
    }
}
