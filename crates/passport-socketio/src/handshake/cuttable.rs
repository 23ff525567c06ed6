//! A stream that somebody else can cut.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::end_filter::{EndFilter, Outgoing};

/// The frame that answers the host's first ping: a header, a mask, and `3`. It says only that somebody
/// is there.
const PONG: usize = 2 + 4 + 1;

/// For a client to read what was written before socketioxide closed the connection.
const LINGER: Duration = Duration::from_secs(2);

/// What a WebSocket's stream is.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Duplex for IO {}

/// A WebSocket's stream, until its switch is thrown: then there is nothing more to read, and
/// writing fails, also for who waits for a client that does not read.
///
/// Once a login has ended, what is written is looked at (`end_filter`). And if socketioxide closes the
/// connection then, it is closed slowly: a stream that is dropped with bytes that nobody read resets
/// the connection, and a client that is still writing would fail, and not read what it was told.
pub struct CuttableStream<IO: Duplex> {
    /// `None` once it is dropped.
    io: Option<IO>,
    switch: Arc<CutSwitch>,
    filter: Arc<EndFilter>,
    outgoing: Outgoing,
    /// Dropped with it.
    _along: Option<Box<dyn Send + Sync>>,
}

/// Cuts a [`CuttableStream`].
#[derive(Default)]
pub(super) struct CutSwitch {
    thrown: AtomicBool,
    heard: AtomicBool,
    /// The host reads and writes in different tasks.
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl CutSwitch {
    pub(super) fn throw(&self) {
        self.thrown.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
    }

    fn is_thrown(&self) -> bool {
        self.thrown.load(Ordering::SeqCst)
    }

    /// Whether the client has said anything but that it is there.
    pub(super) fn has_received(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}

impl<IO: Duplex> CuttableStream<IO> {
    /// Lets `along` be dropped with it.
    pub(super) fn new(
        io: IO,
        switch: Arc<CutSwitch>,
        filter: Arc<EndFilter>,
        along: Option<Box<dyn Send + Sync>>,
    ) -> Self {
        Self { io: Some(io), switch, filter, outgoing: Outgoing::default(), _along: along }
    }

    fn io(&mut self) -> io::Result<Pin<&mut IO>> {
        self.io.as_mut().map(Pin::new).ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// The stream, if it still may be written to.
    fn writable(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut IO>> {
        self.switch.writer.register(cx.waker());
        if self.switch.is_thrown() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.io()
    }

    /// Writes all that has passed.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.passed().is_empty() {
            let io = self.io.as_mut().map(Pin::new).ok_or(ErrorKind::NotConnected)?;
            let sent = ready!(io.poll_write(cx, self.outgoing.passed()))?;
            if sent == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.outgoing.sent(sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: Duplex> AsyncRead for CuttableStream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.switch.reader.register(cx.waker());
        if self.switch.is_thrown() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = ready!(self.io()?.poll_read(cx, buffer));
        if !matches!(buffer.filled().len() - before, 0 | PONG) {
            self.switch.heard.store(true, Ordering::Relaxed);
        }
        Poll::Ready(read)
    }
}

/// tungstenite writes from one buffer, so there is no vectored writing to be passed on.
impl<IO: Duplex> AsyncWrite for CuttableStream<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let has_begun = self.filter.is_begun();
        let io = self.writable(cx)?;
        if !has_begun {
            let written = ready!(io.poll_write(cx, data))?;
            self.outgoing.wrote(data.get(..written).unwrap_or(data));
            return Poll::Ready(Ok(written));
        }
        ready!(self.poll_send(cx))?;
        let Self { filter, outgoing, .. } = &mut *self;
        outgoing.take(filter, data);
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What could not be sent yet is sent before anything else.
            _ => Poll::Ready(Ok(data.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writable(cx)?;
        ready!(self.poll_send(cx))?;
        self.io()?.poll_flush(cx)
    }

    /// Also of a stream that was cut: the client is to see its end.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_shutdown(cx)
    }
}

impl<IO: Duplex> Drop for CuttableStream<IO> {
    fn drop(&mut self) {
        if !self.filter.is_begun() || self.switch.is_thrown() {
            return;
        }
        if let (Some(mut io), Ok(runtime)) = (self.io.take(), Handle::try_current()) {
            runtime.spawn(timeout(LINGER, async move {
                let mut unread = [0; 1024];
                if io.shutdown().await.is_ok() {
                    while io.read(&mut unread).await.is_ok_and(|read| read > 0) {}
                }
            }));
        }
    }
}

impl<IO: Duplex> std::fmt::Debug for CuttableStream<IO> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CuttableStream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{duplex, split};

    use super::*;

    #[tokio::test]
    async fn a_pong_alone_is_not_activity() {
        let (server, mut client) = duplex(64);
        let switch = Arc::new(CutSwitch::default());
        let mut reader = CuttableStream::new(server, switch.clone(), Arc::default(), None);
        for (frame, is_word) in [("pong...", false), ("connect.", true)] {
            client.write_all(frame.as_bytes()).await.unwrap();
            assert_eq!(reader.read(&mut [0; 64]).await.unwrap(), frame.len());
            assert_eq!(switch.has_received(), is_word, "{frame}");
        }
    }

    #[tokio::test]
    async fn a_cut_wakes_a_pending_read_and_a_blocked_write() {
        let (server, mut client) = duplex(16);
        let switch = Arc::new(CutSwitch::default());
        let (mut reader, mut writer) =
            split(CuttableStream::new(server, switch.clone(), Arc::default(), None));
        client.write_all(b"hello").await.unwrap();
        let mut hello = [0; 5];
        reader.read_exact(&mut hello).await.unwrap();

        let reading = tokio::spawn(async move { reader.read(&mut [0; 16]).await });
        let writing = tokio::spawn(async move { writer.write_all(&[0; 1024]).await });
        tokio::task::yield_now().await;
        assert!(!reading.is_finished() && !writing.is_finished());
        switch.throw();
        // Both wake at once; the rest is for a busy machine.
        let soon = Duration::from_secs(10);
        assert_eq!(timeout(soon, reading).await.unwrap().unwrap().unwrap(), 0);
        let written = timeout(soon, writing).await.unwrap().unwrap();
        assert_eq!(written.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
