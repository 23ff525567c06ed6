//! What socketioxide hands to an adapter, as JavaScript values: it has written it for clients already.

use bytes::Bytes;
use socketioxide_core::Value as Encoded;
use socketioxide_core::packet::{Packet, PacketData};

use crate::{Event, Limits, Value};

/// Our own program's data is limited by nothing but what can be read at all.
fn limits() -> Limits {
    Limits::default()
        .max_message(usize::MAX)
        .max_values(usize::MAX)
        .max_depth(100)
        .max_name(usize::MAX)
}

/// The event of a packet; `None` if it is none, or one that only the library itself may send.
pub(super) fn event(packet: &Packet) -> Option<Event> {
    let (PacketData::Event(data, _) | PacketData::BinaryEvent(data, _)) = &packet.inner else {
        return None;
    };
    let mut items = array(data)?.into_iter();
    let Some(Value::Str(name)) = items.next() else { return None };
    Event::new(name, items.collect()).ok()
}

/// The first argument of an acknowledgement.
pub(super) fn first(data: &Encoded) -> Value {
    array(data).and_then(|items| items.into_iter().next()).unwrap_or_default()
}

fn array(data: &Encoded) -> Option<Vec<Value>> {
    let value = match data {
        // socket.io-parser: JSON, with the binary beside it.
        Encoded::Str(text, binaries) => {
            let mut value = Value::from_json(text.as_bytes(), &limits()).ok()?;
            if let Some(binaries) = binaries {
                let binaries: Vec<&Bytes> = binaries.iter().collect();
                fill_in(&mut value, &binaries);
            }
            value
        }
        // socket.io-msgpack-parser.
        Encoded::Bytes(bytes) => Value::from_msgpack(bytes, &limits()).ok()?,
    };
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// Puts the binary in the places of `{"_placeholder":true,"num":n}`.
fn fill_in(value: &mut Value, binaries: &[&Bytes]) {
    if value.field("_placeholder") == Some(&Value::Bool(true))
        && let Some(number) = value.field("num").and_then(Value::as_int)
        && let Some(binary) = usize::try_from(number).ok().and_then(|number| binaries.get(number))
    {
        *value = Value::Bytes((*binary).clone());
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                fill_in(item, binaries);
            }
        }
        Value::Map(entries) => {
            for (_, value) in entries {
                fill_in(value, binaries);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_for_clients_is_read_as_its_event() {
        let text = r#"["e",1,{"a":[{"_placeholder":true,"num":1}]},{"_placeholder":true,"num":0}]"#;
        let binaries = [Bytes::from_static(b"zero"), Bytes::from_static(b"one")];
        let data = Encoded::Str(text.into(), Some(binaries.into()));
        let event = event(&Packet::event("/", data)).unwrap();
        assert_eq!(event.name(), "e");
        let inner = Value::Array(vec![Value::Bytes("one".into())]);
        assert_eq!(
            event.args(),
            [Value::Int(1), Value::Map(vec![("a".into(), inner)]), Value::Bytes("zero".into())]
        );
    }

    #[test]
    fn a_packet_of_the_msgpack_parser_is_read_as_its_event() {
        let data = Encoded::Bytes(Bytes::from_static(b"\x93\xa1e\x01\xc4\x01\x07"));
        let event = event(&Packet::event("/", data)).unwrap();
        assert_eq!(event.args(), [Value::Int(1), Value::Bytes(vec![7].into())]);
    }

    #[test]
    fn a_placeholder_without_its_binary_stays() {
        let data = Encoded::Str(r#"["e",{"_placeholder":true,"num":9}]"#.into(), None);
        let event = event(&Packet::event("/", data)).unwrap();
        assert!(matches!(event.args(), [Value::Map(_)]));
    }
}
