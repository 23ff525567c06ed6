//! How clients reach the server: over TCP, or over pipes in memory.

use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};

/// A pipe's buffer, in each direction.
const PIPE: usize = 4096;
/// More at once, and the kernel would drop some, which come again after seconds.
const DIALING: usize = 512;
/// One address has some 28,000 ports for clients.
const CLIENTS_OF_AN_ADDRESS: usize = 20_000;

/// The server's end.
pub(crate) enum Doors {
    Tcp(TcpListener),
    Memory(mpsc::Receiver<DuplexStream>),
}

/// The clients' end.
pub(crate) enum Link {
    Tcp { to: SocketAddr, clients: AtomicUsize, dialing: Semaphore },
    Memory(mpsc::Sender<DuplexStream>),
}

/// What bytes go through.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Memory(DuplexStream),
}

/// Both ends.
pub(crate) async fn link(over_tcp: bool) -> (Doors, Link) {
    if over_tcp {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(4096).unwrap();
        let to = listener.local_addr().unwrap();
        let dialing = Semaphore::new(DIALING);
        (Doors::Tcp(listener), Link::Tcp { to, clients: AtomicUsize::new(0), dialing })
    } else {
        let (sender, receiver) = mpsc::channel(1024);
        (Doors::Memory(receiver), Link::Memory(sender))
    }
}

impl Link {
    pub(crate) async fn open(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp { to, clients, dialing } => {
                let _turn = dialing.acquire().await.map_err(io::Error::other)?;
                let client = clients.fetch_add(1, Ordering::Relaxed);
                let host = u8::try_from(2 + client / CLIENTS_OF_AN_ADDRESS % 250).unwrap_or(2);
                let socket = TcpSocket::new_v4()?;
                socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0).into())?;
                socket.connect(*to).await.map(Stream::Tcp)
            }
            Self::Memory(sender) => {
                let (ours, theirs) = duplex(PIPE);
                sender.send(theirs).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
                Ok(Stream::Memory(ours))
            }
        }
    }
}

impl axum::serve::Listener for Doors {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self {
            Self::Tcp(listener) => {
                let (stream, addr) = axum::serve::Listener::accept(listener).await;
                (Stream::Tcp(stream), addr)
            }
            Self::Memory(receiver) => match receiver.recv().await {
                Some(stream) => (Stream::Memory(stream), nowhere()),
                None => pending().await,
            },
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(nowhere())
    }
}

fn nowhere() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Memory(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Memory(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
