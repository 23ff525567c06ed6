//! The `metrics` crate, or nothing at all without the feature.
//!
//! Labels are `&'static str` by type: what a client or an app made up can't become one, so their
//! number is bounded.

use std::time::Duration;

pub(super) type Labels<'l> = &'l [(&'static str, &'static str)];

/// A metric's kind, for its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[cfg(feature = "metrics")]
mod on {
    use super::{Duration, Kind, Labels};

    pub(in crate::observe) fn describe(name: &'static str, kind: Kind, about: &'static str) {
        let unit =
            if name.contains("_seconds") { metrics::Unit::Seconds } else { metrics::Unit::Count };
        match kind {
            Kind::Counter => metrics::describe_counter!(name, unit, about),
            Kind::Gauge => metrics::describe_gauge!(name, unit, about),
            Kind::Histogram => metrics::describe_histogram!(name, unit, about),
        }
    }

    pub(in crate::observe) fn count(name: &'static str, labels: Labels<'_>, by: u64) {
        metrics::counter!(name, labels).increment(by);
    }

    pub(in crate::observe) fn took(name: &'static str, labels: Labels<'_>, time: Duration) {
        metrics::histogram!(name, labels).record(time.as_secs_f64());
    }

    pub(in crate::observe) fn set(name: &'static str, value: f64) {
        metrics::gauge!(name).set(value);
    }
}

#[cfg(not(feature = "metrics"))]
mod on {
    use super::{Duration, Kind, Labels};

    pub(in crate::observe) fn describe(_: &'static str, _: Kind, _: &'static str) {}
    pub(in crate::observe) fn count(_: &'static str, _: Labels<'_>, _: u64) {}
    pub(in crate::observe) fn took(_: &'static str, _: Labels<'_>, _: Duration) {}
    pub(in crate::observe) fn set(_: &'static str, _: f64) {}
}

pub(super) use on::{count, describe, set, took};
