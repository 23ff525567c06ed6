//! The tables of three Node packages: their columns, and when each says that a session is over.
//!
//! | layout | table `sessions` | live while | the expiry in it |
//! |---|---|---|---|
//! | `connect-sqlite3` | `sid`, `expired`, `sess` | `now <= expired` | milliseconds, as REAL |
//! | `better-sqlite3` | `sid`, `sess`, `expire` | `datetime('now') < datetime(expire)` | ISO text |
//! | `knex` | `sid`, `sess`, `expired` | `datetime(now) <= datetime(expired)` | ISO text |
//!
//! SQLite's `datetime` has whole seconds: a session of better-sqlite3-session-store is over up to a
//! second before its expiry, one of knex up to a second after it. Which texts are dates is for
//! SQLite to say: a row whose expiry is none is never found.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::types::{Value, ValueRef};

use crate::store::{Life, StoreError};

/// The end of the year 9999, where the dates of SQLite end.
const LAST_SECOND: u64 = 253_402_300_799;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// connect-sqlite3 0.9 (`lib/connect-sqlite3.js`).
    ConnectSqlite3,
    /// better-sqlite3-session-store 0.1 (`src/index.js`).
    BetterSqlite3,
    /// connect-session-knex 5.0 (`src/index.ts`, `src/utils.ts`) with SQLite, by any of its clients.
    Knex,
}

impl Layout {
    /// By the name in a URL; without one, the first.
    pub(super) fn named(name: Option<&str>) -> Result<Self, StoreError> {
        match name {
            None | Some("connect-sqlite3") => Ok(Self::ConnectSqlite3),
            Some("better-sqlite3") => Ok(Self::BetterSqlite3),
            Some("knex") => Ok(Self::Knex),
            Some(other) => Err(StoreError::message(format!(
                "`{other}` is no layout of SQLite: connect-sqlite3, better-sqlite3, knex"
            ))),
        }
    }

    /// The column with the expiry.
    pub(super) fn end(self) -> &'static str {
        match self {
            Self::ConnectSqlite3 | Self::Knex => "expired",
            Self::BetterSqlite3 => "expire",
        }
    }

    /// What [`life`](Self::life) reads, as an expression.
    pub(super) fn end_to_read(self) -> String {
        let end = self.end();
        match self {
            Self::ConnectSqlite3 => end.to_owned(),
            Self::BetterSqlite3 | Self::Knex => {
                format!("CAST(strftime('%s', datetime({end})) AS INTEGER)")
            }
        }
    }

    /// A condition with one `?` for [`moment`](Self::moment) of now.
    pub(super) fn alive(self) -> String {
        let end = self.end();
        match self {
            Self::ConnectSqlite3 => format!("? <= {end}"),
            Self::BetterSqlite3 => format!("datetime(?) < datetime({end})"),
            Self::Knex => format!("datetime(?) <= datetime({end})"),
        }
    }

    /// A moment as the package writes it.
    pub(super) fn moment(self, time: SystemTime) -> Value {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        match self {
            // JavaScript's date, as the REAL that the Node driver stores.
            #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
            Self::ConnectSqlite3 => Value::Real(since.as_millis() as f64),
            Self::BetterSqlite3 | Self::Knex => {
                let time = UNIX_EPOCH + since.min(Duration::from_secs(LAST_SECOND));
                Value::Text(humantime::format_rfc3339_millis(time).to_string())
            }
        }
    }

    /// The first moment at which the package would not find the session. `None` where it never does.
    pub(super) fn life(self, end: ValueRef<'_>) -> Option<Life> {
        match (self, end) {
            (_, ValueRef::Null) => None,
            (Self::ConnectSqlite3, end) => Some(life_of_number(end)),
            (Self::BetterSqlite3, ValueRef::Integer(seconds)) => Some(until(seconds)),
            (Self::Knex, ValueRef::Integer(seconds)) => Some(until(seconds.saturating_add(1))),
            _ => None,
        }
    }
}

/// `life` from now, as far as there are dates.
pub(super) fn later(now: SystemTime, life: Duration) -> SystemTime {
    now.checked_add(life).unwrap_or(UNIX_EPOCH + Duration::from_secs(LAST_SECOND))
}

fn until(seconds: i64) -> Life {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    UNIX_EPOCH.checked_add(since).map_or(Life::Forever, Life::Until)
}

/// The first moment at which `now <= expired` is false.
///
/// SQLite orders any number below any text and NULL below nothing: a row whose `expired` is a text
/// or a blob never ends for connect-sqlite3, one without `expired` is never found.
fn life_of_number(expired: ValueRef<'_>) -> Life {
    let ms = match expired {
        #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
        ValueRef::Integer(ms) => ms as f64,
        ValueRef::Real(ms) => ms,
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => return Life::Forever,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    let last = Duration::from_millis(ms.floor() as u64);
    let end =
        last.checked_add(Duration::from_millis(1)).and_then(|end| UNIX_EPOCH.checked_add(end));
    end.map_or(Life::Forever, Life::Until)
}
