//! The frames of a WebSocket (RFC 6455, 5.2), as they pass: their heads, and how their payloads begin.
//!
//! Nothing is decoded, held back or changed.

/// Opcodes.
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;

/// Two bytes, what says how long it is, and a mask.
const LONGEST_HEAD: usize = 2 + 8 + 4;

/// What is kept of a payload: enough to know a packet by.
const BEGINNING: usize = 8;

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) opcode: u8,
    /// Of the head itself, in bytes.
    pub(super) size: usize,
    /// Of what follows, in bytes.
    payload: u64,
}

impl Head {
    /// The head that begins here, once it is complete.
    pub(super) fn at(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let (size, payload) = match second & 0x7f {
            126 => (2 + 2 + mask, u64::from(u16::from_be_bytes(*rest.first_chunk()?))),
            127 => (2 + 8 + mask, u64::from_be_bytes(*rest.first_chunk()?)),
            short => (2 + mask, u64::from(short)),
        };
        (bytes.len() >= size).then_some(Self { opcode: first & 0x0f, size, payload })
    }

    /// The size of the whole frame. `None` for one that no memory could hold.
    pub(super) fn whole(&self) -> Option<usize> {
        self.size.checked_add(usize::try_from(self.payload).ok()?)
    }
}

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
    /// A head that has not come completely.
    head: FirstBytes<LONGEST_HEAD>,
    /// Once the head is complete.
    payload: Option<Payload>,
}

#[derive(Debug)]
struct Payload {
    opcode: u8,
    left: u64,
    beginning: FirstBytes<BEGINNING>,
    was_seen: bool,
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
                let Some(head) = Head::at(self.head.bytes()) else {
                    continue;
                };
                see(Seen::Length(head.payload));
                self.head = FirstBytes::default();
                self.payload = Some(Payload {
                    opcode: head.opcode,
                    left: head.payload,
                    beginning: FirstBytes::default(),
                    was_seen: false,
                });
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
        passed.iter().take(BEGINNING).for_each(|byte| payload.beginning.push(*byte));
        if !payload.was_seen && (payload.left == 0 || payload.beginning.is_full()) {
            payload.was_seen = true;
            let (opcode, payload) = (payload.opcode, payload.beginning.bytes());
            see(Seen::Beginning { opcode, payload });
        }
        if payload.left == 0 {
            self.payload = None;
        }
        rest
    }

    /// How many more bytes belong to a frame that has begun, as far as is known: 0 between frames.
    pub(super) fn missing(&self) -> usize {
        match &self.payload {
            Some(payload) => usize::try_from(payload.left).unwrap_or(usize::MAX),
            None if self.head.bytes().is_empty() => 0,
            None => 1,
        }
    }
}

/// The first `N` bytes of something.
#[derive(Debug)]
struct FirstBytes<const N: usize> {
    bytes: [u8; N],
    count: usize,
}

impl<const N: usize> FirstBytes<N> {
    fn push(&mut self, byte: u8) {
        if let Some(next) = self.bytes.get_mut(self.count) {
            *next = byte;
            self.count += 1;
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }

    fn is_full(&self) -> bool {
        self.count == N
    }
}

impl<const N: usize> Default for FirstBytes<N> {
    fn default() -> Self {
        Self { bytes: [0; N], count: 0 }
    }
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
