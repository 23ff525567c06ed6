use std::sync::atomic::Ordering;

use super::*;
use crate::fake::{FakeHooks, FakeSockets, payload};

struct World {
    sockets: Arc<FakeSockets>,
    hooks: Arc<FakeHooks>,
    stats: Arc<Stats>,
    outboxes: Outboxes,
}

fn world(limits: QueueLimits) -> World {
    let sockets = Arc::<FakeSockets>::default();
    let (hooks, shared) = FakeHooks::shared();
    let stats = Arc::<Stats>::default();
    let outboxes = Outboxes::new(sockets.clone(), shared, stats.clone(), limits);
    World { sockets, hooks, stats, outboxes }
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

impl World {
    fn deliver(&self, id: Sid, texts: &[String]) {
        for text in texts {
            self.outboxes.deliver(id, &payload(text), false);
        }
    }

    /// Time enough for every task to do what it can.
    async fn settle(&self) {
        sleep(Duration::from_secs(1)).await;
    }

    fn has_queues(&self) -> bool {
        !lock(&self.outboxes.0.queues).is_empty()
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_reaches_a_client_that_reads_whole_and_in_order() {
    let world = world(QueueLimits::default());
    let id = world.sockets.add(&[]);
    world.deliver(id, &texts(1000));
    // Each turn hands on two; far more turns than that are too many.
    for _ in 0..5_000 {
        world.sockets.read(id);
        sleep(Duration::from_millis(10)).await;
    }
    assert!(!world.has_queues());
    assert_eq!(world.sockets.handed(id), Some(texts(1000)));
    assert_eq!(world.stats.counts().delivered, 1000);
    assert_eq!(world.stats.counts().queued, 998);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_up_no_other() {
    let world = world(QueueLimits::default());
    let (slow, fast) = (world.sockets.add(&[]), world.sockets.add(&[]));
    world.deliver(slow, &texts(10));
    for text in texts(10) {
        world.outboxes.deliver(fast, &payload(&text), false);
        world.sockets.read(fast);
    }
    assert_eq!(world.sockets.handed(fast), Some(texts(10)));
    assert_eq!(world.sockets.handed(slow), Some(texts(2)));
}

#[tokio::test(start_paused = true)]
async fn too_many_packets_end_the_socket_and_nothing_more_is_sent() {
    let world = world(QueueLimits { packets: 5, ..QueueLimits::default() });
    let id = world.sockets.add(&["a"]);
    world.deliver(id, &texts(20));
    assert_eq!(world.stats.counts().overflowed, 1);
    assert_eq!(*world.hooks.closed.lock().unwrap(), [id.as_str()]);
    assert!(world.sockets.rooms(id).is_empty());
    // Two are in socketioxide's buffer, the rest is gone; the DISCONNECT comes when there is room.
    world.settle().await;
    assert_eq!(world.sockets.handed(id), Some(texts(2)));
    world.sockets.read(id);
    world.settle().await;
    assert_eq!(world.sockets.handed(id), None);
    assert!(!world.has_queues());
}

#[tokio::test(start_paused = true)]
async fn too_many_bytes_end_the_socket() {
    let world = world(QueueLimits { bytes: 25, ..QueueLimits::default() });
    let id = world.sockets.add(&[]);
    world.deliver(id, &texts(4));
    assert_eq!(world.stats.counts().overflowed, 0);
    world.deliver(id, &texts(1));
    assert_eq!(world.stats.counts().overflowed, 1);
}

#[tokio::test(start_paused = true)]
async fn volatile_events_do_not_wait() {
    let world = world(QueueLimits::default());
    let id = world.sockets.add(&[]);
    world.deliver(id, &texts(3));
    world.outboxes.deliver(id, &payload("volatile"), true);
    assert_eq!(world.stats.counts().missed_volatile, 1);
    world.sockets.read(id);
    world.settle().await;
    assert_eq!(world.sockets.handed(id), Some(texts(3)));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_not_sent_once_the_login_has_ended() {
    let world = world(QueueLimits::default());
    let id = world.sockets.add(&[]);
    world.deliver(id, &texts(5));
    world.hooks.has_ended.store(true, Ordering::SeqCst);
    world.sockets.read(id);
    world.settle().await;
    assert_eq!(world.sockets.handed(id), Some(texts(2)));
    assert!(!world.has_queues());
    world.deliver(id, &texts(5));
    assert_eq!(world.sockets.handed(id), Some(texts(2)));
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_goes_leaves_no_queue() {
    let world = world(QueueLimits::default());
    let id = world.sockets.add(&[]);
    world.deliver(id, &texts(5));
    assert!(world.has_queues());
    world.sockets.remove(id);
    world.settle().await;
    assert!(!world.has_queues());
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_waits_for_room_and_nothing_else() {
    let world = world(QueueLimits::default());
    let (idle, full) = (world.sockets.add(&[]), world.sockets.add(&[]));
    world.outboxes.disconnect(idle);
    assert_eq!(world.sockets.handed(idle), None);
    world.deliver(full, &texts(5));
    world.outboxes.disconnect(full);
    world.deliver(full, &texts(5));
    world.settle().await;
    assert_eq!(world.sockets.handed(full), Some(texts(2)));
    world.sockets.read(full);
    world.settle().await;
    assert_eq!(world.sockets.handed(full), None);
    assert!(!world.has_queues());
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_handler_that_panics_leaves_no_queue() {
    let world = world(QueueLimits::default());
    let (idle, full) = (world.sockets.add(&["a"]), world.sockets.add(&["a"]));
    world.sockets.panic_when_disconnected.store(true, Ordering::SeqCst);
    world.deliver(full, &texts(2));
    for id in [full, idle] {
        world.outboxes.disconnect(id);
    }
    world.sockets.read(full);
    world.settle().await;
    assert!(!world.has_queues());
    assert_eq!(world.stats.counts().panicked, 2);
    assert!(world.sockets.rooms(idle).is_empty() && world.sockets.rooms(full).is_empty());
}
