use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use express_session::store::{Life, StoreError};
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::sleep;

use express_session::store::SessionStore;

use super::*;

/// The store's timeout.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// A store that counts, and answers as the test says.
#[derive(Debug, Default)]
struct Fake {
    manner: Manner,
    version: AtomicUsize,
    loads: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
    asked: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
enum Manner {
    #[default]
    AtOnce,
    Takes(Duration),
    /// Answers once for each permit.
    Waits(Semaphore),
    Never,
    FailsAfter(Duration),
}

#[async_trait]
impl SessionStore for Fake {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.asked.lock().unwrap().push(sid.as_str().to_owned());
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        // A real store reads when it is asked, and the answer travels.
        let version = self.version.load(Ordering::SeqCst).to_string();
        match &self.manner {
            Manner::AtOnce => {}
            Manner::Takes(time) | Manner::FailsAfter(time) => sleep(*time).await,
            Manner::Waits(permits) => permits.acquire().await.unwrap().forget(),
            Manner::Never => pending().await,
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        match self.manner {
            Manner::FailsAfter(_) => Err(StoreError::message("GET")),
            _ => Ok(Some(StoredSession::new(version, Life::Forever))),
        }
    }
}

impl Fake {
    fn new(manner: Manner) -> Arc<Self> {
        Arc::new(Self { manner, ..Self::default() })
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    fn change(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    fn answer_one(&self) {
        match &self.manner {
            Manner::Waits(permits) => permits.add_permits(1),
            _ => panic!("it does not wait"),
        }
    }
}

fn loads(store: &Arc<Fake>, limits: LoadLimits) -> Arc<Loads> {
    Loads::new(StoreAccess::new(Some(store.clone()), STORE_TIMEOUT), limits)
}

fn by_default(store: &Arc<Fake>) -> Arc<Loads> {
    loads(store, LoadLimits::default())
}

fn limited(store: &Arc<Fake>, in_flight: usize, queued: usize) -> Arc<Loads> {
    loads(store, LoadLimits { in_flight, queued, cached_for: None })
}

fn keeping(store: &Arc<Fake>) -> Arc<Loads> {
    let cached_for = Some(Duration::from_secs(3));
    loads(store, LoadLimits { cached_for, ..LoadLimits::default() })
}

/// The answer to a request: the session's version, or the code of an error.
async fn ask(loads: &Arc<Loads>, sid: &str) -> Result<String, &'static str> {
    let loaded = loads.load(&sid.into()).await.map_err(|error| error.code())?;
    Ok(String::from_utf8(loaded.stored.unwrap().payload().to_vec()).unwrap())
}

/// A request that runs in the background from now on.
fn asks(
    loads: &Arc<Loads>,
    sid: &'static str,
) -> tokio::task::JoinHandle<Result<String, &'static str>> {
    let loads = loads.clone();
    tokio::spawn(async move { ask(&loads, sid).await })
}

async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

fn is_idle(loads: &Loads) -> bool {
    loads.pending().is_empty()
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_for_one_session_share_one_load() {
    let store = Fake::new(Manner::Takes(Duration::from_millis(50)));
    let loads = by_default(&store);
    let answers = join_all((0..1000).map(|_| ask(&loads, "ann"))).await;
    assert!(answers.into_iter().all(|answer| answer == Ok("0".into())));
    assert_eq!(store.loads(), 1);
    settle().await;
    assert!(is_idle(&loads));
}

#[tokio::test]
async fn a_request_never_gets_the_answer_of_a_load_that_began_before_it() {
    let store = Fake::new(Manner::Waits(Semaphore::new(0)));
    let loads = by_default(&store);
    let early = asks(&loads, "ann");
    settle().await;
    assert_eq!(store.loads(), 1);
    store.change();
    let late: Vec<_> = (0..9).map(|_| asks(&loads, "ann")).collect();
    settle().await;
    assert_eq!(store.loads(), 1, "one at a time");
    store.answer_one();
    assert_eq!(early.await.unwrap(), Ok("0".into()));
    store.answer_one();
    for late in late {
        assert_eq!(late.await.unwrap(), Ok("1".into()));
    }
    assert_eq!(store.loads(), 2, "all who came late share the next");
}

#[tokio::test(start_paused = true)]
async fn an_error_of_a_load_goes_to_every_request_that_waits_for_it() {
    for (manner, code, seconds) in [
        (Manner::Never, "store_timeout", 2),
        (Manner::FailsAfter(Duration::from_secs(1)), "store_unavailable", 1),
    ] {
        let store = Fake::new(manner);
        let loads = by_default(&store);
        let start = Instant::now();
        let early = asks(&loads, "ann");
        sleep(Duration::from_millis(500)).await;
        let late = asks(&loads, "ann");
        assert_eq!(early.await.unwrap(), Err(code));
        assert_eq!(late.await.unwrap(), Err(code));
        assert_eq!((start.elapsed().as_secs(), store.loads()), (seconds, 1));
        settle().await;
        assert!(is_idle(&loads));
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_256_loads_run_at_a_time() {
    let store = Fake::new(Manner::Takes(Duration::from_millis(50)));
    let loads = by_default(&store);
    let start = Instant::now();
    let sids: Vec<_> = (0..2560).map(|n| n.to_string()).collect();
    let answers = join_all(sids.iter().map(|sid| ask(&loads, sid))).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(store.most.load(Ordering::SeqCst), 256);
    // Ten rounds of 50 ms, of paused time.
    assert!(start.elapsed() < Duration::from_millis(600), "{:?}", start.elapsed());
    settle().await;
    assert!(is_idle(&loads));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_refused_at_once_when_the_queue_is_full() {
    let store = Fake::new(Manner::Takes(Duration::from_millis(50)));
    let loads = limited(&store, 2, 3);
    let five: Vec<_> = ["a", "b", "c", "d", "e"].map(|sid| asks(&loads, sid)).into();
    settle().await;
    let start = Instant::now();
    assert_eq!(ask(&loads, "f").await, Err("overloaded"));
    assert_eq!(start.elapsed(), Duration::ZERO);
    // A request that shares a queued load takes no place of its own.
    assert!(ask(&loads, "e").await.is_ok());
    for one in five {
        assert!(one.await.unwrap().is_ok());
    }
    assert!(ask(&loads, "f").await.is_ok());
    assert_eq!(store.most.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_queued_for_the_store_timeout_is_refused_unloaded() {
    let store = Fake::new(Manner::Takes(Duration::from_millis(1900)));
    let loads = limited(&store, 1, 10);
    let start = Instant::now();
    let first = asks(&loads, "a");
    settle().await;
    let second = asks(&loads, "b");
    settle().await;
    let third = asks(&loads, "c");
    assert!(first.await.unwrap().is_ok());
    assert_eq!(third.await.unwrap(), Err("overloaded"));
    assert_eq!(start.elapsed().as_millis(), 2000);
    assert!(second.await.unwrap().is_ok());
    assert_eq!(*store.asked.lock().unwrap(), ["a", "b"]);
    settle().await;
    assert!(is_idle(&loads));
}

#[tokio::test]
async fn a_running_load_keeps_its_place_when_its_request_is_dropped() {
    let store = Fake::new(Manner::Waits(Semaphore::new(0)));
    let loads = limited(&store, 1, 10);
    let impatient = asks(&loads, "a");
    settle().await;
    impatient.abort();
    let patient = asks(&loads, "b");
    settle().await;
    assert_eq!(store.loads(), 1);
    store.answer_one();
    store.answer_one();
    assert!(patient.await.unwrap().is_ok());
    assert_eq!(store.most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_queued_load_is_dropped_with_its_request() {
    let store = Fake::new(Manner::Waits(Semaphore::new(0)));
    let loads = limited(&store, 1, 1);
    let first = asks(&loads, "a");
    settle().await;
    let impatient = asks(&loads, "b");
    settle().await;
    impatient.abort();
    settle().await;
    // Its place in the queue is free again.
    let other = asks(&loads, "c");
    store.answer_one();
    store.answer_one();
    assert!(first.await.unwrap().is_ok() && other.await.unwrap().is_ok());
    assert_eq!(*store.asked.lock().unwrap(), ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn records_are_cached_only_if_configured_and_for_that_time() {
    for (kept, expected) in [(true, [1, 1, 2]), (false, [1, 2, 3])] {
        let store = Fake::new(Manner::AtOnce);
        let loads = if kept { keeping(&store) } else { by_default(&store) };
        for (after, expected) in [0, 2900, 100].into_iter().zip(expected) {
            sleep(Duration::from_millis(after)).await;
            ask(&loads, "ann").await.unwrap();
            assert_eq!(store.loads(), expected);
        }
    }
}

#[tokio::test]
async fn a_change_drops_the_cached_record_also_during_its_load() {
    type Forget = fn(&Loads);
    let forgets: [Forget; 2] = [|loads| loads.forget(&SidHash::of("ann")), Loads::forget_all];
    for forget in forgets {
        let store = Fake::new(Manner::Waits(Semaphore::new(0)));
        let loads = keeping(&store);
        let early = asks(&loads, "ann");
        settle().await;
        store.change();
        forget(&loads);
        store.answer_one();
        assert_eq!(early.await.unwrap(), Ok("0".into()));
        store.answer_one();
        assert_eq!(ask(&loads, "ann").await, Ok("1".into()), "the old one was not kept");
        assert_eq!(ask(&loads, "ann").await, Ok("1".into()));
        assert_eq!(store.loads(), 2, "the new one is");
        store.change();
        forget(&loads);
        store.answer_one();
        assert_eq!(ask(&loads, "ann").await, Ok("2".into()));
    }
}

#[test]
fn loads_of_a_runtime_that_has_ended_do_not_block_later_requests() {
    let store = Fake::new(Manner::Waits(Semaphore::new(0)));
    let loads = limited(&store, 1, 10);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async {
        let _under_way = (asks(&loads, "ann"), asks(&loads, "bob"));
        settle().await;
        let _next = asks(&loads, "ann");
        settle().await;
    });
    drop(first);
    assert!(is_idle(&loads));
    store.answer_one();
    assert_eq!(runtime().block_on(ask(&loads, "ann")), Ok("0".into()));
}
