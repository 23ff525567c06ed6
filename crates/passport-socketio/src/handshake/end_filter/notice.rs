//! The event that tells a client why its login has ended.

use serde::Serialize;

use crate::handshake::packet::Packet;

/// The event's name.
pub(crate) const SESSION_ENDED: &str = "session_ended";

/// Its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SessionEnded {
    pub(crate) code: &'static str,
    pub(crate) reconnect: bool,
}

impl SessionEnded {
    /// Whether this is the packet's data, which is `rest`.
    pub(super) fn is_in(&self, packet: &Packet<'_>, rest: &[u8]) -> bool {
        if packet.is_msgpack() {
            rest == msgpack(self)
        } else {
            serde_json::to_vec(&(SESSION_ENDED, self)).is_ok_and(|text| text == rest)
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
