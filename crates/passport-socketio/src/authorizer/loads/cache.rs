//! Records that are used again for a moment.
//!
//! A page with five namespaces asks for one session five times within a second, and so do five tabs that
//! connect at once. The cache keeps the session's record for that time. Its cost:
//!
//! 1. A login that ended **without a report to this node** can open a socket for as long as records are
//!    kept, counted from when the store was asked. (The sweep closes it like any other.)
//! 2. A reported change or end of the session drops its record, also one that is being loaded at that
//!    moment. A session that an operator revoked is refused even if its record is cached.
//! 3. Only records are kept: no missing record, no error and no user. The deserializer and `success` are
//!    asked each time.
//! 4. The lifetime that a store reports for a record keeps counting down while the record is cached.
//!
//! It is written here, and not taken from a library, since a record must be cached and dropped under
//! the lock of the loads that read it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use express_session::SidHash;
use express_session::store::{Life, StoredSession};
use tokio::time::Instant;

use super::Loaded;

/// The bytes of all records together. Those that came first go first.
const AT_MOST: usize = 32 << 20;
/// What a record takes besides its payload, about.
const OVERHEAD: usize = 256;

pub(super) struct RecordCache {
    cached_for: Duration,
    records: HashMap<SidHash, Record>,
    /// In the order in which they were kept, which is that in which they go.
    order: VecDeque<(Instant, SidHash)>,
    bytes: usize,
}

struct Record {
    stored: Arc<StoredSession>,
    asked: Instant,
}

impl RecordCache {
    pub(super) fn new(cached_for: Duration) -> Self {
        Self { cached_for, records: HashMap::new(), order: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn find(&mut self, key: &SidHash, now: Instant) -> Option<Loaded> {
        self.drop_old(now);
        let Record { stored, asked } = self.records.get(key)?;
        let age = now.saturating_duration_since(*asked);
        if age >= self.cached_for {
            return None;
        }
        let stored = match stored.life() {
            Life::For(left) => {
                let left = left.checked_sub(age).filter(|left| !left.is_zero())?;
                Arc::new(stored.with_life(Life::For(left)))
            }
            Life::Forever | Life::Until(_) => stored.clone(),
        };
        Some(Loaded { stored: Some(stored), asked: *asked })
    }

    pub(super) fn keep(&mut self, key: SidHash, loaded: &Loaded) {
        self.forget(&key);
        let Some(stored) = &loaded.stored else {
            return;
        };
        self.bytes += size(stored);
        self.records.insert(key, Record { stored: stored.clone(), asked: loaded.asked });
        self.order.push_back((loaded.asked, key));
        while self.bytes > AT_MOST
            && let Some((asked, key)) = self.order.pop_front()
        {
            self.drop_one(&key, asked);
        }
    }

    pub(super) fn forget(&mut self, key: &SidHash) {
        if let Some(record) = self.records.remove(key) {
            self.bytes -= size(&record.stored);
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.records.clear();
        self.order.clear();
        self.bytes = 0;
    }

    fn drop_old(&mut self, now: Instant) {
        while let Some((asked, key)) = self.order.front().copied()
            && now.saturating_duration_since(asked) >= self.cached_for
        {
            self.order.pop_front();
            self.drop_one(&key, asked);
        }
    }

    /// Drops a record, unless it was replaced by a newer one.
    fn drop_one(&mut self, key: &SidHash, asked: Instant) {
        if self.records.get(key).is_some_and(|record| record.asked == asked) {
            self.forget(key);
        }
    }
}

fn size(stored: &StoredSession) -> usize {
    OVERHEAD + stored.payload().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(bytes: usize, life: Life) -> Loaded {
        let stored = StoredSession::new(vec![b' '; bytes], life);
        Loaded { stored: Some(Arc::new(stored)), asked: Instant::now() }
    }

    fn key(n: usize) -> SidHash {
        SidHash::of(&n.to_string())
    }

    #[test]
    fn a_cached_record_is_found_until_the_cache_or_the_session_expires() {
        let mut cache = RecordCache::new(Duration::from_secs(3));
        let record = loaded(2, Life::For(Duration::from_secs(2)));
        let at = |millis| record.asked + Duration::from_millis(millis);
        cache.keep(key(1), &record);
        let found = cache.find(&key(1), at(1500)).unwrap().stored.unwrap();
        assert_eq!(found.life(), Life::For(Duration::from_millis(500)));
        assert!(cache.find(&key(1), at(2000)).is_none(), "the store has dropped it");
        cache.keep(key(2), &loaded(2, Life::Forever));
        assert!(cache.find(&key(2), at(2900)).is_some());
        assert!(cache.find(&key(2), at(4000)).is_none());
        assert_eq!((cache.records.len(), cache.order.len(), cache.bytes), (0, 0, 0));
    }

    #[test]
    fn forgotten_and_missing_sessions_are_not_in_the_cache() {
        let mut cache = RecordCache::new(Duration::from_secs(3));
        let now = Instant::now();
        for n in [1, 2, 3] {
            cache.keep(key(n), &loaded(2, Life::Forever));
        }
        cache.keep(key(2), &Loaded { stored: None, asked: now });
        cache.forget(&key(1));
        assert!(cache.find(&key(1), now).is_none());
        assert!(cache.find(&key(2), now).is_none());
        assert!(cache.find(&key(3), now).is_some());
        cache.forget_all();
        assert!(cache.find(&key(3), now).is_none());
        assert_eq!(cache.bytes, 0);
    }

    #[test]
    fn the_cache_drops_its_oldest_records_when_it_is_full() {
        let mut cache = RecordCache::new(Duration::from_secs(3));
        let many = 2 * AT_MOST / (1 << 20);
        for n in 0..many {
            cache.keep(key(n), &loaded(1 << 20, Life::Forever));
            assert!(cache.bytes <= AT_MOST);
        }
        let now = Instant::now();
        assert!(cache.find(&key(0), now).is_none());
        assert!(cache.find(&key(many - 1), now).is_some());
    }
}
