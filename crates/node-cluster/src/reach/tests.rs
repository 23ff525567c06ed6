use std::sync::atomic::Ordering;

use super::*;
use crate::Value;
use crate::fake::{FakeHooks, FakeSockets};

struct World {
    sockets: Arc<FakeSockets>,
    hooks: Arc<FakeHooks>,
    stats: Arc<Stats>,
    reach: Reach,
}

fn world() -> World {
    let sockets = Arc::<FakeSockets>::default();
    let (hooks, shared) = FakeHooks::shared();
    let stats = Arc::<Stats>::default();
    let reach = Reach::new(sockets.clone(), shared, stats.clone(), QueueLimits::default());
    World { sockets, hooks, stats, reach }
}

fn target(rooms: &[&str], except: &[&str]) -> Target {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Target { rooms: names(rooms), except: names(except), ..Target::default() }
}

fn rooms(rooms: &[&str]) -> Vec<String> {
    rooms.iter().map(|room| (*room).to_owned()).collect()
}

impl World {
    fn selects(&self, rooms: &[&str], except: &[&str], expected: &[Sid]) {
        let mut selected = self.reach.select(&target(rooms, except)).ok().unwrap();
        let mut expected = expected.to_vec();
        selected.sort();
        expected.sort();
        assert_eq!(selected, expected, "{rooms:?} but {except:?}");
    }
}

#[tokio::test]
async fn targets_mean_what_they_mean_in_node() {
    let world = world();
    let one = world.sockets.add(&["a", "b", "keyed:1"]);
    let two = world.sockets.add(&["b"]);
    let three = world.sockets.add(&[]);
    world.selects(&[], &[], &[one, two, three]);
    world.selects(&["a"], &[], &[one]);
    world.selects(&["a", "b"], &[], &[one, two]);
    world.selects(&["nowhere"], &[], &[]);
    world.selects(&[], &["a"], &[two, three]);
    world.selects(&["b"], &["a"], &[two]);
    world.selects(&[three.as_str()], &[], &[three]);
    world.selects(&["a", one.as_str(), three.as_str()], &[], &[one, three]);
    world.selects(&[], &[one.as_str()], &[two, three]);
}

#[tokio::test]
async fn aliases_stand_for_their_rooms_and_no_room_is_not_all() {
    let world = world();
    let one = world.sockets.add(&["keyed:1"]);
    let two = world.sockets.add(&["user:1"]);
    world.selects(&["user:1"], &[], &[one]);
    world.selects(&[], &["user:1"], &[two]);
    world.selects(&["user:nobody"], &[], &[]);
    world.selects(&[], &["user:nobody"], &[one, two]);
}

#[tokio::test]
async fn a_refused_name_anywhere_drops_the_whole_message() {
    let world = world();
    let one = world.sockets.add(&["a", "keyed:1"]);
    for (rooms, except) in [(["a", "keyed:1"], [""]), (["a", ""], ["keyed:1"])] {
        let event = Event::new("e", vec![Value::Str("x".into())]).unwrap();
        world.reach.emit(event, &target(&rooms, &except), 1);
        world.reach.disconnect(&target(&rooms, &except), true);
    }
    assert_eq!(world.sockets.handed(one), Some(vec![]));
    assert_eq!(world.stats.counts().refused_names, 4);
}

#[tokio::test]
async fn joins_of_reserved_names_are_refused_and_counted() {
    let world = world();
    let one = world.sockets.add(&["keyed:1"]);
    let id = Sid::new();
    world
        .reach
        .join(&target(&[], &[]), &rooms(&["fine", "user:2", "keyed:2", "staff", id.as_str()]));
    assert_eq!(world.sockets.rooms(one), ["fine", "keyed:1"]);
    assert_eq!(world.stats.counts().refused_joins, 4);
    world.reach.leave(&target(&[], &[]), &rooms(&["fine", "keyed:1"]));
    assert_eq!(world.sockets.rooms(one), ["keyed:1"]);
}

#[tokio::test]
async fn a_socket_whose_login_has_ended_joins_nothing() {
    let world = world();
    let one = world.sockets.add(&[]);
    world.hooks.has_ended.store(true, Ordering::SeqCst);
    world.reach.join(&target(&[], &[]), &rooms(&["a"]));
    assert!(world.sockets.rooms(one).is_empty());
}

#[tokio::test]
async fn a_login_that_ends_during_a_join_leaves_the_room_again() {
    let world = world();
    let one = world.sockets.add(&[]);
    world.hooks.ends_at_join.store(true, Ordering::SeqCst);
    world.reach.join(&target(&[], &[]), &rooms(&["a"]));
    assert!(world.sockets.rooms(one).is_empty());
}

#[tokio::test]
async fn a_room_named_like_another_sockets_id_gets_nothing_meant_for_it() {
    let world = world();
    let elsewhere = Sid::new();
    let one = world.sockets.add(&[elsewhere.as_str()]);
    world.selects(&[elsewhere.as_str()], &[], &[]);
    world.selects(&[], &[elsewhere.as_str()], &[one]);
    assert_eq!(world.stats.counts().refused_names, 2);
}

/// What is logged meanwhile.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn refused_messages_are_a_warning_once_and_then_counted() {
    let (world, log, elsewhere) = (world(), Log::default(), Sid::new());
    world.sockets.add(&[elsewhere.as_str()]);
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..10 {
            assert!(world.reach.select(&target(&["keyed:1"], &[])).is_err());
            assert!(world.reach.select(&target(&[elsewhere.as_str()], &[])).is_ok());
        }
    });
    assert_eq!(world.stats.counts().refused_names, 20);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("WARN").count(), 2, "{log}");
}
