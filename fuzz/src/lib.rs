//! What the fuzz targets have in common: each checks one input inside [`unit`], and the targets of
//! the kinds of session ask the same three questions.
//!
//! 1. [`locates_nothing`]: a cookie that nobody signed;
//! 2. [`locate_signed`]: a cookie that the target signed itself, with any other cookies around it;
//! 3. [`read`]: what a store holds, or the cookie carries.
//!
//! The targets of the [handshake] send whole requests through the layer, as a server would.

pub mod handshake;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use express_session::cookie::{Keygrip, KeygripHash};
use express_session::source::{CookieFault, Located, SessionSource};
use express_session::{RecordLimits, SessionRequest};
use rustix::time::{ClockId, clock_gettime};

/// The one key that every target signs with, and the source under test verifies with.
pub const KEY: &str = "keyboard cat";

const LIMITS: RecordLimits = RecordLimits { max_bytes: 64 * 1024, max_depth: 64 };
const SLOW: Duration = Duration::from_millis(100);

/// Runs the check of one input, and panics if it takes more than 100 ms of processor time.
///
/// Says so each time that an input is slower than all before, if the same input is slow twice: the
/// last such line names the slowest.
pub fn unit(check: impl Fn()) {
    static SLOWEST: AtomicU64 = AtomicU64::new(0);
    let slowest = Duration::from_nanos(SLOWEST.load(Ordering::Relaxed));
    let mut took = cpu_time(&check);
    if took > slowest {
        took = took.min(cpu_time(&check));
    }
    if took > slowest {
        SLOWEST.store(u64::try_from(took.as_nanos()).unwrap(), Ordering::Relaxed);
        eprintln!("slowest unit: {took:.1?}");
    }
    assert!(took <= SLOW, "slow unit: {took:.1?} of processor time");
}

/// The thread's own time: a busy machine makes nothing slow.
fn cpu_time(check: impl Fn()) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let start = now();
    check();
    now() - start
}

/// Nothing comes out that was not signed: the fuzzer does not know how to sign, and can't guess it.
pub fn locates_nothing(kind: &impl SessionSource, request: &SessionRequest<'_>) {
    assert!(kind.locate(request).is_err());
}

/// Where the session is that `pair` was signed for, whatever stands around it in the header. `None`
/// where the source calls `pair`, or a cookie of the same name before it, malformed or forged.
pub fn locate_signed(kind: &impl SessionSource, pair: &str, others: &str) -> Option<Located> {
    let locate = |header: &str| kind.locate(&SessionRequest::from_cookie_header(header));
    let alone = locate(pair);
    assert!(!matches!(alone, Err(CookieFault::Missing | CookieFault::BadSignature)));
    assert_eq!(alone, locate(&format!("{pair}; {others}")), "the first one counts");
    if let Ok(located) = locate(&format!("{others}; {pair}")) {
        assert_eq!(Some(&located), alone.as_ref().ok());
    }
    let located = alone.ok()?;
    assert!(!located.id().as_str().is_empty());
    Some(located)
}

/// Reads a record: what is read can be read again, and is the same then.
pub fn read(kind: &impl SessionSource, payload: &[u8]) {
    let Ok(Some(record)) = kind.read(payload, &LIMITS) else { return };
    let again = kind.read(record.json().as_bytes(), &LIMITS);
    assert_eq!(again.as_ref(), Ok(&Some(record.clone())));
    assert_eq!(record.keys(), again.unwrap().unwrap().keys());
    let _ = (kind.expiry(&record), record.pointer("/passport/user"), record.cookie());
}

/// The part of a text that npm `cookies` would read as a cookie's value, as it stands.
pub fn cookie_value(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim_start_matches('"')
}

/// The cookie `n` with this value, and its signature beside it.
pub fn keygrip_pair(value: &str) -> String {
    let keys = Keygrip::new([KEY], KeygripHash::Sha1).unwrap();
    format!("n={value}; n.sig={}", keys.sign(&format!("n={value}")))
}

/// Base64 as Node's `Buffer` writes it.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A session id as its source gave it back.
pub fn assert_is(located: &Located, id: &str) {
    assert!(matches!(located, Located::Stored(found) if found.as_str() == id));
}

/// Reads the payload that a cookie carried, and which must be this one.
pub fn read_carried(kind: &impl SessionSource, located: &Located, payload: &[u8]) {
    let Located::Carried(carried) = located else { panic!("the cookie carries it") };
    assert_eq!(carried.payload(), payload);
    read(kind, carried.payload());
}
