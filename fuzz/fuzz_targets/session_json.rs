#![no_main]
//! Any bytes as a record: whatever is read can be read again, and keeps to the limits.

use express_session::{RecordLimits, SessionRecord};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    let limits = RecordLimits { max_bytes: 64 * 1024, max_depth: 64 };
    let Ok(Some(record)) = SessionRecord::parse(payload, &limits) else { return };
    for key in record.keys() {
        let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        assert!(!matches!(record.pointer(&pointer), Ok(None)), "{key:?}");
    }
    let _ = (record.pointer("/passport/user"), record.cookie());
    assert_eq!(SessionRecord::parse(record.json().as_bytes(), &limits), Ok(Some(record)));
});
