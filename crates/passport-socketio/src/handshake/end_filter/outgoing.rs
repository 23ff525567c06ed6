//! The frames of a WebSocket, on their way out of the server: not masked, not compressed, and each a
//! whole message.

use bytes::{Buf as _, BytesMut};

use super::{EndFilter, PacketFilter};
use crate::handshake::frames::{BINARY, Frames, Head, TEXT};

/// What is written to a WebSocket. Until a login ends, it knows only where frames begin.
#[derive(Debug, Default)]
pub(in crate::handshake) struct Outgoing {
    frames: Frames,
    filtered: Option<Box<Filtered>>,
}

#[derive(Debug, Default)]
struct Filtered {
    filter: PacketFilter,
    /// A frame that has not come completely.
    held: BytesMut,
    passed: BytesMut,
}

impl Outgoing {
    /// These bytes were written as they came.
    pub(in crate::handshake) fn wrote(&mut self, bytes: &[u8]) {
        self.frames.pass(bytes, |_| {});
    }

    /// Takes over bytes to be written; of which then [`passed`](Self::passed) may be.
    pub(in crate::handshake) fn take(&mut self, ends: &EndFilter, mut bytes: &[u8]) {
        let Filtered { filter, held, passed } = &mut **self.filtered.get_or_insert_default();
        // A frame whose beginning is written needs its end.
        while let missing @ 1.. = self.frames.missing().min(bytes.len()) {
            let (end, after) = bytes.split_at(missing);
            self.frames.pass(end, |_| {});
            passed.extend_from_slice(end);
            bytes = after;
        }
        held.extend_from_slice(bytes);
        while let Some(head) = Head::at(held)
            && let Some(whole) = head.whole().filter(|whole| *whole <= held.len())
        {
            let bytes = held.split_to(whole);
            let message = bytes.get(head.size..).unwrap_or_default();
            let passes = match head.opcode {
                TEXT => filter.text(ends, message),
                BINARY => filter.binary(ends, message),
                _ => true,
            };
            if passes {
                passed.extend_from_slice(&bytes);
            }
        }
    }

    /// What is to be written next.
    pub(in crate::handshake) fn passed(&self) -> &[u8] {
        self.filtered.as_ref().map_or(&[], |filtered| &filtered.passed)
    }

    /// So many bytes of it were written.
    pub(in crate::handshake) fn sent(&mut self, bytes: usize) {
        if let Some(filtered) = &mut self.filtered {
            filtered.passed.advance(bytes.min(filtered.passed.len()));
        }
    }
}
