//! From a store's URL to a store.

use std::sync::Arc;

use passport_socketio::store::SessionStore;

use crate::Failed;

/// Opens the store of somebody else's app.
/// `prefix` is what Redis' keys begin with if the URL does not say.
pub(crate) async fn open(url: &str, prefix: &str) -> Result<Arc<dyn SessionStore>, Failed> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "redis" => open_redis(url, prefix).await,
        "sqlite" => open_sqlite(rest).await,
        _ => Err(format!(
            "--store {scheme}: is no store that this version reads; write redis://HOST/?prefix=sess: or sqlite:PATH"
        )
        .into()),
    }
}

#[cfg(feature = "redis")]
async fn open_redis(url: &str, usual: &str) -> Result<Arc<dyn SessionStore>, Failed> {
    use passport_socketio::store::redis::RedisStore;

    let (url, prefix) = take_prefix(url)?;
    let store = RedisStore::connect(url.as_str()).await?;
    Ok(Arc::new(store.with_prefix(prefix.as_deref().unwrap_or(usual))))
}

/// Takes `prefix` out of the query: the driver has parameters of its own there.
#[cfg(feature = "redis")]
pub(crate) fn take_prefix(url: &str) -> Result<(url::Url, Option<String>), url::ParseError> {
    let mut url = url::Url::parse(url)?;
    let (prefixes, others): (Vec<_>, Vec<_>) =
        url.query_pairs().into_owned().partition(|(name, _)| name == "prefix");
    url.query_pairs_mut().clear().extend_pairs(others);
    if url.query() == Some("") {
        url.set_query(None);
    }
    Ok((url, prefixes.into_iter().next_back().map(|(_, prefix)| prefix)))
}

#[cfg(not(feature = "redis"))]
async fn open_redis(_: &str, _: &str) -> Result<Arc<dyn SessionStore>, Failed> {
    Err("this binary was built without Redis: build it with --features redis".into())
}

async fn open_sqlite(path: &str) -> Result<Arc<dyn SessionStore>, Failed> {
    use passport_socketio::store::sqlite::SqliteStore;

    if path.is_empty() {
        return Err(
            "--store sqlite: needs the path of the database, such as sqlite:./sessions".into()
        );
    }
    Ok(Arc::new(match split_table(path) {
        (path, Some(table)) => SqliteStore::open_table(path, table).await?,
        (path, None) => SqliteStore::open(path).await?,
    }))
}

/// `PATH?table=NAME`
pub(crate) fn split_table(database: &str) -> (&str, Option<&str>) {
    database.split_once("?table=").map_or((database, None), |(path, table)| (path, Some(table)))
}

#[cfg(all(test, feature = "redis"))]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_taken_out_of_the_url_and_nothing_else() {
        for (url, left, prefix) in [
            ("redis://h/", "redis://h/", None),
            ("redis://h/?prefix=a:", "redis://h/", Some("a:")),
            (
                "redis://:p%40ss@h/1?prefix=a%3Ab&protocol=resp3",
                "redis://:p%40ss@h/1?protocol=resp3",
                Some("a:b"),
            ),
            ("redis://h/?prefix=", "redis://h/", Some("")),
        ] {
            let (url, found) = take_prefix(url).unwrap();
            assert_eq!((url.as_str(), found.as_deref()), (left, prefix));
        }
    }
}
