use std::io::{self, Write};

use tokio::runtime::Builder;
use tokio::time::advance;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;

use super::*;

/// What is logged at `warn` by this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn of_this_thread() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_max_level(LevelFilter::WARN)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    fn take(&self) -> Vec<String> {
        let text = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn panics(repeats: &Repeats, hook: &'static str, times: usize) {
    (0..times).for_each(|_| events::panicked(hook, repeats));
}

/// Lets the time pass, and whatever waits for it happen.
async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
    tokio::task::yield_now().await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_warning_is_logged_at_its_start_and_end_and_counted_between() {
    let (lines, _watched) = Lines::of_this_thread();
    let repeats = Repeats::default();
    panics(&repeats, "audit", 1000);
    assert_eq!(lines.take(), [r#"the app's audit panicked hook="audit""#]);
    pass(14).await;
    panics(&repeats, "audit", 1);
    panics(&repeats, "fail", 1);
    assert_eq!(lines.take(), [r#"the app's fail panicked hook="fail""#], "each code has its own");
    pass(2).await;
    let what = r#"what="the app's … panicked""#;
    let goes_on = "this goes on: counted, not told one by one";
    let told = format!(r#"{goes_on} code="audit" {what} times=1000 seconds=15"#);
    assert_eq!(lines.take(), [told]);
    panics(&repeats, "audit", 7);
    pass(15).await;
    let told = format!(r#"{goes_on} code="audit" {what} times=7 seconds=15"#);
    assert_eq!(lines.take(), [told]);
    pass(15).await;
    let told = format!(r#"this is over code="audit" {what} times=1008 seconds=45"#);
    assert_eq!(lines.take(), [told], "and nothing of what came once");
    pass(1000).await;
    panics(&repeats, "audit", 1);
    assert_eq!(lines.take().len(), 1, "it begins anew");
    pass(1000).await;
    assert!(lines.take().is_empty());
    assert!(repeats.counts().is_empty());
}

#[test]
fn a_warning_is_logged_again_after_its_runtime_has_ended() {
    let (lines, _watched) = Lines::of_this_thread();
    let repeats = Repeats::default();
    for _ in 0..2 {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            panics(&repeats, "audit", 3);
            advance(Duration::from_secs(1)).await;
        });
        assert_eq!(lines.take().len(), 1);
    }
}

#[test]
fn a_warning_outside_of_a_runtime_is_logged_each_time() {
    let (lines, _watched) = Lines::of_this_thread();
    panics(&Repeats::default(), "audit", 3);
    assert_eq!(lines.take().len(), 3);
}
