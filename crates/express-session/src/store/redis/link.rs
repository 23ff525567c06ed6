//! A connection that comes back.
//!
//! Calls share one connection. Who meets a fault on it reports that, and a task of the link's own
//! makes another: at once if the last one did some good, else after pauses that grow. Until the
//! first attempt is over, calls wait for it; from then on they fail at once with its error.
//!
//! Silence is a fault, too, and the one that no error reports: callers have a shorter patience than
//! ours and leave. So a question that is dropped unanswered counts, if the connection has answered
//! nobody since.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::{PushInfo, RedisError};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use super::super::StoreError;
use super::address::{Address, Connection, Pushes};
use super::masters::Nodes;
use super::told::{blames_connection, told};

/// A backstop: who asks gives up earlier by itself (the authorizer's `store_timeout`), and says so
/// more exactly.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that answers nobody for so long, while it is asked, is given up.
const SILENCE: Duration = Duration::from_secs(1);
const ASKING: &str = "asking Redis";
/// The pauses between attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// A connection that lived for so long did some good.
const SETTLED: Duration = Duration::from_secs(5);
/// Changes that a slow listener may be behind; who is further behind is told so.
const PUSHES: usize = 4096;

#[derive(Clone)]
pub(super) struct Link {
    state: watch::Receiver<State>,
    wishes: mpsc::Sender<Wish>,
    address: Arc<Address>,
    patience: Patience,
    pushes: Pushes,
}

/// Why there shall be another connection than the one with this number.
enum Wish {
    /// It is faulty.
    Replace(u64),
    /// It works, but does not speak RESP3. Told when another one has been tried.
    SpeakResp3(u64, oneshot::Sender<()>),
}

/// How to tell that nobody will answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// There is one server: whoever is answered shows that it is there.
    WithServer,
    /// The other nodes answer whatever has become of this one.
    WithNode,
}

#[derive(Clone)]
enum State {
    /// It is there.
    Up(Arc<Live>),
    /// It is being replaced, and nothing has failed so far.
    Coming,
    /// It could not be replaced, so far.
    Down(StoreError),
}

struct Live {
    /// Which one it is: a fault of an earlier one is old news.
    number: u64,
    connection: Connection,
    asked: Mutex<Option<Asked>>,
}

/// Since when nobody was answered.
#[derive(Clone, Copy)]
struct Asked {
    first: Instant,
    last: Instant,
}

impl Link {
    /// Connects.
    pub(super) async fn open(address: Address) -> Result<Self, StoreError> {
        let pushes = Pushes::new(PUSHES);
        let live = Live::new(0, address.connect(&pushes).await?);
        let patience = if address.is_cluster() { Patience::WithNode } else { Patience::WithServer };
        let (publish, state) = watch::channel(State::Up(Arc::new(live)));
        // One report is enough: those that find no room tell of the same fault.
        let (wishes, received) = mpsc::channel(1);
        let address = Arc::new(address);
        tokio::spawn(keep(address.clone(), publish, received, pushes.clone()));
        Ok(Self { state, wishes, address, patience, pushes })
    }

    /// How each of its nodes is connected to, if it is a cluster.
    pub(super) fn nodes(&self) -> Option<&Nodes> {
        self.address.nodes()
    }

    /// Asks for a change, on the connection that there is now.
    pub(super) async fn change<T, F>(
        &self,
        ask: impl FnOnce(Connection) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        patiently(async {
            let live = self.live(None).await?;
            self.ask(&live, ask).await.map_err(|error| told(ASKING, error))
        })
        .await
    }

    /// What the server tells unasked, from now on.
    pub(super) fn pushes(&self) -> broadcast::Receiver<PushInfo> {
        self.pushes.subscribe()
    }

    /// Returns when there is another connection than this one.
    pub(super) async fn replaced(&self, number: u64) -> Result<(), StoreError> {
        let mut state = self.state.clone();
        let other = |state: &State| matches!(state, State::Up(live) if live.number != number);
        let replaced = state.wait_for(other).await;
        replaced.map(|_| ()).map_err(|error| StoreError::new("waiting for Redis", error))
    }

    /// Asks for what is there. A server closes connections that idle for long, which shows only when
    /// one is used: then this asks again on the next one.
    pub(super) async fn read<T, F>(&self, ask: impl Fn(Connection) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        patiently(async {
            let live = self.live(None).await?;
            let answer = match self.ask(&live, &ask).await {
                Err(error) if error.is_connection_dropped() && !live.connection.is_cluster() => {
                    let next = self.live(Some(live.number)).await?;
                    self.ask(&next, &ask).await
                }
                answer => answer,
            };
            answer.map_err(|error| told(ASKING, error))
        })
        .await
    }

