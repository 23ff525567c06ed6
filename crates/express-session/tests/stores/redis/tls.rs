//! `rediss://`.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, TlsCertificates};
use async_trait::async_trait;
use express_session::store::StoreError;
use express_session::store::redis::RedisStore;
use testkit::conformance::{self, FaultySubject};
use testkit::{Certificates, RedisServer, ServerProcess};
use tokio::time::Instant;

use super::{Redis, put, told};

#[derive(Debug)]
struct Tls {
    server: RedisServer,
    certificates: Certificates,
}

impl Tls {
    async fn start() -> Option<Self> {
        let (server, certificates) = RedisServer::start_with_tls().await?;
        let tls = Self { server, certificates };
        // The store chooses the cryptography, which the tests' own connections use, too.
        RedisStore::connect(&tls.url("")).await.unwrap();
        Some(tls)
    }

    fn url(&self, more: &str) -> String {
        let ca = self.certificates.ca.display();
        format!("rediss://127.0.0.1:{}/?ca={ca}{more}", self.server.process().port())
    }

    async fn raw(&self) -> MultiplexedConnection {
        let url = format!("rediss://127.0.0.1:{}/", self.server.process().port());
        let root_cert = Some(std::fs::read(&self.certificates.ca).unwrap());
        let client =
            Client::build_with_tls(url, TlsCertificates { client_tls: None, root_cert }).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }
}

#[tokio::test]
async fn the_redis_store_over_tls_passes_the_conformance_suite() {
    let Some(tls) = Tls::start().await else {
        return;
    };
    let store = RedisStore::connect(&tls.url("")).await.unwrap();
    conformance::run(&Redis { store, raw: tls.raw().await }).await;
}

#[tokio::test]
async fn a_server_without_a_valid_certificate_is_not_asked() {
    let Some(tls) = Tls::start().await else {
        return;
    };
    let port = tls.server.process().port();
    let ca = tls.certificates.ca.display();
    for (url, why) in [
        (format!("rediss://:hunter2@127.0.0.1:{port}/"), "UnknownIssuer"),
        (format!("rediss://:hunter2@localhost:{port}/?ca={ca}"), "not valid for"),
        (format!("rediss://:hunter2@127.0.0.1:{port}/?ca={ca}#insecure"), "ca"),
        (format!("redis://:hunter2@127.0.0.1:{port}/"), ""),
    ] {
        let error = told(&RedisStore::connect(&url).await.unwrap_err());
        assert!(error.contains(why), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_client_certificate_gets_it() {
    let Some(tls) = Tls::start().await else {
        return;
    };
    let mut config = ::redis::cmd("CONFIG");
    config.arg("SET").arg("tls-auth-clients").arg("yes");
    config.exec_async(&mut tls.raw().await).await.unwrap();
    assert!(RedisStore::connect(&tls.url("")).await.is_err());

    let file = |path: &Path| path.display().to_string();
    let (cert, key) = (file(&tls.certificates.cert), file(&tls.certificates.key));
    RedisStore::connect(&tls.url(&format!("&cert={cert}&key={key}"))).await.unwrap();
    let swapped = RedisStore::connect(&tls.url(&format!("&cert={key}&key={cert}"))).await;
    assert!(swapped.is_err());
}

#[tokio::test]
async fn a_redis_cluster_over_tls_passes_the_conformance_suite() {
    let Some((server, certificates)) = RedisServer::start_node_with_tls().await else {
        return;
    };
    let tls = Tls { server, certificates };
    // Without slots it has no answers, but by now the cryptography is chosen.
    assert!(RedisStore::connect(&tls.url("&cluster=true")).await.is_err());
    let mut raw = tls.raw().await;
    let mut add = ::redis::cmd("CLUSTER");
    add.arg("ADDSLOTSRANGE").arg(0).arg(16383).exec_async(&mut raw).await.unwrap();
    let since = Instant::now();
    let store = loop {
        match RedisStore::connect(&tls.url("&cluster=true")).await {
            Ok(store) => break store,
            Err(error) => assert!(since.elapsed() < Duration::from_secs(10), "{}", told(&error)),
        }
    };
    conformance::run(&Redis { store, raw }).await;
}

#[async_trait]
impl FaultySubject for Tls {
    type Store = RedisStore;

    fn server(&self) -> &ServerProcess {
        self.server.process()
    }

    async fn connect(
        &self,
        by: SocketAddr,
        password: Option<&str>,
    ) -> Result<RedisStore, StoreError> {
        // In RESP3 the default user of a server without passwords takes any.
        let password = password.map_or(String::new(), |password| format!("nobody:{password}@"));
        let ca = self.certificates.ca.display();
        RedisStore::connect(&format!("rediss://{password}{by}/?ca={ca}")).await
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        put(&mut self.raw().await, sid, json, expires).await;
    }
}

#[tokio::test]
async fn the_store_passes_the_fault_suite_over_tls() {
    let Some(tls) = Tls::start().await else {
        return;
    };
    conformance::run_faults(&tls).await;
}
