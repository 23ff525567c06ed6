//! For the fuzz target of the nodes' messages, which can't sign what it makes up.

use std::sync::Arc;
use std::time::Duration;

use super::bus::Bus;
use super::memory::MemoryBus;
use super::message::Seal;
use super::transport::Heard;
use crate::model::{Scope, ScopeSettings};

/// A node hears this on each of its channels and reads it in the list of nodes: signed by a node of its
/// cluster, and then as it is.
///
/// # Panics
/// If it believes what nobody has signed, or takes itself for another node.
pub async fn hear(body: &str) {
    let settings = ScopeSettings { secret: Some(b"of the cluster".to_vec()), ..Default::default() };
    let scope = Scope::new(settings).ok();
    let Some(key) = scope.as_ref().and_then(|scope| scope.orders()) else { return };
    let seal = Seal::new(key.clone());
    let obey = Box::new(|_| Box::pin(async { None }) as _);
    let bus = Arc::new(Bus::new("fuzz:main", seal.clone(), obey, Duration::from_secs(90)));
    let memory = MemoryBus::new();
    let Ok(_heard) = bus.connect(&memory.transport()).await else { return };
    for channel in bus.channels() {
        let signed = seal.sign(&channel, body);
        memory.change_lists(|lists| {
            for list in lists.values_mut() {
                list.insert(b"signed".to_vec(), signed.clone().into_bytes());
                list.insert(b"unsigned".to_vec(), body.into());
            }
        });
        bus.hear(Heard { channel: channel.clone(), message: signed.into_bytes() });
        let before = bus.ignored();
        bus.hear(Heard { channel, message: body.into() });
        assert!(bus.ignored() > before, "believed without a signature");
    }
    if let Ok(connection) = bus.connection() {
        assert!(bus.beat(&*connection).await.is_ok());
    }
    let others = bus.presence.others();
    assert!(!others.alive.iter().chain(&others.silent).any(|node| node == bus.node()));
    bus.presence.introduce(bus.presence.acquaintances());
}
