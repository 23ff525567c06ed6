//! The head of a Socket.IO packet, as socketioxide writes it: by its own parser in text, by its
//! `MessagePack` parser in a binary map.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::payload::{Encoded, Payload};

/// A packet of the server.
pub(super) struct Packet<'p> {
    pub(super) kind: Kind,
    /// How many binary messages follow it.
    pub(super) attachments: usize,
    place: Place<'p>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Connect,
    Disconnect,
    /// An event or an ack, with attachments or without.
    Message,
    ConnectError,
}

enum Place<'p> {
    /// What follows the type and the number of attachments.
    Text(&'p [u8]),
    /// The namespace, and what follows it.
    Msgpack(&'p [u8], &'p [u8]),
}

impl Kind {
    fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Connect),
            1 => Some(Self::Disconnect),
            2 | 3 | 5 | 6 => Some(Self::Message),
            4 => Some(Self::ConnectError),
            _ => None,
        }
    }
}

impl<'p> Packet<'p> {
    /// `<type>[<attachments>-][/<namespace>,][<id>][<JSON>]`
    pub(super) fn of_text(text: &'p [u8]) -> Option<Self> {
        let (&digit, mut rest) = text.split_first()?;
        let number = digit.checked_sub(b'0')?;
        let mut attachments = 0;
        if matches!(number, 5 | 6) {
            let end = rest.iter().position(|byte| *byte == b'-')?;
            attachments = std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
            rest = rest.get(end + 1..)?;
        }
        Some(Self { kind: Kind::of(number)?, attachments, place: Place::Text(rest) })
    }

    /// A map that begins with `type` and `nsp`. In Engine.IO 3 the message's type is before it.
    pub(super) fn of_msgpack(bytes: &'p [u8]) -> Option<Self> {
        let (kind, rest) = kind_of_msgpack(bytes)?;
        let rest = rest.strip_prefix(b"\xa3nsp")?;
        let (length, rest) = match rest {
            [0xd9, length, rest @ ..] => (usize::from(*length), rest),
            [0xda, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            [short, rest @ ..] if short & 0xe0 == 0xa0 => (usize::from(short & 0x1f), rest),
            _ => return None,
        };
        let (namespace, rest) = rest.split_at_checked(length)?;
        let place = Place::Msgpack(namespace, rest);
        Some(Self { kind, attachments: 0, place })
    }

    /// What follows the namespace, if it is this one.
    pub(super) fn rest_in(&self, namespace: &str) -> Option<&'p [u8]> {
        // socketioxide takes namespaces with and without it.
        let name = namespace.strip_prefix('/').unwrap_or(namespace).as_bytes();
        match self.place {
            Place::Text(rest) if name.is_empty() => (!rest.starts_with(b"/")).then_some(rest),
            Place::Text(rest) => rest.strip_prefix(b"/")?.strip_prefix(name)?.strip_prefix(b","),
            Place::Msgpack(namespace, rest) => {
                (namespace.strip_prefix(b"/").unwrap_or(namespace) == name).then_some(rest)
            }
        }
    }

    /// Whether it is of the `MessagePack` parser.
    pub(super) fn is_msgpack(&self) -> bool {
        matches!(self.place, Place::Msgpack(..))
    }
}

/// Whether this packet of Engine.IO says that a namespace has let its client in: the answer to a CONNECT,
/// in a text frame. The first bytes will do.
pub(super) fn admits(packet: &[u8]) -> bool {
    let message = packet.strip_prefix(b"4").and_then(|message| message.first());
    message.and_then(|digit| Kind::of(digit.checked_sub(b'0')?)) == Some(Kind::Connect)
}

/// The same in a binary frame. The first eight bytes will do.
pub(super) fn admits_in_binary(packet: &[u8]) -> bool {
    kind_of_msgpack(packet).is_some_and(|(kind, _)| kind == Kind::Connect)
}

/// The same of all packets of an answer over polling, as far as they can be told apart.
pub(super) fn payload_admits(payload: &[u8], version_3: bool) -> bool {
    let Ok(payload) = Payload::new(payload, version_3) else {
        return false;
    };
    payload.map_while(Result::ok).any(|Encoded { packet, is_binary, .. }| {
        if is_binary {
            admits_in_binary(packet)
        } else {
            admits(packet) || admits_in_base64(packet)
        }
    })
}

