#![no_main]
//! Any bytes as what Redis sends unasked: whatever it says, a session that is named was in it, with
//! the prefix, and what is no list of keys is a change of everything.

use express_session::store::redis::RedisStore;
use express_session::watch::Change;
use fuzz::unit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| unit(|| {
    let key = |sid: &str| format!("sess:{sid}").into_bytes();
    for change in RedisStore::fuzz_pushes(bytes, "sess:") {
        if let Change::Session(sid) = change {
            let key = key(sid.as_str());
            assert!(bytes.windows(key.len()).any(|part| part == key));
        }
    }
    let push = [b">2\r\n+invalidate\r\n*1\r\n$5\r\nsess:\r\n", bytes].concat();
    assert_eq!(RedisStore::fuzz_pushes(&push, "sess:")[0], Change::Session("".into()));
}));
