//! Hears what is published, on a connection that is made anew when it fails.
//!
//! A connection that says nothing may be dead. So it is asked for a sign of life, and given up if it
//! gives none.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{PubSub, PubSubSink, PubSubStream};
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{interval, sleep, timeout};

use super::address::Address;
use super::inbox::Inbox;
use super::{PATIENCE, RedisError};
use crate::stats::Stats;

/// The pauses between attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How often a sign of life is asked for.
const PULSE: Duration = Duration::from_secs(5);

/// What is heard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    Channel(String),
    /// Not counted by `PUBSUB NUMSUB`.
    Pattern(String),
}

impl Topic {
    /// All channels that start so.
    pub(crate) fn starting_with(prefix: &str) -> Self {
        let mut pattern = String::with_capacity(prefix.len() + 1);
        for letter in prefix.chars() {
            if matches!(letter, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern.push('*');
        Self::Pattern(pattern)
    }
}

/// Something that was published.
pub(crate) struct Incoming {
    pub(crate) channel: String,
    pub(crate) message: Vec<u8>,
}

/// Hears until it is dropped.
pub(crate) struct Subscriber {
    changes: mpsc::UnboundedSender<Change>,
    tasks: [AbortHandle; 2],
}

enum Change {
    Add(Vec<Topic>, oneshot::Sender<Result<(), RedisError>>),
    Remove(Vec<Topic>),
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Subscriber {
    /// Connects, and hands to `hear` what is published, one after the other.
    pub(crate) async fn connect(
        address: Arc<Address>,
        stats: Arc<Stats>,
        hear: impl FnMut(Incoming) + Send + 'static,
    ) -> Result<Self, RedisError> {
        let connection = address.subscriber().await?;
        Ok(Self::start(address, stats, Some(connection), hear))
    }

    /// The same, but connects later.
    pub(crate) fn start(
        address: Arc<Address>,
        stats: Arc<Stats>,
        connection: Option<PubSub>,
        hear: impl FnMut(Incoming) + Send + 'static,
    ) -> Self {
        let (changes, asked) = mpsc::unbounded_channel();
        let (inbox, hearing) = Inbox::start(stats.clone(), hear);
        let listening = Listening { address, stats, topics: HashSet::new(), asked, inbox };
        let listening = tokio::spawn(listening.run(connection)).abort_handle();
        Self { changes, tasks: [listening, hearing] }
    }

    /// Returns when these are heard, too. They stay wanted when the connection is made anew, also if
    /// this fails now.
    pub(crate) async fn add(&self, topics: Vec<Topic>) -> Result<(), RedisError> {
        let ended = || RedisError::message("the connection to Redis has ended");
        let (done, is_done) = oneshot::channel();
        self.changes.send(Change::Add(topics, done)).map_err(|_| ended())?;
        is_done.await.map_err(|_| ended())?
    }

    pub(crate) fn remove(&self, topics: Vec<Topic>) {
        let _ = self.changes.send(Change::Remove(topics));
    }
}

struct Listening {
    address: Arc<Address>,
    stats: Arc<Stats>,
    topics: HashSet<Topic>,
    asked: mpsc::UnboundedReceiver<Change>,
    inbox: Inbox,
}

impl Listening {
    async fn run(mut self, mut connection: Option<PubSub>) {
        let mut pause = PAUSES.0;
        let mut has_been_up = connection.is_some();
        loop {
            let fault = match connection.take() {
                Some(connection) => {
                    let (mut sink, stream) = connection.split();
                    let topics: Vec<Topic> = self.topics.iter().cloned().collect();
                    match change(&mut sink, &topics, true).await {
                        Ok(()) => {
                            if has_been_up && !topics.is_empty() {
                                tracing::info!("Redis: listening");
                            }
                            has_been_up = true;
                            pause = PAUSES.0;
                            match self.listen(sink, stream).await {
                                Some(fault) => fault,
                                None => return,
                            }
                        }
                        Err(error) => error,
                    }
                }
                None => RedisError::message("not connected yet"),
            };
            if has_been_up {
                tracing::warn!("Redis: what is published is not heard for now: {fault}");
            }
            loop {
                sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                pause = (2 * pause).min(PAUSES.1);
                self.refuse(&fault);
                match self.address.subscriber().await {
                    Ok(connected) => {
                        connection = Some(connected);
                        self.stats.reconnected.add();
                        break;
                    }
                    Err(error) => tracing::debug!("Redis: {error}"),
                }
            }
        }
    }

    /// What is asked for while there is no connection is remembered, and answered with the fault.
    fn refuse(&mut self, fault: &RedisError) {
        while let Ok(asked) = self.asked.try_recv() {
            match asked {
                Change::Add(topics, done) => {
                    self.topics.extend(topics);
                    let _ = done.send(Err(fault.clone()));
                }
                Change::Remove(topics) => {
                    for topic in topics {
                        self.topics.remove(&topic);
                    }
                }
            }
        }
    }

    /// Until the connection fails; `None` if nothing is wanted any more.
    async fn listen(
        &mut self,
        mut sink: PubSubSink,
        mut stream: PubSubStream,
    ) -> Option<RedisError> {
        let ended = || RedisError::message("the connection to Redis has ended");
        let mut pulse = interval(PULSE);
        loop {
            tokio::select! {
                message = stream.next() => {
                    let Some(message) = message else { return Some(ended()) };
                    let channel = message.get_channel_name().to_owned();
                    self.inbox.put(Incoming { channel, message: message.get_payload_bytes().to_vec() });
                }
                asked = self.asked.recv() => match asked {
                    None => return None,
                    Some(Change::Add(topics, done)) => {
                        let changed = change(&mut sink, &topics, true).await;
                        self.topics.extend(topics);
                        let _ = done.send(changed.clone());
                        if let Err(error) = changed {
                            return Some(error);
                        }
                    }
                    Some(Change::Remove(topics)) => {
                        for topic in &topics {
                            self.topics.remove(topic);
                        }
                        if let Err(error) = change(&mut sink, &topics, false).await {
                            return Some(error);
                        }
                    }
                },
                _ = pulse.tick() => {
                    // Asked beside the stream: an answer has to pass what is on its way before it.
                    let asking = sink.clone();
                    let alive = tokio::spawn(timeout(PULSE, async move {
                        let mut asking = asking;
                        asking.ping::<()>().await
                    }));
                    let mut alive = std::pin::pin!(alive);
                    loop {
                        tokio::select! {
                            answer = &mut alive => match answer {
                                Ok(Ok(Ok(()))) => break,
                                Ok(Ok(Err(error))) => {
                                    return Some(RedisError::new("asking for a sign of life", error));
                                }
                                _ => return Some(RedisError::message("the Redis gives no sign of life")),
                            },
                            message = stream.next() => {
                                let Some(message) = message else { return Some(ended()) };
                                let channel = message.get_channel_name().to_owned();
                                let message = message.get_payload_bytes().to_vec();
                                self.inbox.put(Incoming { channel, message });
                            }
                        }
                    }
                }
            }
        }
    }
}

async fn change(sink: &mut PubSubSink, topics: &[Topic], add: bool) -> Result<(), RedisError> {
    let (mut channels, mut patterns) = (Vec::new(), Vec::new());
    for topic in topics {
        match topic {
            Topic::Channel(name) => channels.push(name.as_str()),
            Topic::Pattern(pattern) => patterns.push(pattern.as_str()),
        }
    }
    let changing = async {
        if !channels.is_empty() {
            if add {
                sink.subscribe(&channels).await?;
            } else {
                sink.unsubscribe(&channels).await?;
            }
        }
        if !patterns.is_empty() {
            if add {
                sink.psubscribe(&patterns).await?;
            } else {
                sink.punsubscribe(&patterns).await?;
            }
        }
        Ok(())
    };
    match timeout(PATIENCE, changing).await {
        Ok(changed) => changed.map_err(|error| RedisError::new("subscribing on Redis", error)),
        Err(_) => Err(RedisError::message("the Redis did not answer in time")),
    }
}

#[cfg(test)]
mod tests {
    use super::Topic;

    #[test]
    fn a_prefix_means_itself_in_a_pattern() {
        let topic = Topic::starting_with(r"a*[b]?\#/");
        assert_eq!(topic, Topic::Pattern(r"a\*\[b\]\?\\#/*".to_owned()));
    }
}
