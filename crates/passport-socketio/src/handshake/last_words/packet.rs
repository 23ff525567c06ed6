//! The head of a Socket.IO packet, as socketioxide writes it.

use super::{SESSION_ENDED, SessionEnded};

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
        let bytes = bytes.strip_prefix(b"\x04").unwrap_or(bytes);
        let (map, rest) = bytes.split_first()?;
        let rest = rest.strip_prefix(b"\xa4type").filter(|_| map & 0xf0 == 0x80)?;
        let (number, rest) = rest.split_first()?;
        let rest = rest.strip_prefix(b"\xa3nsp")?;
        let (length, rest) = match rest {
            [0xd9, length, rest @ ..] => (usize::from(*length), rest),
            [0xda, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            [short, rest @ ..] if short & 0xe0 == 0xa0 => (usize::from(short & 0x1f), rest),
            _ => return None,
        };
        let (namespace, rest) = rest.split_at_checked(length)?;
        let place = Place::Msgpack(namespace, rest);
        Some(Self { kind: Kind::of(*number)?, attachments: 0, place })
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

    /// Whether this is the event with which a client is told.
    pub(super) fn is_notice(&self, rest: &[u8], notice: &SessionEnded) -> bool {
        match self.place {
            Place::Text(_) => {
                serde_json::to_vec(&(SESSION_ENDED, notice)).is_ok_and(|text| text == rest)
            }
            Place::Msgpack(..) => rest == msgpack(notice),
        }
    }
}

/// `data: ["session_ended", {code, reconnect}]`
fn msgpack(notice: &SessionEnded) -> Vec<u8> {
    let mut bytes = Vec::new();
    short_text(&mut bytes, "data");
    bytes.push(0x92);
    short_text(&mut bytes, SESSION_ENDED);
    bytes.push(0x82);
    short_text(&mut bytes, "code");
    short_text(&mut bytes, notice.code);
    short_text(&mut bytes, "reconnect");
    bytes.push(if notice.reconnect { 0xc3 } else { 0xc2 });
    bytes
}

/// Of at most 31 bytes, as all of these are.
fn short_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(0xa0 | u8::try_from(text.len()).unwrap_or(0));
    bytes.extend_from_slice(text.as_bytes());
}
