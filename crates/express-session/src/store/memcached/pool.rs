//! Connections to one memcached: a few, made when they are needed, kept while they are whole.
//!
//! Who asks takes a connection, sends all of its commands and reads all of the answers; only then the
//! connection goes back. After an error, or when the asking is given up, it is closed: what is left in
//! it would be taken for the answer to somebody else's question.

use std::io::{Error, ErrorKind, Result};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::protocol::{Answer, Commands, read_answer};

/// So many questions are under way at once; the others wait their turn.
const CONNECTIONS: usize = 8;
/// A server that is there accepts within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// After a failed connect, the first pause before the next one; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Pool {
    address: Box<str>,
    places: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// While the server is away.
    pause: Option<Pause>,
}

#[derive(Clone, Copy)]
struct Pause {
    length: Duration,
    until: Instant,
    why: ErrorKind,
}

struct Connection {
    from: BufReader<OwnedReadHalf>,
    to: OwnedWriteHalf,
}

impl Pool {
    /// Connects to nothing yet. `address`: a host and a port.
    pub(super) fn to(address: &str) -> Self {
        let places = Semaphore::new(CONNECTIONS);
        Self { address: address.into(), places, state: Mutex::default() }
    }

    /// Sends the commands and reads one answer to each.
    pub(super) async fn ask(&self, commands: &Commands) -> Result<Vec<Answer>> {
        let _place = self.places.acquire().await.map_err(Error::other)?;
        let mut connection = match self.idle() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answers = connection.ask(commands).await?;
        self.state().idle.push(connection);
        Ok(answers)
    }

    /// A connection that the server has not closed meanwhile.
    fn idle(&self) -> Option<Connection> {
        let mut state = self.state();
        std::iter::from_fn(|| state.idle.pop()).find(Connection::is_whole)
    }

    /// Connects, unless that has just failed.
    async fn connect(&self) -> Result<Connection> {
        let last = self.state().pause;
        if let Some(pause) = last.filter(|pause| Instant::now() < pause.until) {
            return Err(Error::new(pause.why, "memcached could not be reached a moment ago"));
        }
        match Connection::to(&self.address).await {
            Ok(connection) => {
                self.state().pause = None;
                Ok(connection)
            }
            Err(error) => {
                let length = last.map_or(FIRST_PAUSE, |last| (last.length * 2).min(LAST_PAUSE));
                let until = Instant::now() + length;
                self.state().pause = Some(Pause { length, until, why: error.kind() });
                Err(error)
            }
        }
    }

    /// No code that holds the lock can panic, so a poisoned one is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    async fn to(address: &str) -> Result<Self> {
        let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect(address));
        let stream = connecting.await.map_err(|_| Error::from(ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        let (from, to) = stream.into_split();
        Ok(Self { from: BufReader::new(from), to })
    }

    /// Nothing waits to be read: neither an answer that nobody asked for, nor the end.
    fn is_whole(&self) -> bool {
        let mut byte = [0];
        let waits = self.from.get_ref().try_read(&mut byte);
        self.from.buffer().is_empty()
            && matches!(waits, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    async fn ask(&mut self, commands: &Commands) -> Result<Vec<Answer>> {
        let Self { from, to } = self;
        let reading = async {
            let mut answers = Vec::with_capacity(commands.count());
            while answers.len() < commands.count() {
                answers.push(read_answer(from).await?);
            }
            Ok(answers)
        };
        // At the same time: memcached stops reading while nobody reads its answers.
        let ((), answers) = tokio::try_join!(to.write_all(commands.text().as_bytes()), reading)?;
        Ok(answers)
    }
}
