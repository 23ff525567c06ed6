//! How often one handshake looks its session up.

use std::time::Duration;

use tokio::time::Instant;

use crate::live::NotEntered;

/// A session that has not stood still for so long is not one that anybody can be let in with.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a session is looked up again because its answer had become old when it was to be used.
const AGAIN: u32 = 3;

/// Whether a session is looked up once more.
#[derive(Default)]
pub(super) struct Retries {
    /// How often its answer was old.
    old: u32,
    /// Since when it, or its user, does not stand still.
    changing: Option<Instant>,
}

impl Retries {
    /// After this.
    pub(super) fn may_go_on<T>(&mut self, entered: &Result<T, NotEntered>) -> bool {
        match entered {
            Err(NotEntered::Old) => {
                self.old += 1;
                self.old <= AGAIN
            }
            Err(NotEntered::Stale | NotEntered::OldUser) => {
                self.changing.get_or_insert_with(Instant::now).elapsed() <= PATIENCE
            }
            Ok(_) | Err(NotEntered::Revoked | NotEntered::TooMany | NotEntered::CutOff) => false,
        }
    }
}
