//! JSON within a column of JSON, as the packages' drivers and the packages read it.

use express_session::{RecordLimits, SessionRecord};
use testkit::PostgresServer;

use super::{KNEX, PG_SIMPLE, Postgres, SEQUELIZE};

/// The session that Node has, if it has one.
async fn user(postgres: &Postgres) -> Option<serde_json::Value> {
    let session = postgres.load("sid").await.unwrap();
    let record = SessionRecord::parse(session.payload(), &RecordLimits::default()).ok()?;
    record?.pointer("/passport/user").ok()?
}

#[tokio::test]
async fn json_in_a_json_column_is_unwrapped_once_as_in_node() {
    let Some(server) = PostgresServer::start("UTC").await else {
        return;
    };
    // An object in Sequelize's column is what `JSON.parse` throws for; a text in a column of text
    // is parsed once, and is no session then.
    for (package, column, object, text) in [
        (PG_SIMPLE, "sess", true, true),
        (KNEX, "sess", true, true),
        (SEQUELIZE, "data", false, true),
    ] {
        let postgres = Postgres::on(&server.url(), package).await;
        let table = match package.layout {
            "pg-simple" => "session",
            "knex" => "sessions",
            _ => "\"Sessions\"",
        };
        let json = r#"{"cookie":{},"passport":{"user":42}}"#;
        let wrapped = serde_json::Value::from(json).to_string();
        for kind in ["json", "jsonb"] {
            let alter =
                format!("ALTER TABLE {table} ALTER {column} TYPE {kind} USING {column}::{kind}");
            postgres.run(&alter).await;
            for (stored, found) in [(json, object), (&*wrapped, text)] {
                postgres.run(&format!("DELETE FROM {table}")).await;
                let rest = if package.layout == "sequelize" {
                    format!(
                        "(sid, data, expires, \"createdAt\", \"updatedAt\") VALUES ('sid', '{stored}', '2999-01-01', now(), now())"
                    )
                } else {
                    let end = if package.layout == "knex" { "expired" } else { "expire" };
                    format!("(sid, {column}, {end}) VALUES ('sid', '{stored}', '2999-01-01')")
                };
                postgres.run(&format!("INSERT INTO {table} {rest}")).await;
                let expected = found.then(|| 42.into());
                assert_eq!(user(&postgres).await, expected, "{} {kind} {stored}", package.layout);
            }
        }
        postgres.run(&format!("ALTER TABLE {table} ALTER {column} TYPE text")).await;
        assert_eq!(user(&postgres).await, None, "{} text", package.layout);
    }
}
