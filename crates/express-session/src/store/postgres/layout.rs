//! What each Node package's table looks like, and when a session in it is over.
//!
//! All three compare the app's own clock with a column: a session is good while `now <= column`.
//! They differ in how finely they read that clock:
//!
//! | layout | the columns | `now` | writes |
//! |---|---|---|---|
//! | `pg-simple` | `sid`, `sess`, `expire` | up to the next second | up to the next second |
//! | `knex` | `sid`, `sess`, `expired` | milliseconds | milliseconds |
//! | `sequelize` | `sid`, `data`, `expires` | milliseconds | milliseconds |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::{Life, StoreError};

/// What the `layout` parameter may say.
const NAMES: &str = "pg-simple, knex, sequelize";

/// The last moment that a JavaScript date holds, in seconds; what PostgreSQL has beyond it (up to
/// `infinity`) never comes.
const LAST_DATE: Duration = Duration::from_secs(8_640_000_000_000);

/// JavaScript's clock has no less.
const TICK: Duration = Duration::from_millis(1);

/// Which Node package keeps the sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// connect-pg-simple 10.0 (`index.js`).
    PgSimple,
    /// connect-session-knex 5.0 (`dist/index.js`, `dist/utils.js`).
    Knex,
    /// connect-session-sequelize 7.1 (`lib/connect-session-sequelize.js`).
    Sequelize,
}

impl Layout {
    /// The one that the URL names.
    pub(super) fn named(name: Option<&str>) -> Result<Self, StoreError> {
        match name {
            None | Some("pg-simple") => Ok(Self::PgSimple),
            Some("knex") => Ok(Self::Knex),
            Some("sequelize") => Ok(Self::Sequelize),
            Some(other) => Err(StoreError::message(format!(
                "PostgreSQL has no layout {other:?}; `layout` is one of {NAMES}"
            ))),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PgSimple => "pg-simple",
            Self::Knex => "knex",
            Self::Sequelize => "sequelize",
        }
    }

    /// The table, where the app names none.
    pub(super) fn default_table(self) -> &'static str {
        match self {
            Self::PgSimple => "session",
            Self::Knex => "sessions",
            Self::Sequelize => "Sessions",
        }
    }

    /// The columns of the session's JSON and of its end.
    pub(super) fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::PgSimple => ("sess", "expire"),
            Self::Knex => ("sess", "expired"),
            Self::Sequelize => ("data", "expires"),
        }
    }

    /// What the package compares its column with when its clock says `now`.
    pub(super) fn now(self, now: SystemTime) -> SystemTime {
        let now = since_1970(now);
        UNIX_EPOCH
            + match self {
                Self::PgSimple => up_to_seconds(down_to_millis(now)),
                Self::Knex | Self::Sequelize => down_to_millis(now),
            }
    }

    /// What the package writes into its column for a session that lives for `life` from `now` on.
    pub(super) fn expiry(self, now: SystemTime, life: Duration) -> SystemTime {
        let end = down_to_millis(since_1970(now).saturating_add(life).min(LAST_DATE));
        UNIX_EPOCH
            + match self {
                Self::PgSimple => up_to_seconds(end),
                Self::Knex | Self::Sequelize => end,
            }
    }

    /// How long a session lives whose column says `column`; `None` if the package never finds it.
    ///
    /// connect-pg-simple asks `expire >= to_timestamp(ceil(now))`. That holds up to the last whole
    /// second that is not after `expire`, and no longer one millisecond later.
    pub(super) fn life(self, column: Option<SystemTime>) -> Option<Life> {
        let Some(column) = column else {
            // NULL compares with nothing. Sequelize's clean-up keeps such a row, and `get` finds it.
            return (self == Self::Sequelize).then_some(Life::Forever);
        };
        let column = since_1970(column);
        if column > LAST_DATE {
            return Some(Life::Forever);
        }
        let last = match self {
            Self::PgSimple => Duration::from_secs(column.as_secs()),
            Self::Knex | Self::Sequelize => down_to_millis(column),
        };
        Some(Life::Until(UNIX_EPOCH + last + TICK))
    }
}

/// Nothing here was alive before 1970.
fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn down_to_millis(time: Duration) -> Duration {
    Duration::new(time.as_secs(), time.subsec_millis() * 1_000_000)
}

fn up_to_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(ms)
    }

    /// `last`: the last millisecond at which the package's own comparison holds.
    #[test]
    fn a_session_ends_1_ms_after_the_package_last_finds_it() {
        for (layout, column, last) in [
            (Layout::PgSimple, 10_000, 10_000),
            (Layout::PgSimple, 10_001, 10_000),
            (Layout::PgSimple, 10_999, 10_000),
            (Layout::Knex, 10_000, 10_000),
            (Layout::Knex, 10_999, 10_999),
            (Layout::Sequelize, 10_999, 10_999),
        ] {
            assert!(layout.now(at(last)) <= at(column), "{layout:?} {column}");
            assert!(layout.now(at(last + 1)) > at(column), "{layout:?} {column}");
            assert_eq!(layout.life(Some(at(column))), Some(Life::Until(at(last + 1))));
        }
    }

    #[test]
    fn times_are_compared_in_milliseconds_as_in_node() {
        let late = at(10_000) + Duration::from_micros(999);
        assert_eq!(Layout::PgSimple.now(late), at(10_000));
        assert_eq!(Layout::Knex.now(late), at(10_000));
        let micros = Some(at(10_999) + Duration::from_micros(999));
        assert_eq!(Layout::Knex.life(micros), Some(Life::Until(at(11_000))));
    }

    #[test]
    fn an_end_is_written_as_the_package_writes_it() {
        let life = Duration::from_millis(1001);
        assert_eq!(Layout::PgSimple.expiry(at(10_000), life), at(12_000));
        assert_eq!(Layout::PgSimple.expiry(at(10_999), life), at(12_000));
        assert_eq!(Layout::Knex.expiry(at(10_000), life), at(11_001));
        let last = UNIX_EPOCH + LAST_DATE;
        assert_eq!(Layout::Sequelize.expiry(at(0), Duration::MAX), last);
    }

    #[test]
    fn a_missing_expiry_is_read_by_layout_and_an_infinite_one_as_forever() {
        for (layout, life) in [
            (Layout::PgSimple, None),
            (Layout::Knex, None),
            (Layout::Sequelize, Some(Life::Forever)),
        ] {
            assert_eq!(layout.life(None), life);
            let infinity = UNIX_EPOCH + LAST_DATE + Duration::from_secs(1);
            assert_eq!(layout.life(Some(infinity)), Some(Life::Forever));
            let long_ago = UNIX_EPOCH - Duration::from_secs(1);
            assert_eq!(layout.life(Some(long_ago)).unwrap().ended_at(at(1)), Some(at(1)));
        }
    }
}
