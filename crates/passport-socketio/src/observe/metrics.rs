//! The names of metrics and their labels.

use std::time::Duration;

use super::recorder::Kind::{self, Counter, Gauge, Histogram};
use super::recorder::{count, describe, took};
use crate::model::{AuthorizeError, EndReason};

const DECISIONS: &str = "passport_socketio_decisions_total";
const STORE: &str = "passport_socketio_store_seconds";
const DESERIALIZER: &str = "passport_socketio_deserializer_seconds";
const ENDED: &str = "passport_socketio_ended_total";
const REVOCATION_DELAY: &str = "passport_socketio_revocation_delay_seconds";
const STORE_AWAY: &str = "passport_socketio_store_away_seconds_total";
const LATE: &str = "passport_socketio_late_lookups_total";
const FEEDS_LOST: &str = "passport_socketio_feeds_lost_total";
const FEEDS_REFUSED: &str = "passport_socketio_feeds_refused_total";
pub(super) const ORDER: &str = "passport_socketio_cluster_order_seconds";
pub(super) const IGNORED: &str = "passport_socketio_cluster_ignored_total";
pub(super) const SOCKETS: &str = "passport_socketio_live_sockets";
pub(super) const SESSIONS: &str = "passport_socketio_live_sessions";
pub(super) const USERS: &str = "passport_socketio_live_users";
pub(super) const FEEDS: &str = "passport_socketio_feeds_listening";
pub(super) const STORES_AWAY: &str = "passport_socketio_stores_away";
pub(super) const CLUSTERS: &str = "passport_socketio_clusters_connected";

/// All of them: what they are, and what they say.
pub(super) const ALL: &[(&str, Kind, &str)] = &[
    (DECISIONS, Counter, "decisions, by place, outcome and code"),
    (STORE, Histogram, "what the session store took, by operation and outcome"),
    (DESERIALIZER, Histogram, "what the deserializer took, by outcome"),
    (SOCKETS, Gauge, "sockets of logged-in users"),
    (SESSIONS, Gauge, "sessions with such sockets"),
    (USERS, Gauge, "users with such sockets"),
    (ENDED, Counter, "sockets closed because their login ended, by code and reconnect"),
    (
        REVOCATION_DELAY,
        Histogram,
        "from when a login's end was told, or was due to be found, until its sockets count no more",
    ),
    (STORES_AWAY, Gauge, "session stores that do not answer"),
    (STORE_AWAY, Counter, "how long session stores did not answer"),
    (LATE, Counter, "lookups of live sessions that came later than max_stale promises"),
    (FEEDS, Gauge, "feeds of changes that are listened to"),
    (FEEDS_LOST, Counter, "feeds of changes that were lost"),
    (FEEDS_REFUSED, Counter, "attempts to listen that a store refused or gave up"),
    (CLUSTERS, Gauge, "connections to the other nodes"),
    (ORDER, Histogram, "until all nodes had done what they were ordered, by order and outcome"),
    (IGNORED, Counter, "messages among the nodes that were forged, malformed or old"),
];

/// Tells the recorder what each name means. One that is installed later only lacks that.
pub(crate) fn describe_all() {
    for &(name, kind, about) in ALL {
        describe(name, kind, about);
    }
}

pub(super) fn decision(place: &'static str, outcome: &'static str, code: &'static str) {
    count(DECISIONS, &[("place", place), ("outcome", outcome), ("code", code)], 1);
}

/// How long the store took for `operation`.
pub(crate) fn store<T>(
    operation: &'static str,
    answer: &Result<T, AuthorizeError>,
    time: Duration,
) {
    took(STORE, &[("operation", operation), ("outcome", outcome(answer))], time);
}

/// How long the deserializer took.
pub(crate) fn deserializer<T>(answer: &Result<T, AuthorizeError>, time: Duration) {
    took(DESERIALIZER, &[("outcome", outcome(answer))], time);
}

fn outcome<T>(answer: &Result<T, AuthorizeError>) -> &'static str {
    answer.as_ref().map_or_else(AuthorizeError::code, |_| "ok")
}

pub(super) fn ended(reason: EndReason) {
    let reconnect = if reason.reconnect() { "true" } else { "false" };
    count(ENDED, &[("code", reason.code()), ("reconnect", reconnect)], 1);
}

/// How long sockets outlived their login: since a feed told of it, or since it was due to be looked at.
pub(crate) fn revocation_delay(was_told: bool, time: Duration) {
    took(REVOCATION_DELAY, &[("found_by", if was_told { "feed" } else { "schedule" })], time);
}

pub(super) fn store_away(seconds: u64) {
    count(STORE_AWAY, &[], seconds);
}

pub(super) fn late_lookup() {
    count(LATE, &[], 1);
}

pub(super) fn feed_was_lost() {
    count(FEEDS_LOST, &[], 1);
}

pub(super) fn feed_was_refused() {
    count(FEEDS_REFUSED, &[], 1);
}
