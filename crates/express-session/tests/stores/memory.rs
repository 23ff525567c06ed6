//! Sessions in this process.

use std::time::SystemTime;

use async_trait::async_trait;
use express_session::store::{Life, MemoryStore};
use testkit::conformance::{self, Subject};

#[derive(Debug)]
struct Memory(MemoryStore);

#[async_trait]
impl Subject for Memory {
    type Store = MemoryStore;

    fn store(&self) -> &MemoryStore {
        &self.0
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        self.0.set(sid, json, Life::Until(expires));
    }
}

#[tokio::test]
async fn the_memory_store_passes_the_conformance_suite() {
    conformance::run(&Memory(MemoryStore::for_tests())).await;
}
