//! HTTP and WebSocket as a client writes them: what a test says, and no more.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::link::{Link, Stream};

/// The largest head of an answer.
const HEAD: usize = 8192;

/// A request that was answered.
pub(crate) struct Answered {
    pub(crate) status: u16,
    stream: Stream,
}

/// An open WebSocket.
pub(crate) struct WebSocket(Stream);

/// The request that opens a WebSocket, with these lines among its headers.
pub(crate) fn upgrade(query: &str, headers: &str) -> String {
    format!(
        "GET /socket.io/?{query} HTTP/1.1\r\nHost: app.example\r\n{headers}Connection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Sends these bytes, and reads the head of what comes back.
pub(crate) async fn ask(link: &Link, request: &[u8]) -> io::Result<Answered> {
    let mut stream = link.open().await?;
    // What is too long may be answered, and the connection closed, before it is read.
    let _ = stream.write_all(request).await;
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answered { status, stream })
}

impl Answered {
    /// The WebSocket, if it was opened.
    pub(crate) fn upgraded(self) -> Option<WebSocket> {
        (self.status == 101).then_some(WebSocket(self.stream))
    }
}

impl WebSocket {
    /// Sends a short text.
    pub(crate) async fn send(&mut self, text: &str) -> io::Result<()> {
        let len = u8::try_from(text.len()).ok().filter(|len| *len < 126);
        let len = len.ok_or(io::ErrorKind::InvalidInput)?;
        // Masked with zeros: as it is.
        let mut frame = vec![0x81, 0x80 | len, 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.0.write_all(&frame).await
    }

    /// The next text. Heartbeats are answered.
    pub(crate) async fn receive(&mut self) -> io::Result<String> {
        loop {
            let kind = self.0.read_u8().await? & 0x0f;
            let len = match self.0.read_u8().await? & 0x7f {
                126 => usize::from(self.0.read_u16().await?),
                127 => return Err(io::ErrorKind::InvalidData.into()),
                len => usize::from(len),
            };
            let mut text = vec![0; len];
            self.0.read_exact(&mut text).await?;
            match (kind, text.as_slice()) {
                (8, _) => return Err(io::ErrorKind::ConnectionAborted.into()),
                (1, b"2") => self.send("3").await?,
                (1, _) => return Ok(String::from_utf8_lossy(&text).into_owned()),
                _ => {}
            }
        }
    }
}