/// Binary data in a text: `b`, in version 3 the message's type, and base64, whose beginning will do.
fn admits_in_base64(packet: &[u8]) -> bool {
    let Some(packet) = packet.strip_prefix(b"b") else {
        return false;
    };
    // No map begins with a 4 in base64.
    let packet = packet.strip_prefix(b"4").unwrap_or(packet);
    let beginning = packet.get(..12).map(|beginning| STANDARD.decode(beginning));
    matches!(beginning, Some(Ok(beginning)) if admits_in_binary(&beginning))
}

/// A map that begins with `type`, and what is behind that. In Engine.IO 3 the message's type is before it.
fn kind_of_msgpack(bytes: &[u8]) -> Option<(Kind, &[u8])> {
    let bytes = bytes.strip_prefix(b"\x04").unwrap_or(bytes);
    let (map, rest) = bytes.split_first()?;
    let rest = rest.strip_prefix(b"\xa4type").filter(|_| map & 0xf0 == 0x80)?;
    let (number, rest) = rest.split_first()?;
    Some((Kind::of(*number)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_connect_packet_counts_as_admission() {
        for packet in ["40", "40{\"sid\":\"x\"}", "40/admin,{\"sid\":\"x\"}"] {
            assert!(admits(packet.as_bytes()), "{packet}");
        }
        for packet in [
            "",
            "4",
            "0{\"sid\":\"40\"}",
            "2",
            "3probe",
            "6",
            "44{\"message\":\"40\"}",
            "42[\"40\"]",
            "41",
        ] {
            assert!(!admits(packet.as_bytes()), "{packet}");
        }
    }

    #[test]
    fn a_msgpack_map_of_type_0_counts_as_admission() {
        let map = |entries: u8, kind: u8| {
            [&[0x80 | entries, 0xa4][..], b"type", &[kind, 0xa3], b"nsp", &[0xa1], b"/"].concat()
        };
        for entries in [2, 3] {
            assert!(admits_in_binary(&map(entries, 0)));
            assert!(admits_in_binary(&[&[4], &map(entries, 0)[..]].concat()));
            for kind in 1..=6 {
                assert!(!admits_in_binary(&map(entries, kind)), "{kind}");
            }
        }
        // Base64 of the same, by `btoa`.
        assert!(payload_admits(b"bgqR0eXBlAKNuc3ChLw==", false));
        assert!(payload_admits(b"2\x1ebg6R0eXBlAKNuc3ChLw==", false));
        assert!(payload_admits(b"20:b4g6R0eXBlAKNuc3ChLw", true));
        assert!(!payload_admits(b"bg6R0eXBlBKNuc3ChLw==", false));
        assert!(!payload_admits(b"bgqR0eXBlAaNuc3ChLw==", false));
        assert!(!admits_in_binary(b""));
    }

    #[test]
    fn a_connect_packet_is_found_anywhere_in_a_polled_payload() {
        for payload in ["40", "40{\"sid\":\"x\"}", "2\x1e40", "2\x1e44{}\x1e40/a,\x1e2"] {
            assert!(payload_admits(payload.as_bytes(), false), "{payload:?}");
        }
        for payload in
            ["", "2", "6", "44{\"message\":\"x40\"}", "44{\"message\":\"\\u001e40\"}", "1:40"]
        {
            assert!(!payload_admits(payload.as_bytes(), false), "{payload:?}");
        }
    }

    #[test]
    fn packets_of_version_3_are_split_by_length() {
        for payload in ["2:40", "1:22:40", "9:44\"é𝕊é:\"2:40", "96:0{2:40"] {
            let is_cut = payload.starts_with("96");
            assert_eq!(payload_admits(payload.as_bytes(), true), !is_cut, "{payload}");
        }
        for payload in ["", "2", "2:", "2:4", "1:4", "12:44\"2:40 2:40", "x:40", "-1:40", "40"] {
            assert!(!payload_admits(payload.as_bytes(), true), "{payload}");
        }
        let binary = [&[0, 2, 255][..], b"44", &[0, 1, 2, 255], b"40/ab,{\"\":1}", &[1, 1, 255, 4]];
        assert!(payload_admits(&binary.concat(), true));
        let huge =
            [0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 255, b'4', b'0'];
        assert!(!payload_admits(&huge, true));
        let message_pack = [&[1, 9, 255, 4, 0x82, 0xa4][..], b"type", &[0, 0xa3]].concat();
        assert!(payload_admits(&message_pack, true));
    }
}
