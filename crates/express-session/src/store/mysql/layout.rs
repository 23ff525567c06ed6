//! The tables of three Node packages: their columns, and when each says that a session is over.
//!
//! | layout | table | live while | `expires` in it |
//! |---|---|---|---|
//! | `express-mysql-session` | `sessions` (`session_id`, `expires`, `data`) | `round(now) <= expires` | seconds since 1970 |
//! | `knex` | `sessions` (`sid`, `sess`, `expired`) | `floor(now) <= expired` | datetime, UTC, whole seconds |
//! | `sequelize` | `Sessions` (`sid`, `expires`, `data`, `createdAt`, `updatedAt`) | `floor(now) <= expires` | the same |
//!
//! - All three ask their own clock, not the server's: so do we.
//! - A datetime has no zone. The packages write UTC whatever the server's zone is, so what stands
//!   there is read as it stands there.
//! - Sequelize's `get` takes a session whatever its `expires` is, until the clean-up (every 15
//!   minutes) deletes it. We obey the rule of the clean-up from the first second on. A row without
//!   `expires` is never cleaned up.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mysql_async::Value;

use crate::store::{Life, StoreError};

/// The end of the year 9999, where the dates of MySQL end.
const LAST_SECOND: u64 = 253_402_300_799;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// express-mysql-session 3.0 (`index.js`).
    ExpressMysqlSession,
    /// connect-session-knex 5.0 (`src/index.ts`, `src/utils.ts`) with MySQL.
    Knex,
    /// connect-session-sequelize 7.1 (`lib/connect-session-sequelize.js`, `lib/model.js`), and 8.
    Sequelize,
}

impl Layout {
    /// By the name in a URL; without one, the first.
    pub(super) fn named(name: Option<&str>) -> Result<Self, StoreError> {
        match name {
            None | Some("express-mysql-session") => Ok(Self::ExpressMysqlSession),
            Some("knex") => Ok(Self::Knex),
            Some("sequelize") => Ok(Self::Sequelize),
            Some(other) => Err(StoreError::message(format!(
                "`{other}` is no layout of MySQL: express-mysql-session, knex, sequelize"
            ))),
        }
    }

    /// The package's default.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::ExpressMysqlSession | Self::Knex => "sessions",
            Self::Sequelize => "Sessions",
        }
    }

    pub(super) fn columns(self) -> Columns {
        let (sid, payload, end) = match self {
            Self::ExpressMysqlSession => ("session_id", "data", "expires"),
            Self::Knex => ("sid", "sess", "expired"),
            Self::Sequelize => ("sid", "data", "expires"),
        };
        Columns { sid, payload, end }
    }

    /// What each new connection runs first: what the package's own connections run.
    pub(super) fn first(self) -> Vec<&'static str> {
        match self {
            // Of no effect on a datetime; for who made the column a timestamp.
            Self::Sequelize => vec!["SET time_zone = '+00:00'"],
            Self::ExpressMysqlSession | Self::Knex => Vec::new(),
        }
    }

    /// An expression for [`life`](Self::life) to read.
    pub(super) fn end(self) -> String {
        let end = self.columns().end;
        match self {
            Self::ExpressMysqlSession => format!("`{end}`"),
            Self::Knex | Self::Sequelize => {
                format!("TIMESTAMPDIFF(SECOND, '1970-01-01 00:00:00', `{end}`)")
            }
        }
    }

    /// A condition with one `?` for [`moment`](Self::moment) of now.
    pub(super) fn alive(self) -> String {
        let end = self.columns().end;
        match self {
            Self::ExpressMysqlSession => format!("? <= `{end}`"),
            Self::Knex => format!("CAST(? AS DATETIME) <= `{end}`"),
            Self::Sequelize => format!("(`{end}` IS NULL OR CAST(? AS DATETIME) <= `{end}`)"),
        }
    }

    /// A moment as the package writes it.
    pub(super) fn moment(self, time: SystemTime) -> Value {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        match self {
            // Math.round
            Self::ExpressMysqlSession => {
                let seconds = (since + Duration::from_millis(500)).as_secs();
                u32::try_from(seconds).unwrap_or(u32::MAX).into()
            }
            Self::Knex | Self::Sequelize => {
                let seconds = Duration::from_secs(since.as_secs().min(LAST_SECOND));
                let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + seconds).to_string();
                text.replace('T', " ").trim_end_matches('Z').into()
            }
        }
    }

    /// What [`end`](Self::end) gave. `None` where the package finds no such session.
    pub(super) fn life(self, end: &Value) -> Result<Option<Life>, StoreError> {
        let seconds = match (self, number(end)) {
            (_, Some(seconds)) => seconds.floor(),
            (Self::ExpressMysqlSession, None) if *end == Value::NULL => 0.0,
            (Self::Knex, None) if *end == Value::NULL => return Ok(None),
            (Self::Sequelize, None) if *end == Value::NULL => return Ok(Some(Life::Forever)),
            _ => return Err(StoreError::message("a session's expiry is not what the layout says")),
        };
        // The first moment at which `round(now)`, or `floor(now)`, is more.
        let over = match self {
            Self::ExpressMysqlSession => seconds + 0.5,
            Self::Knex | Self::Sequelize => seconds + 1.0,
        };
        let over = Duration::try_from_secs_f64(over.max(0.0)).ok();
        let over = over.and_then(|over| UNIX_EPOCH.checked_add(over));
        Ok(Some(over.map_or(Life::Forever, Life::Until)))
    }
}

