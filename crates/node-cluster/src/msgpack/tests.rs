use serde::Deserialize;

use crate::{Limits, Malformed, Value};

#[derive(Deserialize)]
struct Vectors {
    notepack: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    what: String,
    notepack: String,
    hex: String,
    json: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../../vectors/packages.json");
    serde_json::from_str::<Vectors>(text).unwrap().notepack
}

/// JavaScript has one kind of number, so `1` and `1.0` are the same.
fn with_floats(json: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match json {
        Json::Number(number) => number.as_f64().into(),
        Json::Array(items) => items.iter().map(with_floats).collect(),
        Json::Object(entries) => Json::Object(
            entries.iter().map(|(key, value)| (key.clone(), with_floats(value))).collect(),
        ),
        other => other.clone(),
    }
}

fn as_client_reads(value: &Value) -> serde_json::Value {
    with_floats(&serde_json::from_slice(&value.to_json()).unwrap())
}

fn read(bytes: &[u8]) -> Result<Value, Malformed> {
    Value::from_msgpack(bytes, &Limits::default())
}

#[test]
fn what_notepack_writes_is_read_as_node_reads_it() {
    let vectors = vectors();
    assert!(vectors.len() > 20);
    for Vector { what, notepack, hex, json } in vectors {
        let value = read(&bytes(&hex)).unwrap();
        let expected = with_floats(&serde_json::from_str(&json).unwrap());
        assert_eq!(as_client_reads(&value), expected, "{what}, notepack.io {notepack}");
    }
}

#[test]
fn values_are_written_as_notepack_3_writes_them() {
    // Above 2^53, notepack.io writes integers, and 0 for those above 2^64. We write the floats that
    // they are.
    let other = ["integers at the edge"];
    for Vector { what, notepack, hex, .. } in vectors() {
        if notepack == "3" && !other.contains(&what.as_str()) {
            let value = read(&bytes(&hex)).unwrap();
            assert_eq!(value.to_msgpack(), bytes(&hex), "{what}");
        }
    }
}

#[test]
fn what_is_written_is_read_again() {
    for Vector { what, hex, .. } in vectors() {
        let value = read(&bytes(&hex)).unwrap();
        let again = read(&value.to_msgpack()).unwrap();
        assert_eq!(as_client_reads(&again), as_client_reads(&value), "{what}");
    }
}

#[test]
fn every_cut_off_vector_is_refused() {
    for Vector { what, hex, .. } in vectors() {
        let whole = bytes(&hex);
        for length in 0..whole.len() {
            let cut = read(&whole[..length]);
            assert_eq!(cut, Err(Malformed::Truncated), "{what}, {length}");
        }
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(read(&longer), Err(Malformed::TrailingBytes), "{what}");
    }
}

#[test]
fn announced_lengths_take_no_memory() {
    for (start, fault) in [
        (&[0xdd, 0xff, 0xff, 0xff, 0xff][..], Malformed::Truncated),
        (&[0xdf, 0xff, 0xff, 0xff, 0xff], Malformed::Truncated),
        (&[0xdb, 0xff, 0xff, 0xff, 0xff], Malformed::Truncated),
        (&[0xc6, 0xff, 0xff, 0xff, 0xff], Malformed::Truncated),
        (&[0xc9, 0xff, 0xff, 0xff, 0xff, 0x00], Malformed::Truncated),
    ] {
        assert_eq!(read(start), Err(fault));
    }
}

#[test]
fn limits_hold_for_msgpack() {
    let deep = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    assert!(read(&deep(64)).is_ok());
    assert_eq!(read(&deep(65)), Err(Malformed::TooDeep));
    assert_eq!(read(&deep(1_000_000)), Err(Malformed::TooDeep));
    let many =
        |length: u32| [&[0xdd][..], &length.to_be_bytes(), &vec![0xc0; length as usize]].concat();
    assert!(read(&many(249_999)).is_ok());
    assert_eq!(read(&many(250_000)), Err(Malformed::TooManyValues));
    let limits = Limits::default().max_message(3);
    assert_eq!(Value::from_msgpack(&[0x93, 1, 2, 3], &limits), Err(Malformed::TooLarge));
}

#[test]
fn odd_extensions_and_keys_are_read_as_node_reads_them() {
    let pair = Value::Array(vec![Value::Int(5), Value::Bytes(vec![1, 2].into())]);
    assert_eq!(read(&[0xd5, 5, 1, 2]), Ok(pair));
    let seven = Value::Map(vec![("7".into(), Value::Null)]);
    assert_eq!(read(&[0x81, 7, 0xc0]), Ok(seven));
    // A key that is an array or nothing is of no JavaScript program.
    assert_eq!(read(&[0x81, 0xc0, 0xc0]), Err(Malformed::UnknownShape));
    assert_eq!(read(&[0x81, 0x90, 0xc0]), Err(Malformed::TooDeep));
    // A timestamp of no known length, and the byte that msgpack leaves out.
    assert_eq!(read(&[0xd5, 0xff, 1, 2]), Err(Malformed::NotMsgpack));
    assert_eq!(read(&[0xc1]), Err(Malformed::NotMsgpack));
    // Beyond what a Date holds, and what 64 bits do.
    let last = [&[0xc7, 12, 0xff, 0, 0, 0, 0][..], &i64::MAX.to_be_bytes()].concat();
    assert_eq!(read(&last), Ok(Value::Date(None)));
    assert_eq!(serde_json::to_string(&read(&last).unwrap()).unwrap(), "null");
}
