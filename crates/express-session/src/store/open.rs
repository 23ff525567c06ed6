//! From a URL to the store that it names.
//!
//! | URL | feature | its own parameters |
//! |---|---|---|
//! | `redis://`, `rediss://`, `valkey://`, `valkeys://`, `redis-sentinel://`, `rediss-sentinel://`, `redis+unix:///SOCKET`, `unix:///SOCKET` | `redis` | `prefix` |
//! | `postgres://`, `postgresql://` | `postgres` | `layout`, `schema`, `table` |
//! | `mysql://`, `mariadb://` | `mysql` | `layout`, `table` |
//! | `mongodb://`, `mongodb+srv://` | `mongodb` | `layout`, `collection` |
//! | `memcached://` | `memcached` | `prefix` |
//! | `sqlite:PATH` | `sqlite` | `layout`, `table` |
//! | `file:DIR` | `file` | `ttl`, `fileExtension` |
//!
//! What else stands in a URL is its driver's. Each store says more about its own.

use std::sync::Arc;

use super::{SessionStore, StoreError, StoreUrl, open_later};

/// Each scheme, and the feature that it needs.
const SCHEMES: [(&str, &str); 19] = [
    ("redis", "redis"),
    ("rediss", "redis"),
    ("valkey", "redis"),
    ("valkeys", "redis"),
    ("redis-sentinel", "redis"),
    ("rediss-sentinel", "redis"),
    ("redis+sentinel", "redis"),
    ("rediss+sentinel", "redis"),
    ("redis+unix", "redis"),
    ("unix", "redis"),
    ("postgres", "postgres"),
    ("postgresql", "postgres"),
    ("mysql", "mysql"),
    ("mariadb", "mysql"),
    ("mongodb", "mongodb"),
    ("mongodb+srv", "mongodb"),
    ("memcached", "memcached"),
    ("sqlite", "sqlite"),
    ("file", "file"),
];

/// What can be written, for whom wrote something else.
const FORMS: &str = "redis://HOST, rediss://HOST, postgres://HOST/DATABASE, mysql://HOST/DATABASE, \
    mongodb://HOST/DATABASE, memcached://HOST, sqlite:PATH and file:DIR";

/// Opens the store that a URL names, such as `redis://127.0.0.1/?prefix=myapp:` or
/// `sqlite:./sessions`, for servers that take the place of their sessions from the command line or the environment.
///
/// Connects, so that a wrong address, password or layout is found at the start. What is only not
/// there yet (a server that is down; a database, table, collection, file or folder that the app has
/// not created) is waited for, see [`open_later`]; [`open_now`] does not wait.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use express_session::store;
///
/// let error = store::open("oracle://db/").await.unwrap_err();
/// assert!(error.to_string().contains("no such kind of store: oracle"));
/// assert!(store::open("file:./not-there-yet").await.is_ok());
/// # }
/// ```
///
/// # Errors
/// [`StoreError`] if there is no such scheme; if the feature that it needs is missing, which the
/// message names; or what the store's own `connect` says, if waiting can't help. None shows a
/// password.
pub async fn open(url: &str) -> Result<Arc<dyn SessionStore>, StoreError> {
    let url = url.to_owned();
    open_later(move || {
        let url = url.clone();
        async move { open_now(&url).await }
    })
    .await
}

/// The same, and whatever is not there is an error: for programs that look into a store and end.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use express_session::store;
///
/// let error = store::open_now("file:./not-there-yet").await.unwrap_err();
/// assert!(error.appears().unwrap().contains("its app creates it"));
/// # }
/// ```
///
/// # Errors
/// As [`open`]; also if the store [is not there yet](StoreError::appears).
pub async fn open_now(url: &str) -> Result<Arc<dyn SessionStore>, StoreError> {
    match StoreUrl::new(url).scheme() {
        #[cfg(feature = "redis")]
        "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "unix" | "redis-sentinel"
        | "rediss-sentinel" | "redis+sentinel" | "rediss+sentinel" => {
            Ok(Arc::new(super::redis::RedisStore::connect(url).await?))
        }
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => {
            Ok(Arc::new(super::postgres::PostgresStore::connect(url).await?))
        }
        #[cfg(feature = "mysql")]
        "mysql" | "mariadb" => Ok(Arc::new(super::mysql::MysqlStore::connect(url).await?)),
        #[cfg(feature = "mongodb")]
        "mongodb" | "mongodb+srv" => Ok(Arc::new(super::mongodb::MongoStore::connect(url).await?)),
        #[cfg(feature = "memcached")]
        "memcached" => Ok(Arc::new(super::memcached::MemcachedStore::connect(url).await?)),
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(Arc::new(super::sqlite::SqliteStore::open_url(url).await?)),
        #[cfg(feature = "file")]
        "file" => Ok(Arc::new(super::file::FileStore::open_url(url).await?)),
        scheme => Err(not_opened(scheme)),
    }
}

fn not_opened(scheme: &str) -> StoreError {
    if let Some((_, feature)) = SCHEMES.iter().find(|(known, _)| *known == scheme) {
        return StoreError::message(format!(
            "this program was built without the feature `{feature}`, which {scheme}: needs"
        ));
    }
    // What has no scheme may begin with a user and a password.
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let named = match scheme {
        "" => "no URL of a store".to_owned(),
        _ if scheme.chars().all(is_scheme) => format!("no such kind of store: {scheme}"),
        _ => "no such kind of store".to_owned(),
    };
    StoreError::message(format!("{named}; there are {FORMS}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_feature_is_named_and_an_unknown_scheme_gets_the_known_ones() {
        let missing = not_opened("mongodb+srv").to_string();
        assert!(missing.contains("the feature `mongodb`, which mongodb+srv: needs"), "{missing}");
        for scheme in ["", "rediz", "p@ss word"] {
            let unknown = not_opened(scheme).to_string();
            assert!(unknown.contains("redis://HOST, rediss://HOST"), "{unknown}");
            assert!(!unknown.contains("p@ss"), "{unknown}");
        }
    }
}
