//! The nodes' channel over their [transport](super::transport): orders to all, answers to one.
//!
//! An order is published to all, addressed to those that are known to be [there](super::presence); each
//! answers on the asker's own channel, and the asker waits until all have answered. It waits for the
//! order itself to come back, too: by then it has heard of all that were there when it was given. Those
//! it did not know are given the order once more. A node that fell silent is not waited for, and yet
//! named: it may be cut off, and serve on. Each answer says whom its node knows: so is named whom only
//! another node has ever heard of. A node without a [connection](super::member) still does what
//! it is told itself, and says that it reached nobody.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::ClusterError;
use super::message::{Answer, NodeId, Order, Report, Request, Seal, random};
use super::presence::{Addressees, FRESH, Others, Presence, SILENCE};
use super::transport::{Connected, Connection, Heard, Transport};
use crate::observe::{Repeats, nodes};

/// How often a node says that it is there.
pub(super) const BEAT: Duration = Duration::from_secs(2);
/// A transport that takes longer to connect is as good as gone.
const CONNECTING: Duration = Duration::from_secs(5);

/// Does what a node is ordered.
pub(super) type Obey = Box<dyn Fn(Order) -> BoxFuture<'static, Option<Report>> + Send + Sync>;

pub(super) struct Bus {
    pub(super) presence: Presence,
    seal: Seal,
    names: Names,
    obey: Obey,
    pub(super) connection: watch::Sender<Option<Arc<dyn Connection>>>,
    state: Mutex<State>,
    ignored: AtomicU64,
    /// Of warnings that a Redis that is away, or a stranger on it, can cause.
    pub(super) repeats: Repeats,
}

#[derive(Default)]
struct State {
    /// Orders of this node, and who collects what comes of them.
    asked: HashMap<String, mpsc::UnboundedSender<Came>>,
    /// Orders that were obeyed already: nobody repeats them.
    obeyed: HashMap<String, Instant>,
}

/// What comes of an order.
enum Came {
    /// The order itself, as it comes to all.
    Back,
    Answer(Answer),
}

struct Names {
    orders: String,
    answers: String,
}

/// What all nodes said.
pub(super) struct Collected {
    pub(super) reports: Vec<(NodeId, Report)>,
    pub(super) missing: Vec<NodeId>,
    pub(super) is_reached: bool,
}

impl Bus {
    pub(super) fn new(name: &str, seal: Seal, obey: Obey, remember: Duration) -> Self {
        let presence = Presence::new(format!("{name}:nodes"), seal.clone(), remember);
        let names = Names {
            orders: format!("{name}:orders"),
            answers: format!("{name}:answers:{}", presence.node().as_str()),
        };
        Self {
            presence,
            seal,
            names,
            obey,
            connection: watch::Sender::new(None),
            state: Mutex::default(),
            ignored: AtomicU64::new(0),
            repeats: Repeats::default(),
        }
    }

    pub(super) fn node(&self) -> &NodeId {
        self.presence.node()
    }

    /// Messages that were not of this cluster, or of no use.
    pub(super) fn ignored(&self) -> u64 {
        self.ignored.load(Ordering::Relaxed)
    }

    /// Lets the other nodes do something, and waits for their answers.
    pub(super) async fn order(&self, order: Order, patience: Duration) -> Collected {
        let until = Instant::now() + patience.min(Duration::from_secs(24 * 3600));
        let id = random();
        let (collect, mut collected) = mpsc::unbounded_channel();
        let _asked = Asked::new(self, &id, collect);
        let published = timeout(patience, self.publish_order(&id, &order)).await;
        let mut addressed = match &published {
            Ok(Ok(to)) => Some(to.clone()),
            _ => None,
        };
        let Others { alive, silent } = self.presence.others();
        let mut expected: HashSet<NodeId> = alive.into_iter().chain(silent).collect();
        let (mut reports, mut is_back) = (HashMap::new(), false);
        while let Some(addressed) = &mut addressed {
            let more = self.presence.addressees(addressed);
            if !more.is_empty() {
                // If it does not get through, they will not answer.
                let _ = timeout(SILENCE, self.publish_to(&id, &order, &more)).await;
                addressed.extend(more);
            }
            let Others { alive, silent } = self.presence.others();
            let is_complete = is_back && alive.iter().all(|node| reports.contains_key(node));
            expected.extend(alive.into_iter().chain(silent));
            let left = until.saturating_duration_since(Instant::now());
            if is_complete || left.is_zero() {
                break;
            }
            // Every now and then, some that were there may have fallen silent.
            match timeout(left.min(BEAT), collected.recv()).await {
                Ok(Some(Came::Back)) => is_back = true,
                Ok(Some(Came::Answer(Answer { from, report, knows, .. }))) => {
                    self.presence.introduce(knows);
                    reports.entry(from).or_insert(report);
                }
                Ok(None) => break,
                Err(_late) => {}
            }
        }
        let is_missing =
            |node: &NodeId| !reports.contains_key(node) && !self.presence.has_left(node);
        let mut missing: Vec<NodeId> = expected.into_iter().filter(is_missing).collect();
        missing.sort();
        if let Ok(Err(error)) = published {
            nodes::not_reached(&error, &self.repeats);
        }
        Collected { reports: reports.into_iter().collect(), missing, is_reached: is_back }
    }

