//! What a recorder of metrics was told, and when it is told more.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use tokio::sync::watch;
use tokio::time::timeout;

/// Servers that went away take a while to be found, and to be found again.
const PATIENCE: Duration = Duration::from_secs(30);

/// By name and labels, without our prefix: `decisions_total{place=layer,…}`, `live_users`. A counter's
/// sum, the last of a gauge, every sample of a histogram.
#[derive(Clone, Default)]
pub(crate) struct Recorded(Arc<Told>);

#[derive(Default)]
struct Told {
    values: Mutex<HashMap<String, Vec<f64>>>,
    news: watch::Sender<()>,
}

impl Recorded {
    /// Of a counter or a gauge, all of which count something. 0 before it was told.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what is counted is whole, and not negative"
    )]
    pub(crate) fn value(&self, name: &str) -> u64 {
        self.samples(name).last().copied().unwrap_or_default() as u64
    }

    pub(crate) fn samples(&self, name: &str) -> Vec<f64> {
        self.0.values().get(name).cloned().unwrap_or_default()
    }

    /// Waits until it is told something that makes it so.
    pub(crate) async fn until(&self, name: &str, is_so: impl Fn(u64) -> bool) -> u64 {
        let mut news = self.0.news.subscribe();
        let told = timeout(PATIENCE, news.wait_for(|()| is_so(self.value(name)))).await;
        assert!(told.is_ok(), "{name} is {}", self.value(name));
        self.value(name)
    }

    fn metric(&self, key: &Key) -> Arc<Metric> {
        let name = key.name().strip_prefix("passport_socketio_").unwrap();
        let labels: Vec<_> = key.labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
        let labels = labels.join(",");
        let name = if labels.is_empty() { name.into() } else { format!("{name}{{{labels}}}") };
        Arc::new(Metric { name, told: self.0.clone() })
    }
}

impl Told {
    fn values(&self) -> MutexGuard<'_, HashMap<String, Vec<f64>>> {
        self.values.lock().unwrap()
    }
}

/// One of them, which writes down what it is told.
struct Metric {
    name: String,
    told: Arc<Told>,
}

impl Metric {
    fn write(&self, change: impl FnOnce(&mut Vec<f64>)) {
        change(self.told.values().entry(self.name.clone()).or_default());
        self.told.news.send_replace(());
    }

    fn set_to(&self, value: impl FnOnce(f64) -> f64) {
        self.write(|values| *values = vec![value(values.last().copied().unwrap_or_default())]);
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
impl CounterFn for Metric {
    fn increment(&self, by: u64) {
        self.set_to(|was| was + by as f64);
    }

    fn absolute(&self, to: u64) {
        self.set_to(|_| to as f64);
    }
}

impl GaugeFn for Metric {
    fn increment(&self, by: f64) {
        self.set_to(|was| was + by);
    }

    fn decrement(&self, by: f64) {
        self.set_to(|was| was - by);
    }

    fn set(&self, to: f64) {
        self.set_to(|_| to);
    }
}

impl HistogramFn for Metric {
    fn record(&self, sample: f64) {
        self.write(|samples| samples.push(sample));
    }
}

impl Recorder for Recorded {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.metric(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.metric(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.metric(key))
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.values().iter()).finish()
    }
}
