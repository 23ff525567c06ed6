//! Everybody comes back at once.
//!
//! Clients behave as official ones do: what was refused at HTTP level or cut is tried again by itself,
//! after 1, 2, 4, 5, 5 … seconds, each a half more or less; an attempt that takes 20 seconds is given up.
//! A namespace's refusal is final: such a client would wait for its own code.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{WebSocket, ask, upgrade};
use crate::link::Link;
use crate::memory::Memory;
use crate::promise;
use crate::server::{Server, SlowStore, cookie};

/// An official client's `timeout`.
const ATTEMPT: Duration = Duration::from_secs(20);
/// Nobody waits longer for the storm to be over.
const OVER: Duration = Duration::from_secs(120);
/// The library's own default.
const LOADS: usize = 256;

pub(crate) struct Storm {
    pub(crate) clients: usize,
    pub(crate) latency: Duration,
    pub(crate) over_tcp: bool,
}

/// What the clients met with.
#[derive(Default)]
struct Met {
    attempts: AtomicUsize,
    refused_at_http: AtomicUsize,
    /// What they read who were refused for good, and how often.
    refused_for_good: Mutex<BTreeMap<String, usize>>,
    cut: AtomicUsize,
}

impl Storm {
    /// Whether all promises were kept.
    pub(crate) async fn run(self) -> bool {
        let store = Arc::new(SlowStore::new(self.latency));
        for client in 0..self.clients {
            store.log_in(&sid(client), client);
        }
        let timeout = Duration::from_secs(45);
        let retrying = |builder: passport_socketio::AuthorizerBuilder<usize>| {
            // Nobody looks for logouts in this run: the crowd alone is measured.
            builder.retry_at_http().max_stale(Duration::from_secs(600))
        };
        let server = Server::start(store.clone(), self.over_tcp, timeout, retrying).await;
        let met = Arc::new(Met::default());
        let mut crowd = JoinSet::new();
        let (tell, mut told) = mpsc::unbounded_channel();
        let start = Instant::now();
        for client in 0..self.clients {
            let (link, met, tell) = (server.link.clone(), met.clone(), tell.clone());
            crowd.spawn(async move {
                let socket = come_back(&link, &cookie(&sid(client)), &met, start).await;
                let _ = tell.send(socket.is_some().then(|| start.elapsed()));
                // It stays, and answers the host's heartbeats.
                if let Some(mut socket) = socket {
                    while socket.receive().await.is_ok() {}
                }
            });
        }
        let mut back = Vec::with_capacity(self.clients);
        for _ in 0..self.clients {
            back.extend(told.recv().await.flatten());
        }
        let live = server.io.sockets().len();
        self.report(&store, &met, &mut back, live)
    }

    fn report(&self, store: &SlowStore, met: &Met, back: &mut [Duration], live: usize) -> bool {
        back.sort_unstable();
        let at = |percent: usize| {
            let place = (back.len() * percent / 100).min(back.len().saturating_sub(1));
            back.get(place).copied().unwrap_or_default()
        };
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        println!("clients {}, a load takes {:?}", self.clients, self.latency);
        println!("back after: half {:.2?}, p99 {:.2?}, the last {:.2?}", at(50), at(99), at(100));
        println!(
            "attempts {}: answered 503 {}, refused for good {:?}, cut {}",
            count(&met.attempts),
            count(&met.refused_at_http),
            met.refused_for_good.lock().unwrap(),
            count(&met.cut)
        );
        println!("loads {}, at once at most {}", store.loads(), store.most_at_once());
        println!("memory {}, with both ends", Memory::now());
        let enough = self.clients - self.clients / 1000;
        let most = store.most_at_once();
        [
            promise(&format!("back: {} of {}", back.len(), self.clients), back.len() >= enough),
            promise(&format!("connected at the end: {live}"), live == back.len()),
            promise(&format!("loads at once: {most} of {LOADS}"), most <= LOADS),
        ]
        .iter()
        .all(|kept| *kept)
    }
}

fn sid(client: usize) -> String {
    format!("session-{client}")
}

/// What became of one attempt.
enum Attempt {
    Back(WebSocket),
    Later,
    Never(String),
}

async fn come_back(link: &Link, cookie: &str, met: &Met, start: Instant) -> Option<WebSocket> {
    let mut backoff = Duration::from_secs(1);
    while start.elapsed() < OVER {
        met.attempts.fetch_add(1, Ordering::Relaxed);
        let attempt = timeout(ATTEMPT, attempt(link, cookie)).await;
        match attempt {
            Ok(Ok(Attempt::Back(socket))) => return Some(socket),
            Ok(Ok(Attempt::Never(read))) => {
                *met.refused_for_good.lock().unwrap().entry(read).or_default() += 1;
                return None;
            }
            Ok(Ok(Attempt::Later)) => {
                met.refused_at_http.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Err(_)) | Err(_) => {
                met.cut.fetch_add(1, Ordering::Relaxed);
            }
        }
        sleep(backoff.mul_f64(0.5 + fastrand::f64())).await;
        backoff = (2 * backoff).min(Duration::from_secs(5));
    }
    None
}

async fn attempt(link: &Link, cookie: &str) -> std::io::Result<Attempt> {
    let request = upgrade("EIO=4&transport=websocket", &format!("Cookie: {cookie}\r\n"));
    let answered = ask(link, request.as_bytes()).await?;
    let status = answered.status;
    if status == 503 {
        return Ok(Attempt::Later);
    }
    let Some(mut socket) = answered.upgraded() else {
        return Ok(Attempt::Never(format!("HTTP {status}")));
    };
    socket.receive().await?;
    socket.send("40").await?;
    Ok(match socket.receive().await? {
        said if said.starts_with("40") => Attempt::Back(socket),
        said => Attempt::Never(said),
    })
}