    /// Tells the other nodes something that needs no answer.
    pub(super) async fn tell(&self, order: Order) {
        if !matches!(timeout(SILENCE, self.publish_order(&random(), &order)).await, Ok(Ok(_))) {
            nodes::not_told(&self.repeats);
        }
    }

    /// To whom.
    async fn publish_order(&self, id: &str, order: &Order) -> Result<Addressees, ClusterError> {
        let connection = self.connection()?;
        self.beat(&*connection).await?;
        let to = self.presence.addressees(&Addressees::new());
        self.publish_to(id, order, &to).await?;
        Ok(to)
    }

    async fn publish_to(
        &self,
        id: &str,
        order: &Order,
        to: &Addressees,
    ) -> Result<(), ClusterError> {
        let (id, from) = (id.to_owned(), self.node().clone());
        let request = Request { id, from, to: to.clone(), order: order.clone() };
        self.publish(&*self.connection()?, &self.names.orders, &request).await
    }

    async fn publish(
        &self,
        connection: &dyn Connection,
        channel: &str,
        message: &impl serde::Serialize,
    ) -> Result<(), ClusterError> {
        let sealed = self.seal.close(channel, message);
        let sealed = sealed.ok_or_else(|| ClusterError::message("what can't be JSON"))?;
        connection.publish(channel, &sealed).await.map(|_| ())
    }

    pub(super) fn connection(&self) -> Result<Arc<dyn Connection>, ClusterError> {
        let away = || ClusterError::message("the nodes' Redis is away");
        self.connection.borrow().clone().ok_or_else(away)
    }

    /// Leaves the other nodes, who then do not wait for this one.
    pub(super) async fn leave(&self) -> Result<(), ClusterError> {
        self.presence.leave(&*self.connection()?).await
    }

    /// Those that it listens on.
    pub(super) fn channels(&self) -> [String; 3] {
        let Names { orders, answers } = &self.names;
        [orders, answers, self.presence.channel()].map(str::to_owned)
    }

    pub(super) async fn connect(
        &self,
        transport: &dyn Transport,
    ) -> Result<mpsc::UnboundedReceiver<Heard>, ClusterError> {
        let channels = self.channels();
        let connecting = timeout(CONNECTING, transport.connect(&channels)).await;
        let late = |late| ClusterError::new("connecting to the other nodes", late);
        let Connected { connection, heard } = connecting.map_err(late)??;
        self.presence.first_beat(&*connection).await?;
        self.connection.send_replace(Some(connection));
        Ok(heard)
    }

    /// Says that this node is there.
    pub(super) async fn beat(&self, connection: &dyn Connection) -> Result<(), ClusterError> {
        let before = self.presence.unsigned();
        self.presence.beat(connection).await?;
        // Counted once, not with each heartbeat.
        (before..self.presence.unsigned()).for_each(|_| self.ignore());
        Ok(())
    }

    pub(super) fn hear(self: &Arc<Self>, heard: Heard) {
        let Heard { channel, message } = heard;
        let Ok(sealed) = String::from_utf8(message) else {
            return self.ignore();
        };
        if channel == self.presence.channel() {
            if !self.presence.hear(&sealed) {
                self.ignore();
            }
        } else if channel == self.names.answers {
            match self.seal.open::<Answer>(&channel, &sealed) {
                Some(answer) => self.came(&answer.id.clone(), Came::Answer(answer)),
                None => self.ignore(),
            }
        } else {
            match self.seal.open::<Request>(&channel, &sealed) {
                Some(request) if request.from == *self.node() => self.came(&request.id, Came::Back),
                Some(request) if self.is_new(&request) => self.clone().obey(request),
                _ => self.ignore(),
            }
        }
    }

    fn ignore(&self) {
        self.ignored.fetch_add(1, Ordering::Relaxed);
        nodes::message_ignored(&self.repeats);
    }

    fn came(&self, id: &str, what: Came) {
        if let Some(collect) = self.state().asked.get(id) {
            // Whoever asked may have gone.
            let _ = collect.send(what);
        }
    }

    /// Given to this node as it is now, and not heard before.
    fn is_new(&self, request: &Request) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        state.obeyed.retain(|_, obeyed| now - *obeyed < 3 * FRESH);
        self.presence.is_addressed(&request.to)
            && state.obeyed.insert(request.id.clone(), now).is_none()
    }

    fn obey(self: Arc<Self>, request: Request) {
        tokio::spawn(async move {
            let report = (self.obey)(request.order).await;
            let answer = Answer {
                id: request.id,
                from: self.node().clone(),
                report: report.unwrap_or(Report::Failed),
                knows: self.presence.acquaintances(),
            };
            let prefix = self.names.answers.trim_end_matches(self.node().as_str());
            let channel = format!("{prefix}{}", request.from.as_str());
            let sent = async { self.publish(&*self.connection()?, &channel, &answer).await };
            if let Err(error) = sent.await {
                nodes::answer_lost(&error, &self.repeats);
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An order whose answers somebody waits for: no longer than they do.
struct Asked<'b> {
    bus: &'b Bus,
    id: &'b str,
}

impl<'b> Asked<'b> {
    fn new(bus: &'b Bus, id: &'b str, collect: mpsc::UnboundedSender<Came>) -> Self {
        bus.state().asked.insert(id.to_owned(), collect);
        Self { bus, id }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.bus.state().asked.remove(self.id);
    }
}
