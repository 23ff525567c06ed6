#![no_main]
//! What a node hears from another one, as anybody could write it to their Redis, and as a node could
//! have signed it.

use fuzz::handshake::run;
use fuzz::unit;
use libfuzzer_sys::fuzz_target;
use passport_socketio::cluster::fuzzing::hear;

fuzz_target!(|body: &str| unit(|| run(hear(body))));
