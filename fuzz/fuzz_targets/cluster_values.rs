#![no_main]
//! Any bytes as msgpack and as JSON from Node's cluster: what is read is within the limits, and what
//! is written of it is read again as the same.

use fuzz::unit;
use libfuzzer_sys::fuzz_target;
use node_cluster::{Limits, Value};

fn count(value: &Value, depth_left: usize) -> usize {
    match value {
        Value::Array(items) => {
            1 + items.iter().map(|item| count(item, depth_left - 1)).sum::<usize>()
        }
        Value::Map(entries) => {
            1 + entries.iter().map(|(_, value)| count(value, depth_left - 1)).sum::<usize>()
        }
        _ => 1,
    }
}

fuzz_target!(|bytes: &[u8]| unit(|| {
    let limits = Limits::default().max_values(1000).max_depth(20);
    let wide = Limits::default();
    for value in [Value::from_msgpack(bytes, &limits), Value::from_json(bytes, &limits)] {
        let Ok(value) = value else { continue };
        // An extension of no known type becomes an array of two.
        assert!(count(&value, 21) <= 3 * 1000);
        let client_reads = serde_json::to_vec(&value).unwrap();
        let packed = Value::from_msgpack(&value.to_msgpack(), &wide).unwrap();
        assert_eq!(client_reads, serde_json::to_vec(&packed).unwrap());
        let text = Value::from_json(&value.to_json(), &wide).unwrap();
        assert_eq!(text.to_json(), Value::from_json(&text.to_json(), &wide).unwrap().to_json());
    }
}));
