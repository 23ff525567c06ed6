//! Secrets that no output may contain.
//!
//! Tests say what is secret, and every line that our crates log, at every level, is searched for it.
//! A line that holds a secret ends the test's process: no code can catch it, and no test in that
//! process can pass.
//!
//! ```
//! use testkit::secrecy;
//!
//! secrecy::watch_logs();
//! secrecy::keep("a secret of this test");
//! secrecy::assert_kept("what was written", "innocent text");
//! ```

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// A shorter one would be found in ordinary text.
const SHORTEST: usize = 8;

/// The secrets by their first bytes: a process keeps thousands of them, and searches each of its lines.
static KEPT: LazyLock<Mutex<HashMap<[u8; SHORTEST], Vec<String>>>> = LazyLock::new(Mutex::default);
static LOGGED: Mutex<String> = Mutex::new(String::new());

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on no output may contain this.
///
/// # Panics
/// If it is too short to be distinguished from ordinary text.
pub fn keep(secret: &str) {
    let start = secret.as_bytes().first_chunk().expect("too short to be searched for");
    let mut kept = lock(&KEPT);
    let alike = kept.entry(*start).or_default();
    if alike.iter().any(|known| known == secret) {
        return;
    }
    alike.push(secret.to_owned());
    drop(kept);
    // A short one of a test may be ordinary text in the output of another.
    if secret.len() >= 2 * SHORTEST {
        note(secret);
    }
}

/// `scripts/test` searches the output of the whole run.
fn note(secret: &str) {
    if let Some(ledger) = std::env::var_os("SECRETS_LEDGER") {
        let ledger = std::fs::OpenOptions::new().create(true).append(true).open(ledger);
        let mut ledger = ledger.expect("the ledger can be written");
        // One write: other tests write, too.
        ledger.write_all(format!("{secret}\n").as_bytes()).expect("the ledger can be written");
    }
}

/// A cookie as it is sent, `name=value`: the value, what it decodes to, and its signature.
pub fn keep_cookie(pair: &str) {
    let value = pair.split_once('=').map_or(pair, |(_, value)| value);
    keep(value);
    if let Some((_, signature)) = value.rsplit_once('.') {
        keep(signature);
        keep(&decoded(signature));
    }
    keep(&decoded(value));
}

/// Percent-decoded, as far as signed values need it.
fn decoded(value: &str) -> String {
    ["%3A", "%2B", "%2F", "%3D"]
        .into_iter()
        .zip([":", "+", "/", "="])
        .fold(value.to_owned(), |value, (coded, plain)| value.replace(coded, plain))
}

/// # Panics
/// If a secret is in `text`. The secret is not shown, `text` is.
pub fn assert_kept(what: &str, text: &str) {
    assert!(!holds_secret(text), "{what} holds a secret:\n{text}");
}

fn holds_secret(text: &str) -> bool {
    let kept = lock(&KEPT);
    (0..text.len()).any(|at| {
        let rest = text.as_bytes().get(at..).unwrap_or_default();
        let alike = rest.first_chunk().and_then(|start| kept.get(start));
        alike.is_some_and(|alike| alike.iter().any(|secret| rest.starts_with(secret.as_bytes())))
    })
}

/// Searches all that our crates log in this process, spans and `trace` included. May be called often.
pub fn watch_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ours = Targets::new()
            .with_target("passport_socketio", LevelFilter::TRACE)
            .with_target("express_session", LevelFilter::TRACE);
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_span_events(FmtSpan::FULL)
            .with_writer(|| Searched);
        // Another subscriber would keep ours from seeing anything.
        tracing_subscriber::registry().with(lines.with_filter(ours)).init();
    });
}

/// All that was logged so far.
pub fn logged() -> String {
    lock(&LOGGED).clone()
}

/// Gets one whole line at a time.
struct Searched;

impl Write for Searched {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if holds_secret(&text) {
            let _ =
                writeln!(io::stderr(), "a secret was logged, so this process ends here:\n{text}");
            crate::servers::kill_all();
            std::process::abort();
        }
        lock(&LOGGED).push_str(&text);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{holds_secret, keep};

    #[test]
    fn a_secret_is_found_anywhere_in_a_text_and_a_part_of_it_is_not() {
        keep("secret-of-this-test");
        keep("secret-of-another-test");
        for text in
            ["secret-of-this-test", "é secret-of-this-test!", "secret-secret-of-another-test"]
        {
            assert!(holds_secret(text), "{text}");
        }
        for text in ["", "secret", "secret-of", "secret-of-this-tes", "a secret-of-third-test"] {
            assert!(!holds_secret(text), "{text}");
        }
    }
}
