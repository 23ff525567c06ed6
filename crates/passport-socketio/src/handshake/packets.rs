//! Whether a packet says that a namespace has let its client in: the answer to a CONNECT, in every form
//! that socketioxide writes it in.
//!
//! - Socket.IO's own parser: text, `40` and what comes with it;
//! - its `MessagePack` parser: binary, a map that begins with `type: 0`.

/// A packet of Engine.IO in a text frame.
pub(super) fn admits(packet: &[u8]) -> bool {
    packet.starts_with(b"40")
}

/// The same in a binary frame, which version 3 begins with a type of its own.
pub(super) fn admits_in_binary(packet: &[u8]) -> bool {
    let packet = packet.strip_prefix(&[4]).unwrap_or(packet);
    matches!(packet, [0x80..=0x8f, 0xa4, b't', b'y', b'p', b'e', 0, ..])
}

/// All packets of an answer over polling.
pub(super) fn payload_admits(payload: &[u8], version_3: bool) -> bool {
    if version_3 {
        return version_3_admits(payload).is_some();
    }
    payload.split(|byte| *byte == 0x1e).any(|packet| admits(packet) || admits_in_base64(packet))
}

/// A binary packet in a text, `b` and its base64. The `nsp` that follows begins with `a3`.
fn admits_in_base64(packet: &[u8]) -> bool {
    let Some(packet) = packet.strip_prefix(b"b") else {
        return false;
    };
    let packet = packet.strip_prefix(b"4").unwrap_or(packet);
    matches!(packet, [b'g', _, b'R', b'0', b'e', b'X', b'B', b'l', b'A', b'K', ..])
}

/// Walks packets, each with its length before it, until one admits. `None` where none does, or where
/// they can't be told apart.
fn version_3_admits(mut payload: &[u8]) -> Option<()> {
    loop {
        let (admits, rest) = match payload.split_first()? {
            (0, rest) => {
                let (packet, rest) = after_digits(rest)?;
                (admits(packet), rest)
            }
            (1, rest) => {
                let (packet, rest) = after_digits(rest)?;
                (admits_in_binary(packet), rest)
            }
            _ => {
                let (packet, rest) = after_decimal(payload)?;
                (admits(packet) || admits_in_base64(packet), rest)
            }
        };
        if admits {
            return Some(());
        }
        payload = rest;
    }
}

/// The packet after `[digit, digit, …, 255]`, a number of bytes, and what is behind it.
fn after_digits(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = payload.iter().position(|byte| *byte == 255)?;
    let (digits, rest) = payload.split_at_checked(end)?;
    let add = |length: usize, digit: &u8| length.checked_mul(10)?.checked_add((*digit).into());
    rest.get(1..)?.split_at_checked(digits.iter().try_fold(0, add)?)
}

/// The packet after `length:`, a number of UTF-16 units, and what is behind it.
fn after_decimal(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = std::str::from_utf8(payload).ok()?.split_once(':')?;
    let mut left: usize = length.parse().ok()?;
    let mut end = 0;
    for char in rest.chars() {
        if left == 0 {
            break;
        }
        left = left.checked_sub(char.len_utf16())?;
        end += char.len_utf8();
    }
    if left > 0 {
        return None;
    }
    rest.as_bytes().split_at_checked(end)
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
