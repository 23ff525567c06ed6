//! One limit, and who has used how much of it.
//!
//! Memory is bounded: what is full again is forgotten as others come, and there are never more than
//! 65,536 buckets (some 5 MiB). Should more be in use at one time, those who come new share one
//! bucket until there is room: the limit stays one, whoever can call upon a million addresses.
//!
//! One customer's network can have 65,536 addresses that are counted (a /48 of IPv6, by its /64s), and
//! would take all buckets from everybody else. So the keys of one [group](Key::group) have 4,096 at most,
//! and share one of their own beyond that. That is enough for the phones of a mobile network, each with its
//! /64, that open connections within the time in which their buckets are full again.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use express_session::SidHash;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::model::RateLimit;

const BUCKETS: usize = 65_536;
/// How many of them one group may take.
const BUCKETS_OF_A_GROUP: usize = BUCKETS / 16;
/// How many are counted between two looks for buckets that are full again.
const TIDY_EVERY: usize = 4096;

/// Whose allowance it is.
pub(super) trait Key: Hash + Eq + Clone {
    /// What it has in common with the other keys that one client may have at its command. `None` where that
    /// is nothing.
    fn group(&self) -> Option<u64>;
}

/// Session ids are counted once their signature was valid.
impl Key for SidHash {
    fn group(&self) -> Option<u64> {
        None
    }
}

pub(super) struct Limiter<K: Key, C: Clock = MonotonicClock> {
    limiter: RateLimiter<K, Buckets<K>, C, NoOpMiddleware<C::Instant>>,
    counted: AtomicUsize,
}

/// `None` for a limit that would never let anything pass.
fn quota(limit: &RateLimit) -> Option<Quota> {
    let interval = limit.period.checked_div(limit.times)?;
    let burst = NonZeroU32::new(limit.burst)?;
    Some(Quota::with_period(interval)?.allow_burst(burst))
}

impl<K: Key> Limiter<K> {
    pub(super) fn new(limit: RateLimit) -> Result<Self, RateLimit> {
        Self::with_clock(limit, MonotonicClock)
    }
}

impl<K: Key, C: Clock> Limiter<K, C> {
    fn with_clock(limit: RateLimit, clock: C) -> Result<Self, RateLimit> {
        let quota = quota(&limit).ok_or(limit)?;
        let limiter = RateLimiter::new(quota, Buckets::new(), clock);
        Ok(Self { limiter, counted: AtomicUsize::new(0) })
    }

    /// Once more. The error says how long to wait.
    pub(super) fn count(&self, who: &K) -> Result<(), Duration> {
        if self.counted.fetch_add(1, Ordering::Relaxed) % TIDY_EVERY == TIDY_EVERY - 1 {
            self.limiter.retain_recent();
        }
        self.limiter
            .check_key(who)
            .map_err(|refused| refused.wait_time_from(self.limiter.clock().now()))
    }
}

/// When each bucket will be full again (GCRA's theoretical arrival time).
struct Buckets<K>(Mutex<State<K>>);

struct State<K> {
    by_key: HashMap<K, Option<Nanos>>,
    groups: HashMap<u64, Group>,
    shared: Option<Nanos>,
}

/// Of the keys of one group.
#[derive(Default)]
struct Group {
    /// How many have a bucket of their own.
    buckets: usize,
    /// What the others share.
    shared: Option<Nanos>,
}

impl<K: Key> State<K> {
    /// The bucket of this key, which may be shared.
    fn bucket(&mut self, key: &K) -> &mut Option<Nanos> {
        let is_full = self.by_key.len() >= BUCKETS;
        if !self.by_key.contains_key(key) {
            if let Some(group) = key.group()
                && (!is_full || self.groups.contains_key(&group))
            {
                let group = self.groups.entry(group).or_default();
                if group.buckets >= BUCKETS_OF_A_GROUP {
                    return &mut group.shared;
                }
                group.buckets += usize::from(!is_full);
            }
            if is_full {
                return &mut self.shared;
            }
        }
        self.by_key.entry(key.clone()).or_default()
    }
}

impl<K> Buckets<K> {
    fn new() -> Self {
        Self(Mutex::new(State { by_key: HashMap::new(), groups: HashMap::new(), shared: None }))
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Key> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut state = self.state();
        let bucket = state.bucket(key);
        let (answer, full_again) = decide(*bucket)?;
        *bucket = Some(full_again);
        Ok(answer)
    }
}

