//! The answer to a poll: packets in one of the three encodings of Engine.IO.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{Judge, LastWords};

/// Between the packets of version 4.
const SEPARATOR: u8 = 0x1e;

/// Of a payload what may be written. If that is nothing, a packet that says nothing.
pub(in crate::handshake) fn filtered(payload: &[u8], words: &LastWords, version_3: bool) -> Bytes {
    let (packets, noop) = match payload.first() {
        None => return Bytes::new(),
        Some(0 | 1) if version_3 => (binary_of_version_3(payload, words), &b"\x00\x01\xff6"[..]),
        Some(_) if version_3 => (text_of_version_3(payload, words), &b"1:6"[..]),
        Some(_) => (Some(of_version_4(payload, words)), &b"6"[..]),
    };
    match packets {
        Some(packets) if !packets.is_empty() => packets.into(),
        _ => Bytes::from_static(noop),
    }
}

fn of_version_4(payload: &[u8], words: &LastWords) -> Vec<u8> {
    let mut judge = Judge::default();
    let packets = payload.split(|byte| *byte == SEPARATOR);
    let passing: Vec<_> = packets.filter(|packet| judge.encoded(words, packet)).collect();
    passing.join(&SEPARATOR)
}

/// `<length>:<packet>…`, its length in UTF-16 code units. `None` if that is not what it is.
fn text_of_version_3(payload: &[u8], words: &LastWords) -> Option<Vec<u8>> {
    let mut judge = Judge::default();
    let mut passing = Vec::new();
    let mut rest = std::str::from_utf8(payload).ok()?;
    while !rest.is_empty() {
        let (length, after) = rest.split_once(':')?;
        let end = utf16_prefix(after, length.parse().ok()?)?;
        let (packet, after) = after.split_at_checked(end)?;
        if judge.encoded(words, packet.as_bytes()) {
            let whole = length.len() + 1 + end;
            passing.extend_from_slice(rest.get(..whole)?.as_bytes());
        }
        rest = after;
    }
    Some(passing)
}

/// How many bytes the first so many UTF-16 code units are.
fn utf16_prefix(text: &str, units: usize) -> Option<usize> {
    let (mut seen, mut bytes) = (0, 0);
    for char in text.chars() {
        if seen >= units {
            break;
        }
        seen += char.len_utf16();
        bytes += char.len_utf8();
    }
    (seen == units).then_some(bytes)
}

/// `<0: text, 1: binary><length, a digit a byte><255><packet>…`, its length in bytes.
fn binary_of_version_3(payload: &[u8], words: &LastWords) -> Option<Vec<u8>> {
    let mut judge = Judge::default();
    let mut passing = Vec::new();
    let mut rest = payload;
    while let [kind, digits @ ..] = rest {
        let end = digits.iter().position(|byte| *byte == 0xff)?;
        let length = digits.get(..end)?.iter().try_fold(0_usize, |length, digit| {
            length.checked_mul(10)?.checked_add(usize::from(*digit))
        })?;
        let (packet, after) = digits.get(end + 1..)?.split_at_checked(length)?;
        let passes = match kind {
            // Attachments of events, too, are text here: socketioxide encodes them as in version 4.
            0 => judge.encoded(words, packet),
            _ => judge.binary(words, packet),
        };
        if passes {
            passing.extend_from_slice(rest.get(..1 + end + 1 + length)?);
        }
        rest = after;
    }
    Some(passing)
}

impl Judge {
    /// Whether a packet may be written that is text, or binary data in base64.
    fn encoded(&mut self, words: &LastWords, packet: &[u8]) -> bool {
        let Some(encoded) = packet.strip_prefix(b"b") else {
            return self.text(words, packet);
        };
        // What an attachment says does not matter.
        let message = if self.attachments > 0 {
            Cow::Borrowed(encoded)
        } else {
            // In version 3, the message's type may stand before it.
            let encoded = encoded.strip_prefix(b"4").filter(|rest| rest.len() % 4 == 0);
            match STANDARD.decode(encoded.unwrap_or(packet.get(1..).unwrap_or_default())) {
                Ok(message) => Cow::Owned(message),
                Err(_) => return false,
            }
        };
        self.binary(words, &message)
    }
}
