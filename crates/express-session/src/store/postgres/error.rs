//! What may be told of an error of PostgreSQL.
//!
//! A server's message can quote the statement's values in its detail, its context and, where a value
//! is at fault (class 22), in the message itself: a session id, or the session. So of what the server
//! said only the message and the code are kept, and for class 22 only the code.

use deadpool_postgres::PoolError;
use tokio_postgres::Error as DriverError;
use tokio_postgres::error::{DbError, SqlState};

use super::super::StoreError;
use super::table::Table;
use crate::store_error::is_network;

/// Values that are wrong: "data exception".
const DATA_EXCEPTION: &str = "22";

/// The server's answer, without what could quote a session.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("PostgreSQL says: {message} (SQLSTATE {code})")]
    Said { message: String, code: String },
    #[error("PostgreSQL refuses a value (SQLSTATE {0})")]
    Value(String),
}

impl From<&DbError> for Refusal {
    fn from(error: &DbError) -> Self {
        let code = error.code().code().to_owned();
        if code.starts_with(DATA_EXCEPTION) {
            return Self::Value(code);
        }
        Self::Said { message: error.message().to_owned(), code }
    }
}

/// `operation` failed.
pub(super) fn failed(operation: String, error: DriverError) -> StoreError {
    let code = error.code().cloned();
    let is_away = error.is_closed() || is_network(&error);
    let failed = match error.as_db_error() {
        Some(error) => StoreError::new(operation, Refusal::from(error)),
        None => StoreError::new(operation, error),
    };
    match code {
        Some(SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME) => failed.no_table(),
        Some(SqlState::INVALID_CATALOG_NAME) => failed.no_database(),
        Some(code) => failed.server_away_if(is_for_now(&code)),
        None => failed.server_away_if(is_away),
    }
}

/// It starts, stops, or has no connection left.
fn is_for_now(code: &SqlState) -> bool {
    const CONNECTION_EXCEPTION: &str = "08";
    let such = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
    ];
    such.contains(code) || code.code().starts_with(CONNECTION_EXCEPTION)
}

/// `operation` got no connection.
pub(super) fn no_connection(operation: String, error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => failed(operation, error),
        error @ PoolError::Timeout(_) => StoreError::new(operation, error).server_away(),
        error => StoreError::new(operation, error),
    }
}

/// The first reading of the table failed: says what its owner can do.
pub(super) fn table_unusable(table: &Table, error: DriverError) -> StoreError {
    let (json, end) = table.layout.columns();
    let (layout, quoted) = (table.layout.name(), &table.quoted);
    let named = format!("the table {quoted} of layout {layout}");
    let operation = match error.code() {
        Some(&(SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME)) => {
            format!("{named} is not there; `layout`, `schema` and `table` in the URL name another")
        }
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            format!("{named} may not be read by the URL's user, who needs SELECT")
        }
        Some(
            &(SqlState::UNDEFINED_COLUMN
            | SqlState::UNDEFINED_FUNCTION
            | SqlState::CANNOT_COERCE
            | SqlState::DATATYPE_MISMATCH),
        ) => format!("{named} wants columns sid (text), {json} (JSON) and {end} (a timestamp)"),
        _ => format!("reading {named}"),
    };
    failed(operation, error)
}
