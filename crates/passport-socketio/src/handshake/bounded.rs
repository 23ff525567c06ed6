//! A WebSocket's stream, as far as its client may use it before a namespace has let it in.
//!
//! Both directions are read along: how much comes, and whether an answer to a CONNECT goes out. See
//! [`Allowance`].

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::allowance::{Allowance, MOST, TOO_MUCH};
use super::cuttable::CutSwitch;
use super::frames::{BINARY, Frames, Seen, TEXT};
use super::packet::{admits, admits_in_binary};
use crate::observe::events;

/// A WebSocket's stream, which ends where its client sends too much.
pub struct BoundedStream<IO> {
    io: IO,
    allowance: Arc<Allowance>,
    switch: Arc<CutSwitch>,
    read: Frames,
    written: Frames,
}

impl<IO> BoundedStream<IO> {
    pub(super) fn new(io: IO, allowance: Arc<Allowance>, switch: Arc<CutSwitch>) -> Self {
        Self { io, allowance, switch, read: Frames::default(), written: Frames::default() }
    }

    fn may_receive(&mut self, data: &[u8]) -> bool {
        if self.allowance.is_admitted() {
            return true;
        }
        let mut fits = self.allowance.receive(data.len());
        self.read.pass(data, |seen| {
            // Room for a whole frame is made as soon as its head has come.
            if let Seen::Length(length) = seen {
                fits &= length <= MOST as u64;
            }
        });
        fits
    }

    fn has_written(&mut self, data: &[u8]) {
        if self.allowance.is_admitted() {
            return;
        }
        let allowance = &self.allowance;
        self.written.pass(data, |seen| {
            let admits = match seen {
                Seen::Beginning { opcode: TEXT, payload } => admits(payload),
                Seen::Beginning { opcode: BINARY, payload } => admits_in_binary(payload),
                _ => false,
            };
            if admits {
                allowance.admitted();
            }
        });
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for BoundedStream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        if !self.may_receive(buffer.filled().get(before..).unwrap_or_default()) {
            buffer.set_filled(before);
            events::cut(TOO_MUCH);
            // Its writer as well, which may be waiting for a client that does not read.
            self.switch.throw();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for BoundedStream<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, data))?;
        self.has_written(data.get(..written).unwrap_or(data));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<IO> fmt::Debug for BoundedStream<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedStream").finish_non_exhaustive()
    }
}