/// What a layout calls its columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    pub(super) sid: &'static str,
    pub(super) payload: &'static str,
    pub(super) end: &'static str,
}

/// `life` from now, as far as there are dates.
pub(super) fn later(now: SystemTime, life: Duration) -> SystemTime {
    now.checked_add(life).unwrap_or(UNIX_EPOCH + Duration::from_secs(LAST_SECOND))
}

/// A number of any type; DECIMAL comes as text.
#[expect(clippy::cast_precision_loss, reason = "exact for 285 million years")]
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::UInt(number) => Some(*number as f64),
        Value::Float(number) => Some(f64::from(*number)),
        Value::Double(number) => Some(*number),
        Value::Bytes(text) => {
            std::str::from_utf8(text).ok()?.parse().ok().filter(|number: &f64| number.is_finite())
        }
        Value::NULL | Value::Date(..) | Value::Time(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(ms)
    }

    #[test]
    fn a_session_is_over_when_its_package_says_so() {
        let end = Value::Int(1_795_405_245);
        for (layout, over) in [
            (Layout::ExpressMysqlSession, 1_795_405_245_500),
            (Layout::Knex, 1_795_405_246_000),
            (Layout::Sequelize, 1_795_405_246_000),
        ] {
            let life = layout.life(&end).unwrap().unwrap();
            assert_eq!(life, Life::Until(at(over)), "{layout:?}");
        }
    }

    #[test]
    fn expiries_of_all_number_types_are_read_as_in_the_package() {
        let express = Layout::ExpressMysqlSession;
        for end in [Value::UInt(7), Value::Double(7.9), Value::Bytes(b"7.20".to_vec())] {
            assert_eq!(express.life(&end).unwrap(), Some(Life::Until(at(7_500))));
        }
        assert_eq!(express.life(&Value::NULL).unwrap(), Some(Life::Until(at(500))));
        assert_eq!(express.life(&Value::Int(-9)).unwrap(), Some(Life::Until(at(0))));
        assert_eq!(express.life(&Value::UInt(u64::MAX)).unwrap(), Some(Life::Forever));
        assert_eq!(Layout::Knex.life(&Value::NULL).unwrap(), None);
        assert_eq!(Layout::Sequelize.life(&Value::NULL).unwrap(), Some(Life::Forever));
        assert!(express.life(&Value::Bytes(b"soon".to_vec())).is_err());
        assert!(express.life(&Value::Date(2026, 11, 23, 3, 40, 3, 0)).is_err());
    }

    #[test]
    fn times_are_written_as_the_packages_write_them() {
        let number = |ms| Layout::ExpressMysqlSession.moment(at(ms));
        assert_eq!(number(1_795_405_244_499), Value::from(1_795_405_244_u32));
        assert_eq!(number(1_795_405_244_500), Value::from(1_795_405_245_u32));
        assert_eq!(number(u64::MAX / 2), Value::from(u32::MAX));
        for layout in [Layout::Knex, Layout::Sequelize] {
            let date = |ms| layout.moment(at(ms));
            assert_eq!(date(1_795_405_203_999), Value::from("2026-11-23 03:40:03"));
            assert_eq!(date(u64::MAX / 2), Value::from("9999-12-31 23:59:59"));
        }
    }
}
