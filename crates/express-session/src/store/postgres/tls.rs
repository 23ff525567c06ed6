//! `sslmode` and `sslrootcert`, with the meaning that they have for libpq.
//!
//! | `sslmode` | encrypted | the server is |
//! |---|---|---|
//! | `disable` | no | not checked |
//! | `prefer` (default) | if the server can | not checked |
//! | `require`, `no-verify` | yes | not checked, unless there is an `sslrootcert` |
//! | `verify-full` | yes | checked: its certificate, and that it is for this host |
//!
//! `sslrootcert` is a PEM file of who may vouch for the server, or `system` (as without it). With it
//! the default is `verify-full`. `no-verify` is the word of Node's `pg` for `require`.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::{StoreError, StoreUrl};

/// What the `sslmode` parameter may say.
const MODES: &str = "disable, prefer, require, no-verify, verify-full";

/// Takes `sslmode` and `sslrootcert` out of the URL. Reads the roots, if the server is to be checked.
pub(super) fn from_url(url: &mut StoreUrl) -> Result<(SslMode, MakeRustlsConnect), StoreError> {
    let roots = url.take("sslrootcert")?;
    let mode = url.take("sslmode")?;
    let usual = if roots.is_some() { "verify-full" } else { "prefer" };
    let (mode, checked) = match (mode.as_deref().unwrap_or(usual), &roots) {
        ("disable", None) => (SslMode::Disable, false),
        ("prefer", None) => (SslMode::Prefer, false),
        ("require" | "no-verify", None) => (SslMode::Require, false),
        ("verify-full", _) | ("require", Some(_)) => (SslMode::Require, true),
        (other, None) => {
            return Err(StoreError::message(format!(
                "PostgreSQL has no sslmode {other:?} here; it is one of {MODES}"
            )));
        }
        (_, Some(_)) => {
            return Err(StoreError::message("sslrootcert wants sslmode=verify-full or require"));
        }
    };
    let config = if checked { checking(roots.as_deref())? } else { unchecking()? };
    Ok((mode, MakeRustlsConnect::new(config)))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn checking(roots: Option<&str>) -> Result<ClientConfig, StoreError> {
    let mut trusted = RootCertStore::empty();
    match roots {
        None | Some("system") => {
            trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if trusted.is_empty() {
                return Err(StoreError::message("this system has no root certificates"));
            }
        }
        Some(path) => {
            let unreadable = |error| StoreError::new("reading the file of sslrootcert", error);
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                let certificate = certificate.map_err(unreadable)?;
                trusted
                    .add(certificate)
                    .map_err(|error| StoreError::new("reading the roots in sslrootcert", error))?;
            }
            if trusted.is_empty() {
                return Err(StoreError::message("the file of sslrootcert has no certificate"));
            }
        }
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::new("preparing TLS", error))?;
    Ok(config.with_root_certificates(trusted).with_no_client_auth())
}

fn unchecking() -> Result<ClientConfig, StoreError> {
    let provider = provider();
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::new("preparing TLS", error))?;
    let anyone = Arc::new(Anyone(provider));
    Ok(config.dangerous().with_custom_certificate_verifier(anyone).with_no_client_auth())
}

/// Encrypts for whoever answers, as libpq's `prefer` and `require` do: against who listens only.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(query: &str) -> Result<SslMode, String> {
        let mut url = StoreUrl::new(&format!("postgres://h/db?{query}"));
        let (mode, _) = from_url(&mut url).map_err(|error| error.to_string())?;
        assert_eq!(url.rest(), "postgres://h/db");
        Ok(mode)
    }

    #[test]
    fn each_sslmode_means_the_same_as_in_libpq() {
        for (query, expected) in [
            ("", SslMode::Prefer),
            ("sslmode=disable", SslMode::Disable),
            ("sslmode=prefer", SslMode::Prefer),
            ("sslmode=require", SslMode::Require),
            ("sslmode=no-verify", SslMode::Require),
        ] {
            assert_eq!(mode(query), Ok(expected), "{query}");
        }
    }

    #[test]
    fn tls_settings_that_can_not_be_honoured_are_refused() {
        for (query, told) in [
            ("sslmode=verify-ca", MODES),
            ("sslmode=REQUIRE", MODES),
            ("sslmode=prefer&sslrootcert=system", "sslrootcert wants"),
            ("sslmode=disable&sslrootcert=/ca.pem", "sslrootcert wants"),
            ("sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "reading the file of sslrootcert"),
            ("sslrootcert=/dev/null", "has no certificate"),
        ] {
            let error = mode(query).unwrap_err();
            assert!(error.contains(told), "{query}: {error}");
        }
    }
}
