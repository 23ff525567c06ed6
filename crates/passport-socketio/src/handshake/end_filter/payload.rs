//! The answer to a poll: packets in one of the three encodings of Engine.IO.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{EndFilter, PacketFilter};
use crate::handshake::payload::{Encoded, Payload};

/// Of a payload what may be written. If that is nothing, a packet that says nothing.
pub(in crate::handshake) fn filtered(payload: &[u8], ends: &EndFilter, version_3: bool) -> Bytes {
    let noop = match payload.first() {
        None => return Bytes::new(),
        Some(0 | 1) if version_3 => &b"\x00\x01\xff6"[..],
        Some(_) if version_3 => &b"1:6"[..],
        Some(_) => &b"6"[..],
    };
    let mut filter = PacketFilter::default();
    let passes = |encoded: &Encoded<'_>| {
        // Attachments of events, too, are text here: socketioxide encodes them as in version 4.
        if encoded.is_binary {
            filter.binary(ends, encoded.packet)
        } else {
            filter.encoded(ends, encoded.packet)
        }
    };
    let packets = Payload::new(payload, version_3).and_then(|payload| payload.filtered(passes));
    match packets {
        Ok(packets) if !packets.is_empty() => packets.into(),
        _ => Bytes::from_static(noop),
    }
}

impl PacketFilter {
    /// Whether a packet may be written that is text, or binary data in base64.
    fn encoded(&mut self, ends: &EndFilter, packet: &[u8]) -> bool {
        let Some(encoded) = packet.strip_prefix(b"b") else {
            return self.text(ends, packet);
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
        self.binary(ends, &message)
    }
}
