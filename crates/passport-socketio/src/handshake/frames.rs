//! The frames of a WebSocket (RFC 6455, 5.2), as they pass: their heads, and how their payloads begin.
//!
//! Nothing is decoded, held back or changed.

/// Opcodes.
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;

/// Without what says how long it is, and without a mask.
const SHORTEST_HEAD: usize = 2;
const LONGEST_HEAD: usize = SHORTEST_HEAD + 8 + 4;

/// What is kept of a payload: enough to know a packet by.
const BEGINNING: usize = 8;

/// What is known of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen<'f> {
    /// Its head says how many bytes come.
    Length(u64),
    /// The first bytes of an unmasked payload, [`BEGINNING`] of them or all there are. Of a masked one
    /// they make no sense.
    Beginning { opcode: u8, payload: &'f [u8] },
}

/// Where in a frame a stream is.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: Vec<u8>,
    /// Once the head is complete.
    payload: Option<Payload>,
}

#[derive(Debug)]
struct Payload {
    left: u64,
    beginning: Vec<u8>,
    has_begun: bool,
}

impl Frames {
    /// The stream goes on with `data`.
    pub(super) fn pass(&mut self, mut data: &[u8], mut see: impl FnMut(Seen<'_>)) {
        while !data.is_empty() {
            if self.payload.is_none()
                && let Some((byte, rest)) = data.split_first()
            {
                self.head.push(*byte);
                data = rest;
                let Some(length) = length_of(&self.head) else {
                    continue;
                };
                see(Seen::Length(length));
                let beginning = Vec::with_capacity(BEGINNING);
                self.payload = Some(Payload { left: length, beginning, has_begun: false });
            }
            data = self.pass_payload(data, &mut see);
        }
    }

    fn pass_payload<'d>(&mut self, data: &'d [u8], see: &mut impl FnMut(Seen<'_>)) -> &'d [u8] {
        let Some(payload) = &mut self.payload else {
            return data;
        };
        let length = usize::try_from(payload.left).map_or(data.len(), |left| left.min(data.len()));
        let (passed, rest) = data.split_at_checked(length).unwrap_or((data, &[]));
        payload.left -= passed.len() as u64;
        let wanted = BEGINNING - payload.beginning.len();
        payload.beginning.extend(passed.iter().take(wanted));
        if !payload.has_begun && (payload.left == 0 || payload.beginning.len() == BEGINNING) {
            payload.has_begun = true;
            let opcode = self.head.first().map_or(0, |first| first & 0x0f);
            see(Seen::Beginning { opcode, payload: &payload.beginning });
        }
        if payload.left == 0 {
            self.payload = None;
            self.head.clear();
        }
        rest
    }
}

/// How long the payload is, once the head is complete.
fn length_of(head: &[u8]) -> Option<u64> {
    let [_, second, rest @ ..] = head else {
        return None;
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (bytes, length) = match second & 0x7f {
        126 => (2, None),
        127 => (8, None),
        length => (0, Some(u64::from(length))),
    };
    debug_assert!(head.len() <= LONGEST_HEAD);
    if rest.len() < bytes + mask {
        return None;
    }
    let written = || rest.iter().take(bytes).fold(0, |length, byte| length << 8 | u64::from(*byte));
    Some(length.unwrap_or_else(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(opcode: u8, payload: &[u8], mask: bool) -> Vec<u8> {
        let bit = if mask { 0x80 } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            short @ 0..126 => frame.push(bit | u8::try_from(short).unwrap()),
            middle @ 126..65_536 => {
                frame.push(bit | 0x7e);
                frame.extend(u16::try_from(middle).unwrap().to_be_bytes());
            }
            long => {
                frame.push(bit | 0x7f);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        if mask {
            frame.extend([0; 4]);
        }
        frame.extend(payload);
        frame
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Noted {
        Length(u64),
        Beginning(u8, Vec<u8>),
    }

    fn all(data: &[u8], cut_to: usize) -> Vec<Noted> {
        let (mut frames, mut noted) = (Frames::default(), Vec::new());
        for piece in data.chunks(cut_to) {
            frames.pass(piece, |seen| {
                noted.push(match seen {
                    Seen::Length(length) => Noted::Length(length),
                    Seen::Beginning { opcode, payload } => Noted::Beginning(opcode, payload.into()),
                });
            });
        }
        noted
    }

    #[test]
    fn frames_of_all_lengths_are_found_in_pieces_of_any_size() {
        let payloads = [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 70_000];
        for mask in [false, true] {
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for (n, length) in payloads.into_iter().enumerate() {
                let payload: Vec<u8> = (0..251).cycle().take(length).collect();
                let opcode = [TEXT, BINARY, 9][n % 3];
                stream.extend(frame(opcode, &payload, mask));
                expected.push(Noted::Length(length as u64));
                let beginning = payload.iter().take(BEGINNING).copied().collect();
                expected.push(Noted::Beginning(opcode, beginning));
            }
            for cut_to in [1, 2, 3, 5, 8, 13, 4096, stream.len()] {
                assert_eq!(all(&stream, cut_to), expected, "cut to {cut_to}, masked: {mask}");
            }
        }
    }

    #[test]
    fn a_frames_length_is_known_before_its_payload() {
        let head = [0x81, 0xff, 0, 0, 0, 0, 3, 0x93, 0x87, 0, 1, 2, 3, 4];
        assert_eq!(all(&head, 1), [Noted::Length(60_000_000)]);
        assert_eq!(all(&head[..13], 1), []);
        let mut longest = head;
        longest[2..10].fill(0xff);
        assert_eq!(all(&longest, 14), [Noted::Length(u64::MAX)]);
    }
}
