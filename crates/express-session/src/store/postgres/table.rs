//! The table: its name, and the statements that read and change it.
//!
//! The end of a session is read as `timestamptz` and compared with one. Where the column is a
//! `timestamp` (connect-pg-simple), PostgreSQL reads it in the *connection's* time zone, as it does
//! in the package's own `expire >= to_timestamp(…)`: that of the role, the database or the server.
//! So no statement and no setting of ours ever names a time zone.

use super::super::{StoreError, StoreUrl};
use super::layout::Layout;

/// PostgreSQL cuts longer names off without a word.
const LONGEST_NAME: usize = 63;

/// A table in the layout of a Node package, which may be in another schema than the first of the
/// connection's `search_path`, and have another name.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) layout: Layout,
    /// With its schema, if the URL has one; quoted, ready for a statement.
    pub(super) quoted: String,
    /// The schema alone, quoted and with its dot; empty if the URL has none.
    pub(super) schema: String,
}

impl Table {
    /// Takes `layout`, `schema` and `table` out of the URL.
    pub(super) fn from_url(url: &mut StoreUrl) -> Result<Self, StoreError> {
        let layout = Layout::named(url.take("layout")?.as_deref())?;
        let name = url.take("table")?;
        let table = quoted("table", name.as_deref().unwrap_or(layout.default_table()))?;
        let schema = match url.take("schema")? {
            Some(schema) => format!("{}.", quoted("schema", &schema)?),
            None => String::new(),
        };
        Ok(Self { layout, quoted: format!("{schema}{table}"), schema })
    }

    /// Finds the sessions of `$1`, an array of ids; the last column says whether their JSON is in a
    /// column of JSON.
    pub(super) fn load(&self) -> String {
        let (json, end) = self.layout.columns();
        let table = &self.quoted;
        format!(
            r#"SELECT "sid"::text, "{json}"::text, "{end}"::timestamptz,
                pg_catalog.pg_typeof("{json}")::text IN ('json', 'jsonb')
                FROM {table} WHERE "sid" = ANY($1)"#
        )
    }

    /// Lets the session `$1` end at `$2`, if it has not by `$3`.
    pub(super) fn touch(&self, has_updated_at: bool) -> String {
        let (_, end) = self.layout.columns();
        self.change(&format!(r#""{end}" = $2"#), has_updated_at)
    }

    fn change(&self, set: &str, has_updated_at: bool) -> String {
        let (_, end) = self.layout.columns();
        // As every `save` and `update` of Sequelize.
        let stamp = if has_updated_at { r#", "updatedAt" = $3"# } else { "" };
        let endless = match self.layout {
            Layout::Sequelize => format!(r#" OR "{end}" IS NULL"#),
            Layout::PgSimple | Layout::Knex => String::new(),
        };
        let table = &self.quoted;
        format!(r#"UPDATE {table} SET {set}{stamp} WHERE "sid" = $1 AND ("{end}" >= $3{endless})"#)
    }

    /// Deletes the session `$1`.
    pub(super) fn destroy(&self) -> String {
        format!(r#"DELETE FROM {} WHERE "sid" = $1"#, self.quoted)
    }
}

/// Whether the table `$1` has Sequelize's `updatedAt`: its model may be without (`timestamps: false`).
pub(super) const HAS_UPDATED_AT: &str = "SELECT FROM pg_catalog.pg_attribute \
    WHERE attrelid = pg_catalog.to_regclass($1) AND attname = 'updatedAt' AND NOT attisdropped";

/// A name as it stands in a statement, whatever characters it has.
fn quoted(what: &str, name: &str) -> Result<String, StoreError> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
        return Err(StoreError::message(format!(
            "a {what}'s name in PostgreSQL has 1 to {LONGEST_NAME} bytes, none of them zero"
        )));
    }
    Ok(format!(r#""{}""#, name.replace('"', r#""""#)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(query: &str) -> Result<String, StoreError> {
        let mut url = StoreUrl::new(&format!("postgres://h/db?{query}"));
        Ok(Table::from_url(&mut url)?.quoted)
    }

    #[test]
    fn names_are_quoted_and_keep_their_case() {
        for (query, quoted) in [
            ("", r#""session""#),
            ("layout=knex", r#""sessions""#),
            ("layout=sequelize", r#""Sessions""#),
            ("table=My%20Sessions&schema=App", r#""App"."My Sessions""#),
            ("table=a%22;--", r#""a"";--""#),
        ] {
            assert_eq!(table(query).unwrap(), quoted);
        }
    }

    #[test]
    fn invalid_names_and_layouts_are_refused_with_a_reason() {
        for query in ["table=", "schema=", "table=a%00b", &format!("table={}", "x".repeat(64))] {
            let error = table(query).unwrap_err();
            assert!(error.to_string().contains("name in PostgreSQL has 1 to 63 bytes"), "{error}");
        }
        let error = table("layout=mysql").unwrap_err().to_string();
        assert!(error.contains(r#""mysql""#) && error.contains("pg-simple, knex, sequelize"));
    }
}
