//! The places of sessions in the [schedule](super::schedule), in the order of their times.

use std::collections::BTreeMap;

use express_session::SessionId;
use tokio::time::Instant;

use super::state::Entry;

/// How a session is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// With others, in one round trip.
    InBatches,
    /// By itself: the store gave no answer about it, or about one that it was looked up with. Others
    /// do not wait for it.
    Alone,
}

/// A place in the schedule. The number tells apart what is due at the same moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    place: (Instant, u64),
    manner: Manner,
}

#[derive(Default)]
pub(super) struct Schedule {
    in_batches: BTreeMap<(Instant, u64), SessionId>,
    alone: BTreeMap<(Instant, u64), SessionId>,
    next: u64,
}

impl Schedule {
    /// When the first is due.
    pub(super) fn first(&mut self, manner: Manner) -> Option<Instant> {
        self.of(manner).first_key_value().map(|((at, _), _)| *at)
    }

    fn of(&mut self, manner: Manner) -> &mut BTreeMap<(Instant, u64), SessionId> {
        match manner {
            Manner::InBatches => &mut self.in_batches,
            Manner::Alone => &mut self.alone,
        }
    }

    /// Moves a session to `at`, or leaves it where it is earlier. Whether it is the first now.
    pub(super) fn at_most<U>(
        &mut self,
        sid: &SessionId,
        entry: &mut Entry<U>,
        at: Instant,
    ) -> bool {
        let manner = if entry.unclear.is_some() { Manner::Alone } else { Manner::InBatches };
        let at = match entry.due {
            Some(Slot { place: (earlier, _), manner: same }) if earlier <= at => {
                if same == manner {
                    return false;
                }
                earlier
            }
            _ => at,
        };
        self.remove(entry.due.take());
        let place = (at, self.next);
        self.next += 1;
        let slots = self.of(manner);
        slots.insert(place, sid.clone());
        entry.due = Some(Slot { place, manner });
        slots.first_key_value().is_some_and(|(first, _)| *first == place)
    }

    pub(super) fn remove(&mut self, due: Option<Slot>) {
        if let Some(Slot { place, manner }) = due {
            self.of(manner).remove(&place);
        }
    }

    /// The first that is due, and since when.
    pub(super) fn pop(&mut self, manner: Manner, now: Instant) -> Option<(Instant, SessionId)> {
        let first = self.of(manner).first_entry()?;
        let since = first.key().0;
        (since <= now).then(|| (since, first.remove()))
    }
}
