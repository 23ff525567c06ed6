//! This node's place among the others: it hears and beats, and connects anew when it was cut off.

use std::sync::{Arc, Weak};
use std::time::Duration;

use express_session::store::StoreError;
use redis::{Client, PushInfo, PushKind};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::bus::{BEAT, Bus};
use crate::observe::nodes;

/// Between two attempts to connect: from, to.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Ends the task with the last handle.
pub(super) struct Member {
    pub(super) bus: Arc<Bus>,
    task: JoinHandle<()>,
}

impl Member {
    /// Connects, and is there.
    pub(super) async fn join(bus: Bus, client: Client) -> Result<Self, StoreError> {
        let bus = Arc::new(bus);
        let pushes = bus.connect(&client).await?;
        let task = tokio::spawn(keep(Arc::downgrade(&bus), client, pushes));
        Ok(Self { bus, task })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Hears and beats, and connects anew, for as long as somebody has the bus.
async fn keep(bus: Weak<Bus>, client: Client, mut pushes: mpsc::UnboundedReceiver<PushInfo>) {
    let mut pause = PAUSE.0;
    let mut link = nodes::Link::up();
    loop {
        let Some(this) = bus.upgrade() else { return };
        let error = hear_and_beat(&this, &mut pushes).await;
        this.connection.send_replace(None);
        link.was_lost(&error);
        loop {
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            match this.connect(&client).await {
                Ok(connected) => {
                    pushes = connected;
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
async fn hear_and_beat(
    bus: &Arc<Bus>,
    pushes: &mut mpsc::UnboundedReceiver<PushInfo>,
) -> StoreError {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            push = pushes.recv() => match push {
                Some(push) if push.kind != PushKind::Disconnection => bus.hear(&push),
                _ => return StoreError::message("its connection was lost"),
            },
            _ = beats.tick() => {
                let mut connection = match bus.connection() {
                    Ok(connection) => connection,
                    Err(error) => return error,
                };
                if let Err(error) = bus.presence.beat(&mut connection).await {
                    return error;
                }
            }
        }
    }
}
