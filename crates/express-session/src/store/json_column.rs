//! JSON within a column of JSON, which Node's drivers parse before the package sees it.
//!
//! A package that writes `JSON.stringify(session)` into such a column through Sequelize's
//! `DataTypes.JSON` leaves a JSON text there that holds JSON. The package parses what its driver has
//! parsed, if it is a text: once, and so do we. (connect-pg-simple and connect-session-knex take an
//! object as it is; connect-session-sequelize parses whatever there is, which throws for an object.)

/// What JavaScript makes of an object as a text, and what no parser of JSON takes.
const AN_OBJECT_AS_TEXT: &[u8] = b"[object Object]";

/// The session's JSON out of the column's. `parses_all`: the package parses objects, too.
pub(super) fn session_json(column: Vec<u8>, parses_all: bool) -> Vec<u8> {
    if let Ok(text) = serde_json::from_slice::<String>(&column) {
        return text.into_bytes();
    }
    let holds_others = column.trim_ascii_start().first().is_some_and(|first| b"{[".contains(first));
    if parses_all && holds_others { AN_OBJECT_AS_TEXT.to_vec() } else { column }
}

#[cfg(test)]
mod tests {
    use super::session_json;

    #[test]
    fn a_json_text_is_unwrapped_once_and_a_parsed_object_is_stringified() {
        for (column, once, parsed) in [
            (r#"{"a":1}"#, r#"{"a":1}"#, "[object Object]"),
            (r#""{\"a\":1}""#, r#"{"a":1}"#, r#"{"a":1}"#),
            (r#""\"{}\"""#, r#""{}""#, r#""{}""#),
            (r#""""#, "", ""),
            ("null", "null", "null"),
            ("no json", "no json", "no json"),
        ] {
            assert_eq!(session_json(column.into(), false), once.as_bytes(), "{column}");
            assert_eq!(session_json(column.into(), true), parsed.as_bytes(), "{column}");
        }
    }
}
