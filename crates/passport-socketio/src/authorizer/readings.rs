//! What was read of sessions, shared by all sockets of one.
//!
//! A session's record may have a megabyte, and its user as many tabs as they like. So of each session
//! the record that was read last is known for as long as any socket holds it, a guest's, too: where
//! the store answers with the same bytes once more, it is neither read nor held again.
//!
//! Nothing here is ever used instead of the store's answer: it is asked each time, and bytes that
//! differ in anything are another record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use express_session::{SessionRecord, SidHash};

use crate::model::Reading;

/// Below so many sessions, those that are gone are not worth looking for.
const FEW: usize = 64;

/// The readings of one authorizer.
#[derive(Default)]
pub(crate) struct Readings(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_session: HashMap<SidHash, Weak<Reading>>,
    /// How many there are when those that are gone are looked for.
    too_many: usize,
}

impl Readings {
    /// What was read of these bytes, if any socket holds it.
    pub(super) fn find(&self, session: &SidHash, payload: &[u8]) -> Option<Arc<Reading>> {
        let reading = self.lock().by_session.get(session)?.upgrade()?;
        reading.is_of(payload).then_some(reading)
    }

    /// Takes it over, unless somebody else was quicker.
    pub(super) fn share(
        &self,
        session: SidHash,
        record: SessionRecord,
        payload: &[u8],
    ) -> Arc<Reading> {
        let reading = Arc::new(Reading::new(record, payload));
        let mut known = self.lock();
        let before = known.by_session.get(&session).and_then(Weak::upgrade);
        if let Some(before) = before.filter(|before| before.is_of(payload)) {
            return before;
        }
        if known.by_session.len() >= known.too_many.max(FEW) {
            known.by_session.retain(|_, reading| reading.strong_count() > 0);
            known.too_many = 2 * known.by_session.len();
        }
        known.by_session.insert(session, Arc::downgrade(&reading));
        reading
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use express_session::RecordLimits;

    use super::*;

    fn record(json: &str) -> SessionRecord {
        SessionRecord::parse(json.as_bytes(), &RecordLimits::default()).unwrap().unwrap()
    }

    fn session(n: usize) -> SidHash {
        SidHash::of(&n.to_string())
    }

    #[test]
    fn equal_payloads_share_one_record_while_it_is_held() {
        let readings = Readings::default();
        let json = r#"{"cookie":{},"a":1}"#;
        let share = |payload: &str| readings.share(session(1), record(json), payload.as_bytes());
        for payload in [json, "what a source made that of"] {
            let first = share(payload);
            assert!(Arc::ptr_eq(&first, &share(payload)));
            let found = readings.find(&session(1), payload.as_bytes()).unwrap();
            assert!(Arc::ptr_eq(&first, &found));
            assert!(readings.find(&session(2), payload.as_bytes()).is_none());
            assert!(readings.find(&session(1), br#"{"cookie":{},"a":2}"#).is_none());
            drop((first, found));
            assert!(readings.find(&session(1), payload.as_bytes()).is_none());
        }
    }

    #[test]
    fn records_that_are_no_longer_held_are_forgotten() {
        let readings = Readings::default();
        let json = r#"{"cookie":{}}"#;
        let held = readings.share(session(0), record(json), json.as_bytes());
        for n in 1..10 * FEW {
            readings.share(session(n), record(json), json.as_bytes());
        }
        assert!(readings.lock().by_session.len() <= FEW);
        let found = readings.find(&session(0), json.as_bytes()).unwrap();
        assert!(Arc::ptr_eq(&held, &found));
    }
}
