//! A recorder that keeps the values of all metrics, and lets a test wait for one.

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

/// How long a metric may take to reach a value. The slowest is a Redis that is found to be away, or to be
/// back: a feed notices silence within 5 s and connects again within some more, longer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// By name and labels, without our prefix: `decisions_total{place=layer,…}`, `live_users`. A counter's
/// sum, the last of a gauge, every sample of a histogram.
#[derive(Clone, Default)]
pub(crate) struct Recorded(Arc<Values>);

#[derive(Default)]
struct Values {
    values: Mutex<HashMap<String, Vec<f64>>>,
    updates: watch::Sender<()>,
}

impl Recorded {
    /// Of a counter or a gauge, all of which count something. 0 before the first value.
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

    /// Waits until the condition holds for the metric's value.
    pub(crate) async fn until(&self, name: &str, condition: impl Fn(u64) -> bool) -> u64 {
        let mut updates = self.0.updates.subscribe();
        let recorded = timeout(PATIENCE, updates.wait_for(|()| condition(self.value(name)))).await;
        assert!(recorded.is_ok(), "{name} is {}", self.value(name));
        self.value(name)
    }

    fn metric(&self, key: &Key) -> Arc<Metric> {
        let name = key.name().strip_prefix("passport_socketio_").unwrap();
        let labels: Vec<_> = key.labels().map(|l| format!("{}={}", l.key(), l.value())).collect();
        let labels = labels.join(",");
        let name = if labels.is_empty() { name.into() } else { format!("{name}{{{labels}}}") };
        Arc::new(Metric { name, recorded: self.0.clone() })
    }
}

impl Values {
    fn values(&self) -> MutexGuard<'_, HashMap<String, Vec<f64>>> {
        self.values.lock().unwrap()
    }
}

/// One metric, which writes its values down.
struct Metric {
    name: String,
    recorded: Arc<Values>,
}

impl Metric {
    fn write(&self, change: impl FnOnce(&mut Vec<f64>)) {
        change(self.recorded.values().entry(self.name.clone()).or_default());
        self.recorded.updates.send_replace(());
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
