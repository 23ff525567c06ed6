//! The triggers that let PostgreSQL tell of changes. We never install them: `notify.sql` is for the
//! operator, and here it gets the names of the store's own table.
//!
//! Each table has its own channel, named after the table's number (oid), so that what is told of other
//! apps' tables reaches nobody here.

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

#[cfg(test)]
mod tests {
    use super::super::super::StoreUrl;
    use super::*;

    fn sql_for(query: &str) -> String {
        let mut url = StoreUrl::new(&format!("postgres://h/db{query}"));
        sql(&Table::from_url(&mut url).unwrap())
    }

    #[test]
    fn the_sql_in_the_documentation_is_the_sql_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/postgres-notify.md");
        let document = std::fs::read_to_string(path).unwrap();
        let sql = sql_for("");
        assert!(document.contains(&format!("```sql\n{sql}```")), "{sql}");
    }

    #[test]
    fn names_are_quoted_everywhere_in_the_sql() {
        let sql = sql_for("?schema=App%22s&table=My%20--%20Sessions");
        assert!(sql.contains(r#"FUNCTION "App""s".express_session_notify_sess()"#), "{sql}");
        assert!(sql.contains(r#"AFTER DELETE ON "App""s"."My -- Sessions" FOR EACH ROW"#), "{sql}");
        let statements = sql.lines().filter(|line| line.contains("Sessions"));
        assert_eq!(statements.count(), 6, "and in no comment, which a name could end");
    }
}
