//! A network that fails on demand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a [`FaultProxy`] does with what passes through it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Each piece of an answer comes so much later.
    Slow(Duration),
    /// Connections stay open, and are accepted, but nothing comes through.
    Silent,
    /// Connections are cut, and new ones are cut at once.
    Cut,
    /// Answers arrive with their bytes changed.
    Garbage,
    /// Each piece of an answer is cut in two: the first half comes, and then the connection is cut.
    Torn,
    /// The JSON in answers is broken, which no protocol detects.
    BrokenJson,
}

/// A TCP proxy on the loopback interface, between a client and a real server.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use testkit::{Fault, FaultProxy};
/// use tokio::io::AsyncReadExt as _;
///
/// let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
/// let proxy = FaultProxy::to(server.local_addr().unwrap()).await;
/// let mut client = tokio::net::TcpStream::connect(proxy.addr()).await.unwrap();
/// let _held = server.accept().await.unwrap();
///
/// proxy.set(Fault::Cut);
/// assert!(matches!(client.read(&mut [0]).await, Ok(0) | Err(_)));
/// # }
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    fault: Arc<watch::Sender<Fault>>,
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// A proxy in front of the server at `target`.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let fault = Arc::new(watch::Sender::new(Fault::None));
        let accepting = tokio::spawn(accept(listener, target, fault.clone()));
        Self { addr, fault, accepting }
    }

    /// Where clients connect to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sets the fault, also for connections that are open.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

/// Accepts no connections any more, and cuts the open ones.
impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.set(Fault::Cut);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, fault: Arc<watch::Sender<Fault>>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(serve(client, target, fault.subscribe()));
    }
}

/// Passes bytes in both directions until one side closes, or the connection is cut.
async fn serve(client: TcpStream, target: SocketAddr, mut fault: watch::Receiver<Fault>) {
    let passing = {
        let fault = fault.clone();
        async move {
            if *fault.borrow() == Fault::Cut {
                return;
            }
            let Ok(server) = TcpStream::connect(target).await else {
                return;
            };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                () = pass(from_client, to_server, Questions, fault.clone()) => {}
                () = pass(from_server, to_client, Answers, fault) => {}
            }
        }
    };
    tokio::select! {
        () = passing => {}
        _ = fault.wait_for(|fault| *fault == Fault::Cut) => {}
    }
}

enum Direction {
    Questions,
    Answers,
}
use Direction::{Answers, Questions};

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    mut fault: watch::Receiver<Fault>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if fault.wait_for(|fault| *fault != Fault::Silent).await.is_err() {
            return;
        }
        let now = *fault.borrow();
        let Some(piece) = buffer.get_mut(..read) else {
            return;
        };
        match (&direction, now) {
            (Answers, Fault::Slow(by)) => tokio::time::sleep(by).await,
            (Answers, Fault::Garbage) => piece.iter_mut().for_each(|byte| *byte ^= 0x55),
            (Answers, Fault::BrokenJson) => {
                piece.iter_mut().filter(|byte| **byte == b'{').for_each(|byte| *byte = b'[');
            }
            (Answers, Fault::Torn) => {
                let (half, _) = piece.split_at(read / 2);
                let _ = to.write_all(half).await;
                return;
            }
            _ => {}
        }
        if to.write_all(piece).await.is_err() {
            return;
        }
    }
}
