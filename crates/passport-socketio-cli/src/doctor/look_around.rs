//! Is the session somewhere else? Looks, reads no session, and writes nothing.

use express_session::SessionId;
use passport_socketio::store::StoreUrl;

use crate::open_store;

/// Where else the session was found, and the `--store` that finds it there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    pub(super) place: String,
    pub(super) store: String,
}

/// Looks in the same database for the same session id. What can't be looked at is not found.
pub(super) async fn for_session(store: &str, prefix: &str, sid: &SessionId) -> Vec<Elsewhere> {
    let store = StoreUrl::new(store);
    match store.scheme() {
        #[cfg(feature = "redis")]
        _ if open_store::is_redis(&store) => {
            redis::look(store, prefix, sid).await.unwrap_or_default()
        }
        "sqlite" => sqlite::look(store, sid).unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[cfg(feature = "redis")]
mod redis {
    use std::error::Error;
    use std::time::{Duration, Instant};

    use express_session::store::redis::SingleServer;
    use redis::aio::MultiplexedConnection;
    use redis::{Client, ProtocolVersion};

    use super::{Elsewhere, SessionId, StoreUrl};

    /// A busy server should not be searched for long.
    const TIME: Duration = Duration::from_secs(3);
    const BATCH: usize = 1000;

    /// Every key that ends with the session id, in every database of the server. The URL means what
    /// it means for the store.
    pub(super) async fn look(
        mut store: StoreUrl,
        usual: &str,
        sid: &SessionId,
    ) -> Result<Vec<Elsewhere>, Box<dyn Error>> {
        let configured = store.take("prefix")?.unwrap_or_else(|| usual.into());
        let client = SingleServer::from_url(&store.rest())?.into_client();
        let (info, current) =
            (client.get_connection_info(), client.get_connection_info().redis_settings().db());
        let connect = async |database: i64| {
            let redis = info.redis_settings().clone().set_db(database);
            let redis = redis.set_protocol(ProtocolVersion::RESP2);
            let client = Client::open(info.clone().set_redis_settings(redis))?;
            client.get_multiplexed_async_connection().await
        };
        let until = Instant::now() + TIME;
        let mut found = Vec::new();
        for database in databases(&mut connect(current).await?).await? {
            let here = database == current;
            for prefix in prefixes(&mut connect(database).await?, sid, until).await? {
                if here && prefix == configured {
                    continue;
                }
                let mut place = format!("under the prefix \"{prefix}\"");
                if !here {
                    place = format!("in database {database}, {place}");
                }
                found.push(Elsewhere { place, store: url_of(store.clone(), database, &prefix)? });
            }
        }
        Ok(found)
    }

    /// The URL as it was typed, for another database and prefix. A password in it is the user's own
    /// to put back.
    fn url_of(mut store: StoreUrl, database: i64, prefix: &str) -> Result<String, Box<dyn Error>> {
        if store.scheme().ends_with("unix") {
            store.take("pass")?;
            store.take("db")?;
            store.set_default("db", &database.to_string());
            store.set_default("prefix", prefix);
            return Ok(store.rest());
        }
        let mut url: url::Url = store.rest().parse()?;
        url.set_path(&format!("/{database}"));
        url.query_pairs_mut().append_pair("prefix", prefix);
        let _ = url.set_password(None);
        Ok(url.into())
    }

    /// The databases that have keys, from `INFO keyspace` (`db0:keys=…`).
    async fn databases(connection: &mut MultiplexedConnection) -> redis::RedisResult<Vec<i64>> {
        let info: String = redis::cmd("INFO").arg("keyspace").query_async(connection).await?;
        let databases = info
            .lines()
            .filter_map(|line| line.strip_prefix("db")?.split_once(':')?.0.parse().ok());
        Ok(databases.collect())
    }

    /// What stands before the session id in the keys that end with it.
    async fn prefixes(
        connection: &mut MultiplexedConnection,
        sid: &SessionId,
        until: Instant,
    ) -> redis::RedisResult<Vec<String>> {
        let mut prefixes = Vec::new();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(format!("*{}", escape(sid.as_str())))
                .arg("COUNT")
                .arg(BATCH);
            let (next, keys): (u64, Vec<String>) = scan.query_async(connection).await?;
            prefixes.extend(
                keys.iter().filter_map(|key| key.strip_suffix(sid.as_str()).map(str::to_owned)),
            );
            if next == 0 || Instant::now() > until {
                return Ok(prefixes);
            }
            cursor = next;
        }
    }

    /// For a glob.
    fn escape(sid: &str) -> String {
        sid.chars()
            .flat_map(|c| if r"*?[]\^-".contains(c) { vec!['\\', c] } else { vec![c] })
            .collect()
    }
}

mod sqlite {
    use std::error::Error;

    use rusqlite::{Connection, OpenFlags};

    use super::{Elsewhere, SessionId, StoreUrl};

    /// Every other table with a session id column that holds it.
    pub(super) fn look(
        mut store: StoreUrl,
        sid: &SessionId,
    ) -> Result<Vec<Elsewhere>, Box<dyn Error>> {
        let configured = store.take("table")?;
        let elsewhere = store.clone();
        store.take("layout")?;
        let rest = store.rest();
        let path = rest.trim_start_matches("sqlite:");
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut columns = database.prepare(
            "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name <> ? AND c.name IN ('sid', 'session_id', 'id')",
        )?;
        let columns = columns.query_map([configured.as_deref().unwrap_or("sessions")], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        let mut found = Vec::new();
        for column in columns {
            let (table, column) = column?;
            let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let sql = format!("SELECT 1 FROM {} WHERE {} = ?", quoted(&table), quoted(&column));
            if database.prepare(&sql)?.exists([sid.as_str()])? {
                let mut elsewhere = elsewhere.clone();
                elsewhere.set_default("table", &table);
                found.push(Elsewhere {
                    place: format!("in the table \"{table}\""),
                    store: elsewhere.rest(),
                });
            }
        }
        Ok(found)
    }
}
