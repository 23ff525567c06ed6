#![no_main]
//! Any bytes as a broadcast, a request and an answer of Node's cluster: what is read is written and
//! read again as the same, and no name is longer than allowed.

use fuzz::unit;
use libfuzzer_sys::fuzz_target;
use node_cluster::{Broadcast, Limits, Request, Response};

fuzz_target!(|bytes: &[u8]| unit(|| {
    let limits = Limits::default().max_name(32).max_rooms(8);
    if let Ok(read) = Broadcast::read(bytes, &limits) {
        assert!(read.sender.len() <= 32 && read.namespace.len() <= 32);
        assert!(read.target.rooms.len() <= 8 && read.target.rooms.iter().all(|room| room.len() <= 32));
        let again = Broadcast::read(&read.write(), &limits).unwrap();
        assert_eq!(again.write(), read.write());
    }
    if let Ok(read) = Request::read(bytes, &limits) {
        let again = Request::read(&read.write(), &limits).unwrap();
        assert_eq!(again.write(), read.write());
    }
    if let Ok(read) = Response::read(bytes, &limits) {
        assert!(read.id().len() <= 32);
        let again = Response::read(&read.write(), &limits).unwrap();
        assert_eq!(again.write(), read.write());
    }
}));
