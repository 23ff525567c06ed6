//! The triggers that let PostgreSQL tell of changes. We never install them: `notify.sql` is for the
//! operator, and here it gets the names of the store's own table.
//!
//! Each table has its own channel, named after the table's number (oid), so that what other apps'
//! tables tell reaches nobody here, and a table that is renamed is still heard.

use super::table::Table;

/// The triggers, by the names that `notify.sql` gives them.
pub(super) const TRIGGERS: [&str; 3] =
    ["express_session_destroyed", "express_session_truncated", "express_session_user_changed"];

/// Which of the triggers `$2` there are, and fire, on the table `$1`. Their numbers change when they
/// are made anew.
pub(super) const INSTALLED: &str = "SELECT tgrelid, oid FROM pg_catalog.pg_trigger \
    WHERE tgrelid = pg_catalog.to_regclass($1) AND tgname = ANY($2) AND tgenabled IN ('O', 'A') \
    ORDER BY tgname";

/// Everything may have changed.
pub(super) const ALL: &str = "all";

/// The table's channel.
pub(super) fn channel(table: u32) -> String {
    format!("express_session_{table}")
}

/// `notify.sql`, for this table.
pub(super) fn sql(table: &Table) -> String {
    let (json, end) = table.layout.columns();
    format!(
        include_str!("notify.sql"),
        // Tables of one layout share it.
        function = format_args!("express_session_notify_{json}"),
        schema = table.schema,
        table = table.quoted,
        json = json,
        end = end,
    )
}