    async fn ask<T, F>(
        &self,
        live: &Live,
        ask: impl FnOnce(Connection) -> F,
    ) -> Result<T, RedisError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let question = Question::new(self, live);
        let answer = ask(live.connection.clone()).await;
        question.answered(answer.as_ref().err());
        answer
    }

    /// The connection that is there, or will be; one after `lost` if that is known to be none.
    async fn live(&self, lost: Option<u64>) -> Result<Arc<Live>, StoreError> {
        let mut state = self.state.clone();
        let is_news = |state: &State| match state {
            State::Up(live) => Some(live.number) != lost,
            State::Coming => false,
            State::Down(_) => true,
        };
        let known = state.wait_for(is_news).await;
        match known.as_deref() {
            Ok(State::Up(live)) => Ok(live.clone()),
            Ok(State::Down(error)) => Err(error.clone()),
            Ok(State::Coming) | Err(_) => Err(StoreError::message("Redis' connection has ended")),
        }
    }

    fn report(&self, live: &Live) {
        let _ = self.wishes.try_send(Wish::Replace(live.number));
    }

    /// The connection that there is now, and which one it is. If it does not speak RESP3, one that
    /// does is tried first: what kept the server from it may be over.
    pub(super) async fn current_with_resp3(&self) -> Result<(u64, Connection), StoreError> {
        let live = self.live(None).await?;
        if live.connection.tells_changes() || !self.address.permits_resp3() {
            return Ok((live.number, live.connection.clone()));
        }
        patiently(async {
            let (tell, tried) = oneshot::channel();
            if self.wishes.send(Wish::SpeakResp3(live.number, tell)).await.is_ok() {
                let _ = tried.await;
            }
            self.live(None).await.map(|live| (live.number, live.connection.clone()))
        })
        .await
    }
}

async fn patiently<T>(
    asking: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match timeout(PATIENCE, asking).await {
        Ok(answer) => answer,
        Err(late) => Err(StoreError::new(ASKING, late).server_away()),
    }
}

impl Live {
    fn new(number: u64, connection: Connection) -> Self {
        Self { number, connection, asked: Mutex::default() }
    }

    fn asked<T>(&self, change: impl FnOnce(&mut Option<Asked>) -> T) -> T {
        change(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A question on its way. Dropped without an answer, it tells of the silence.
struct Question<'a> {
    link: &'a Link,
    live: &'a Live,
    since: Instant,
    is_answered: bool,
}

impl<'a> Question<'a> {
    fn new(link: &'a Link, live: &'a Live) -> Self {
        let now = Instant::now();
        live.asked(|asked| {
            // Somebody may have left early, a while ago: that alone says nothing.
            let first = match asked {
                Some(before) if now - before.last < SILENCE => before.first,
                _ => now,
            };
            *asked = Some(Asked { first, last: now });
        });
        Self { link, live, since: now, is_answered: false }
    }

    fn answered(mut self, error: Option<&RedisError>) {
        self.is_answered = true;
        if error.is_some_and(blames_connection) {
            self.link.report(self.live);
        } else {
            self.live.asked(|asked| *asked = None);
        }
    }

    fn is_silence(&self) -> bool {
        let now = Instant::now();
        match self.link.patience {
            Patience::WithNode => now - self.since >= SILENCE,
            Patience::WithServer => {
                self.live.asked(|asked| asked.is_some_and(|asked| now - asked.first >= SILENCE))
            }
        }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if !self.is_answered && self.is_silence() {
            self.link.report(self.live);
        }
    }
}

/// Replaces the connection whenever a fault is reported, until the last link is gone.
async fn keep(
    address: Arc<Address>,
    state: watch::Sender<State>,
    mut wishes: mpsc::Receiver<Wish>,
    pushes: Pushes,
) {
    let (mut number, mut since, mut pause) = (0, Instant::now(), Duration::ZERO);
    loop {
        let wish = tokio::select! {
            wish = wishes.recv() => match wish {
                Some(wish) => wish,
                None => return,
            },
            () = address.has_moved() => Wish::Replace(number),
        };
        match wish {
            Wish::Replace(faulty) if faulty == number => {}
            Wish::SpeakResp3(older, _tried) if older == number => {
                // Otherwise the old one stays, which does everything else.
                let tried = address.connect(&pushes).await;
                if let Some(connection) = tried.ok().filter(Connection::tells_changes) {
                    number += 1;
                    since = Instant::now();
                    state.send_replace(State::Up(Arc::new(Live::new(number, connection))));
                }
                continue;
            }
            Wish::Replace(_) | Wish::SpeakResp3(..) => continue,
        }
        if since.elapsed() > SETTLED {
            pause = Duration::ZERO;
        }
        // The other nodes of a cluster do their work meanwhile.
        let withdraw = |now: State| {
            if !address.is_cluster() {
                state.send_replace(now);
            }
        };
        tracing::warn!("Redis: a connection is faulty, and is made anew");
        withdraw(State::Coming);
        loop {
            sleep(pause.mul_f64(jitter())).await;
            pause = (2 * pause).clamp(PAUSES.0, PAUSES.1);
            if wishes.is_closed() {
                return;
            }
            match address.connect(&pushes).await {
                Ok(connection) => {
                    number += 1;
                    since = Instant::now();
                    state.send_replace(State::Up(Arc::new(Live::new(number, connection))));
                    tracing::info!("Redis: connected again");
                    break;
                }
                Err(error) => withdraw(State::Down(error)),
            }
        }
    }
}

/// 0.5 to 1: many that lost the same server do not come back in the same moment.
fn jitter() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    0.5 + f64::from(u8::try_from(random & 0xff).unwrap_or_default()) / 510.0
}
