//! A stream that somebody else can cut.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The frame that answers the host's first ping: a header, a mask, and `3`. It says only that somebody
/// is there.
const PONG: usize = 2 + 4 + 1;

/// A WebSocket's stream, until its switch is thrown: then there is nothing more to read, and
/// writing fails, also for who waits for a client that does not read.
pub struct Killable<IO> {
    io: IO,
    switch: Arc<Switch>,
    /// Dropped with it.
    _along: Option<Box<dyn Send + Sync>>,
}

/// Cuts a [`Killable`].
#[derive(Default)]
pub(super) struct Switch {
    thrown: AtomicBool,
    heard: AtomicBool,
    /// The host reads and writes in different tasks.
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Switch {
    pub(super) fn throw(&self) {
        self.thrown.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
    }

    fn is_thrown(&self) -> bool {
        self.thrown.load(Ordering::SeqCst)
    }

    /// Whether the client has said anything but that it is there.
    pub(super) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}

impl<IO: Unpin> Killable<IO> {
    pub(super) fn new(io: IO, switch: Arc<Switch>) -> Self {
        Self { io, switch, _along: None }
    }

    /// Lets this be dropped with it.
    pub(super) fn with(self, along: impl Send + Sync + 'static) -> Self {
        Self { _along: Some(Box::new(along)), ..self }
    }

    /// The stream, if it still may be written to.
    fn writable(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut IO>> {
        self.switch.writer.register(cx.waker());
        if self.switch.is_thrown() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        Ok(Pin::new(&mut self.io))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Killable<IO> {
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
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buffer));
        if !matches!(buffer.filled().len() - before, 0 | PONG) {
            self.switch.heard.store(true, Ordering::Relaxed);
        }
        Poll::Ready(read)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Killable<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writable(cx)?.poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writable(cx)?.poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writable(cx)?.poll_flush(cx)
    }

    /// Also of a stream that was cut: the client is to see its end.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<IO> std::fmt::Debug for Killable<IO> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Killable").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex, split};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_pong_alone_is_not_a_word() {
        let (server, mut client) = duplex(64);
        let switch = Arc::new(Switch::default());
        let mut reader = Killable::new(server, switch.clone());
        for (frame, is_word) in [("pong...", false), ("connect.", true)] {
            client.write_all(frame.as_bytes()).await.unwrap();
            assert_eq!(reader.read(&mut [0; 64]).await.unwrap(), frame.len());
            assert_eq!(switch.has_heard(), is_word, "{frame}");
        }
    }

    #[tokio::test]
    async fn a_cut_wakes_who_reads_and_who_writes_to_somebody_who_does_not_read() {
        let (server, mut client) = duplex(16);
        let switch = Arc::new(Switch::default());
        let (mut reader, mut writer) = split(Killable::new(server, switch.clone()));
        client.write_all(b"hello").await.unwrap();
        let mut hello = [0; 5];
        reader.read_exact(&mut hello).await.unwrap();

        let reading = tokio::spawn(async move { reader.read(&mut [0; 16]).await });
        let writing = tokio::spawn(async move { writer.write_all(&[0; 1024]).await });
        tokio::task::yield_now().await;
        assert!(!reading.is_finished() && !writing.is_finished());
        switch.throw();
        let second = Duration::from_secs(1);
        assert_eq!(timeout(second, reading).await.unwrap().unwrap().unwrap(), 0);
        let written = timeout(second, writing).await.unwrap().unwrap();
        assert_eq!(written.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
