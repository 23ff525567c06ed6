//! The frames of a WebSocket, on their way out of the server: not masked, not compressed, and each a
//! whole message.

use bytes::{Buf as _, BytesMut};

use super::{Judge, LastWords};

const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// What is written to a WebSocket. Until a login ends, it knows only where frames begin.
#[derive(Debug, Default)]
pub(in crate::handshake) struct Outgoing {
    frames: Frames,
    judged: Option<Box<Judged>>,
}

#[derive(Debug, Default)]
struct Judged {
    judge: Judge,
    /// A frame that has not come completely.
    held: BytesMut,
    passed: BytesMut,
}

impl Outgoing {
    /// These bytes were written as they came.
    pub(in crate::handshake) fn wrote(&mut self, bytes: &[u8]) {
        self.frames.note(bytes);
    }

    /// Takes over bytes to be written; of which then [`passed`](Self::passed) may be.
    pub(in crate::handshake) fn take(&mut self, words: &LastWords, mut bytes: &[u8]) {
        let Judged { judge, held, passed } = &mut **self.judged.get_or_insert_default();
        // A frame whose beginning is written needs its end.
        while let missing @ 1.. = self.frames.missing().min(bytes.len()) {
            let (end, after) = bytes.split_at(missing);
            self.frames.note(end);
            passed.extend_from_slice(end);
            bytes = after;
        }
        held.extend_from_slice(bytes);
        while let Some(frame) = Frame::at(held)
            && let Some(whole) = frame.whole().filter(|whole| *whole <= held.len())
        {
            let bytes = held.split_to(whole);
            let message = bytes.get(frame.head..).unwrap_or_default();
            let passes = match frame.opcode {
                TEXT => judge.text(words, message),
                BINARY => judge.binary(words, message),
                _ => true,
            };
            if passes {
                passed.extend_from_slice(&bytes);
            }
        }
    }

    /// What is to be written next.
    pub(in crate::handshake) fn passed(&self) -> &[u8] {
        self.judged.as_ref().map_or(&[], |judged| &judged.passed)
    }

    /// So many bytes of it were written.
    pub(in crate::handshake) fn sent(&mut self, bytes: usize) {
        if let Some(judged) = &mut self.judged {
            judged.passed.advance(bytes.min(judged.passed.len()));
        }
    }
}

/// Where frames begin and end.
#[derive(Debug, Default)]
struct Frames {
    /// A head that has not come completely.
    head: Vec<u8>,
    /// What is left of a frame.
    rest: usize,
}

struct Frame {
    opcode: u8,
    head: usize,
    payload: usize,
}

impl Frames {
    fn note(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = self.rest.min(bytes.len());
            self.rest -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((first, after)) = bytes.split_first() else {
                return;
            };
            if self.head.is_empty()
                && let Some(whole) = Frame::at(bytes).and_then(|frame| frame.whole())
            {
                self.rest = whole;
                continue;
            }
            self.head.push(*first);
            bytes = after;
            if let Some(frame) = Frame::at(&self.head) {
                self.rest = frame.payload;
                self.head = Vec::new();
            }
        }
    }

    /// How many more bytes belong to a frame that has begun, as far as is known: 0 if none has.
    fn missing(&self) -> usize {
        if self.head.is_empty() { self.rest } else { 1 }
    }
}

impl Frame {
    /// The frame that begins here, once its head is complete.
    fn at(bytes: &[u8]) -> Option<Self> {
        let (head, payload) = match bytes {
            [_, 126, more @ ..] => (4, u64::from(u16::from_be_bytes(*more.first_chunk()?))),
            [_, 127, more @ ..] => (10, u64::from_be_bytes(*more.first_chunk()?)),
            [_, short, ..] => (2, u64::from(short & 0x7f)),
            _ => return None,
        };
        let opcode = bytes.first()? & 0x0f;
        Some(Self { opcode, head, payload: usize::try_from(payload).unwrap_or(usize::MAX) })
    }

    fn whole(&self) -> Option<usize> {
        self.head.checked_add(self.payload)
    }
}