impl<K: Key> ShrinkableKeyedStateStore<K> for Buckets<K> {
    fn retain_recent(&self, full_by_now: Nanos) {
        let mut state = self.state();
        let State { by_key, groups, .. } = &mut *state;
        let is_in_use =
            |full_again: &Option<Nanos>| full_again.is_some_and(|then| then > full_by_now);
        by_key.retain(|_, full_again| is_in_use(full_again));
        for group in groups.values_mut() {
            group.buckets = 0;
        }
        for group in by_key.keys().filter_map(Key::group) {
            groups.entry(group).or_default().buckets += 1;
        }
        groups.retain(|_, group| group.buckets > 0 || is_in_use(&group.shared));
        if by_key.len() < by_key.capacity() / 4 {
            by_key.shrink_to_fit();
        }
    }

    fn shrink_to_fit(&self) {
        self.state().by_key.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.state().by_key.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    impl Key for usize {
        fn group(&self) -> Option<u64> {
            None
        }
    }

    /// A key, and the group that it is in.
    impl Key for (usize, u64) {
        fn group(&self) -> Option<u64> {
            Some(self.1)
        }
    }

    fn limiter<K: Key>(limit: RateLimit) -> (Limiter<K, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Limiter::with_clock(limit, clock.clone()).unwrap(), clock)
    }

    #[test]
    fn each_key_has_a_burst_and_then_waits_for_the_reported_time() {
        let (limiter, clock) = limiter(RateLimit::per_minute(60).burst(3));
        for who in [1, 2] {
            for _ in 0..3 {
                assert_eq!(limiter.count(&who), Ok(()));
            }
            assert_eq!(limiter.count(&who), Err(Duration::from_secs(1)));
        }
        clock.advance(Duration::from_millis(999));
        assert_eq!(limiter.count(&1), Err(Duration::from_millis(1)));
        clock.advance(Duration::from_millis(1));
        assert_eq!(limiter.count(&1), Ok(()));
        assert_eq!(limiter.count(&1), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_limit_of_zero_is_refused() {
        for limit in [
            RateLimit::per_second(0),
            RateLimit::per_minute(60).burst(0),
            RateLimit::per_second(u32::MAX),
        ] {
            assert_eq!(Limiter::<usize>::new(limit).err(), Some(limit));
        }
    }

    #[test]
    fn the_limiter_forgets_buckets_that_are_full_again() {
        let (limiter, clock) = limiter(RateLimit::per_second(1));
        for who in 0..TIDY_EVERY - 1 {
            limiter.count(&who).unwrap();
        }
        assert_eq!(limiter.limiter.len(), TIDY_EVERY - 1);
        clock.advance(Duration::from_secs(2));
        limiter.count(&TIDY_EVERY).unwrap();
        assert_eq!(limiter.limiter.len(), 1);
    }

    #[test]
    fn addresses_beyond_the_number_of_buckets_share_one_bucket() {
        let (limiter, clock) = limiter(RateLimit::per_hour(10));
        let admitted = (0..10 * BUCKETS).filter(|who| limiter.count(who).is_ok()).count();
        assert_eq!(admitted, BUCKETS + 10);
        assert_eq!(limiter.limiter.len(), BUCKETS);
        // Who was there before has an allowance of their own.
        assert_eq!(limiter.count(&0), Ok(()));
        clock.advance(Duration::from_secs(2 * 3600));
        for _ in 0..TIDY_EVERY {
            let _ = limiter.count(&0);
        }
        for who in BUCKETS..BUCKETS + TIDY_EVERY {
            assert_eq!(limiter.count(&who), Ok(()), "there is room again");
        }
    }

    #[test]
    fn keys_beyond_the_limit_of_a_group_share_one_bucket() {
        let (limiter, clock) = limiter(RateLimit::per_hour(10));
        let admitted = |keys: std::ops::Range<usize>, group: u64| {
            keys.filter(|key| limiter.count(&(*key, group)).is_ok()).count()
        };
        assert_eq!(admitted(0..10 * BUCKETS_OF_A_GROUP, 1), BUCKETS_OF_A_GROUP + 10);
        assert_eq!(limiter.limiter.len(), BUCKETS_OF_A_GROUP);
        assert_eq!(admitted(0..1000, 2), 1000, "of another group");
        assert_eq!(admitted(0..1, 1), 1, "was there before");
        clock.advance(Duration::from_secs(2 * 3600));
        limiter.limiter.retain_recent();
        assert_eq!(limiter.limiter.len(), 0);
        assert_eq!(admitted(0..10 * BUCKETS_OF_A_GROUP, 1), BUCKETS_OF_A_GROUP + 10);
    }

    #[test]
    fn the_limiter_forgets_groups_with_their_keys() {
        let (limiter, clock) = limiter(RateLimit::per_second(1));
        for group in 0..TIDY_EVERY as u64 - 1 {
            limiter.count(&(0, group)).unwrap();
        }
        clock.advance(Duration::from_secs(2));
        limiter.count(&(1, 0)).unwrap();
        let state = limiter.limiter.into_state_store();
        assert_eq!(state.state().groups.len(), 1);
    }
}
