//! Handshakes that mean no good, of all [kinds](crate::kinds), some hundred at a time.
//!
//! They come in four waves. After each the host has its `connect_timeout` to forget them, and then as much
//! memory has to be allocated as before the first.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep, timeout};

use crate::client::{WebSocket, ask};
use crate::kinds::{Fate, KINDS, Kind, NEVER, prepare};
use crate::link::Link;
use crate::memory::{Memory, Slack};
use crate::server::{Server, SlowStore};
use crate::{count_panics, promise};

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(20);
const WAVES: usize = 4;

pub(crate) struct Hostile {
    pub(crate) handshakes: usize,
    pub(crate) at_once: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) slack: Slack,
}

/// What became of those who should have met with something else.
type Surprises = Mutex<BTreeMap<String, usize>>;

impl Hostile {
    /// Whether all promises were kept.
    pub(crate) async fn run(self) -> bool {
        let panics = count_panics();
        let store = Arc::new(SlowStore::new(Duration::from_millis(1)));
        prepare(&store);
        let server =
            Server::start(store.clone(), false, self.connect_timeout, |builder| builder).await;
        let surprises = Arc::new(Surprises::default());
        let before = Memory::now();
        println!("memory before: {before}");
        let mut left = before;
        let start = Instant::now();
        for wave in 0..WAVES {
            let (from, to) = (wave * self.handshakes / WAVES, (wave + 1) * self.handshakes / WAVES);
            self.wave(&server, &surprises, from..to).await;
            sleep(self.connect_timeout + Duration::from_millis(500)).await;
            left = Memory::now();
            println!("after wave {} of {WAVES}: {left}", wave + 1);
        }
        let (handshakes, took) = (self.handshakes, start.elapsed());
        println!("{handshakes} hostile handshakes of {} kinds in {took:.1?}", KINDS.len());
        println!("loads {} (ids nobody has, records out of bounds)", store.loads());
        for (surprise, times) in &*surprises.lock().unwrap() {
            println!("       {times} times {surprise}");
        }
        let forgot = format!("{:?}", server.live).contains("sessions: 0, sockets: 0");
        [
            promise("each met with its fate", surprises.lock().unwrap().is_empty()),
            promise(
                &format!("panics: {}", panics.load(Ordering::Relaxed)),
                panics.load(Ordering::Relaxed) == 0,
            ),
            promise(
                &format!("loads for what could be refused without: {}", store.loads_of(NEVER)),
                store.loads_of(NEVER) == 0,
            ),
            promise("nobody is connected or registered", forgot && server.io.sockets().is_empty()),
            promise(
                &format!("memory is back where it was before the first, {}", self.slack),
                left.is_back_at(before, self.slack),
            ),
        ]
        .iter()
        .all(|kept| *kept)
    }

    async fn wave(
        &self,
        server: &Server,
        surprises: &Arc<Surprises>,
        which: std::ops::Range<usize>,
    ) {
        let handshakes = which.filter_map(|n| Some((n, KINDS.get(n % KINDS.len())?)));
        let held = stream::iter(handshakes)
            .map(|(n, kind)| {
                let (link, surprises) = (server.link.clone(), surprises.clone());
                tokio::spawn(async move {
                    let met = timeout(PATIENCE, meets(&link, kind, n)).await;
                    let met = met.unwrap_or_else(|_| Met::Surprise("waits in vain".into()));
                    if let Met::Surprise(what) = &met {
                        let what = format!("{}: {what}", kind.name);
                        *surprises.lock().unwrap().entry(what).or_default() += 1;
                    }
                    met
                })
            })
            .buffer_unordered(self.at_once)
            .filter_map(|met| async move {
                match met {
                    Ok(Met::Holds(socket)) => Some(socket),
                    _ => None,
                }
            })
            .collect::<Vec<_>>()
            .await;
        let patience = self.connect_timeout + Duration::from_secs(10);
        for mut socket in held {
            if timeout(patience, async { while socket.receive().await.is_ok() {} }).await.is_err() {
                *surprises
                    .lock()
                    .unwrap()
                    .entry("an idle one is not closed".into())
                    .or_default() += 1;
            }
        }
    }
}

enum Met {
    Fate,
    Holds(WebSocket),
    Surprise(String),
}

async fn meets(link: &Link, kind: &Kind, n: usize) -> Met {
    let request = (kind.request)(n);
    if let Fate::GoesAway = kind.fate {
        if let Ok(mut stream) = link.open().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &request).await;
        }
        return Met::Fate;
    }
    let answered = match ask(link, &request).await {
        Ok(answered) => answered,
        Err(error) => return Met::Surprise(format!("no answer: {}", error.kind())),
    };
    let status = answered.status;
    if let Fate::Answered(expected) = kind.fate {
        let met = expected.contains(&status);
        return if met { Met::Fate } else { Met::Surprise(format!("answered {status}")) };
    }
    let Some(mut socket) = answered.upgraded() else {
        return Met::Surprise(format!("answered {status}"));
    };
    match kind.fate {
        Fate::LeftOpen => Met::Holds(socket),
        Fate::Babbles(nonsense) => match socket.send(nonsense).await {
            Ok(()) => Met::Fate,
            Err(error) => Met::Surprise(format!("not even heard: {}", error.kind())),
        },
        Fate::Refused(expected) => match connect(&mut socket).await {
            Ok(said) if said == format!(r#"44{{"message":"{expected}"}}"#) => Met::Fate,
            Ok(said) => Met::Surprise(format!("was told {said}")),
            Err(error) => Met::Surprise(format!("no answer to CONNECT: {}", error.kind())),
        },
        Fate::Answered(_) | Fate::GoesAway => Met::Fate,
    }
}

async fn connect(socket: &mut WebSocket) -> std::io::Result<String> {
    socket.receive().await?;
    socket.send("40").await?;
    socket.receive().await
}
