//! This node's place among the others: it hears and beats, and connects anew when it was cut off.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::ClusterError;
use super::bus::{BEAT, Bus};
use super::fence::{self, CutOff};
use super::transport::{Heard, Transport};
use crate::observe::nodes;

/// Between two attempts to connect: from, to.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Between two looks at who is there, when joining.
const GLANCE: Duration = Duration::from_millis(20);

/// Ends the task with the last handle.
pub(super) struct Member {
    pub(super) bus: Arc<Bus>,
    tasks: Vec<JoinHandle<()>>,
}

impl Member {
    /// Connects, and is there.
    pub(super) async fn join(bus: Bus, transport: impl Transport) -> Result<Self, ClusterError> {
        let bus = Arc::new(bus);
        let heard = bus.connect(&transport).await?;
        let task = tokio::spawn(keep(Arc::downgrade(&bus), transport, heard));
        let this = Self { bus, tasks: vec![task] };
        // The list may have been lost a moment ago. Those that it lacks are heard within a heartbeat.
        let _ = timeout(2 * BEAT, this.meet()).await;
        Ok(this)
    }
}

impl Member {
    /// Serves nobody for longer than this after the node was cut off.
    pub(super) fn serves_within(mut self, within: Duration, cut_off: CutOff) -> Self {
        let heard_itself = self.bus.presence.heard_itself.subscribe();
        let fence = fence::keep(Arc::downgrade(&self.bus), heard_itself, within, cut_off);
        self.tasks.push(tokio::spawn(fence));
        self
    }

    /// Until this node knows all that hear it.
    async fn meet(&self) {
        while self.bus.presence.is_new_here() {
            sleep(GLANCE).await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Hears and beats, and connects anew, for as long as somebody has the bus.
async fn keep(
    bus: Weak<Bus>,
    transport: impl Transport,
    mut heard: mpsc::UnboundedReceiver<Heard>,
) {
    let mut pause = PAUSE.0;
    let mut link = nodes::Link::up();
    loop {
        let Some(this) = bus.upgrade() else { return };
        let error = hear_and_beat(&this, &mut heard).await;
        this.connection.send_replace(None);
        link.was_lost(&error);
        loop {
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            match this.connect(&transport).await {
                Ok(connected) => {
                    heard = connected;
                    pause = PAUSE.0;
                    link.came_back();
                    break;
                }
                Err(_) => pause = PAUSE.1.min(pause * 2),
            }
        }
    }
}

/// Until it fails.
async fn hear_and_beat(bus: &Arc<Bus>, heard: &mut mpsc::UnboundedReceiver<Heard>) -> ClusterError {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            heard = heard.recv() => match heard {
                Some(heard) => bus.hear(heard),
                None => return ClusterError::message("the connection was lost"),
            },
            _ = beats.tick() => {
                let connection = match bus.connection() {
                    Ok(connection) => connection,
                    Err(error) => return error,
                };
                if let Err(error) = bus.beat(&*connection).await {
                    return error;
                }
            }
        }
    }
}
