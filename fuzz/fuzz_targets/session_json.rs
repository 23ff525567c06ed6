#![no_main]
//! Any bytes as a record: whatever is read can be read again, and keeps to the limits.

use express_session::{RecordLimits, SessionRecord};
use fuzz::unit;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| unit(|| {
    let limits = RecordLimits { max_bytes: 64 * 1024, max_depth: 64 };
    let Ok(Some(record)) = SessionRecord::parse(payload, &limits) else { return };
    // Each is a pass over the whole: a session has few members, and nobody asks for them all.
    for key in record.keys().iter().take(8) {
        let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        assert!(!matches!(record.pointer(&pointer), Ok(None)), "{key:?}");
    }
    let _ = (record.pointer("/passport/user"), record.pointer(""), record.cookie());
    assert_eq!(SessionRecord::parse(record.json().as_bytes(), &limits), Ok(Some(record)));
}));
