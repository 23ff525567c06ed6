//! What the parameters in a store's URL mean that providers, and other programs than this one, put
//! there.
//!
//! One table for all stores. A parameter of the table is written as what it is here, or has no effect
//! and the log says why, or is refused with what to write instead. What is in no table is the
//! driver's, or is refused by it. Values are never shown: one may be a password.

use super::{StoreError, StoreUrl};

/// What a parameter is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// These parameters, unless the URL has them itself.
    Is(&'static [(&'static str, &'static str)]),
    /// This parameter, with the same value.
    Named(&'static str),
    /// Nothing, because of this.
    NoEffect(&'static str),
    /// No parameter of ours does that; this is how it is said here.
    Refused(&'static str),
}
use Meaning::{Is, Named, NoEffect, Refused};

/// The parameters of one store. Of the values of one name the first that matches counts; `*` is any.
type Table = &'static [(&'static str, &'static str, Meaning)];

const TLS_UNCHECKED: Meaning =
    Is(&[("require_ssl", "true"), ("verify_ca", "false"), ("verify_identity", "false")]);
const TLS_CHECKED: Meaning = Is(&[("require_ssl", "true")]);
const POOLED: Meaning = NoEffect("the store keeps up to 8 connections");
const OF_NODE: Meaning = NoEffect("it is an option of Node's client");

const POSTGRES: Table = &[
    ("ssl", "true|1", Is(&[("sslmode", "verify-full")])),
    ("ssl", "false|0", Is(&[("sslmode", "disable")])),
    ("ssl", r#"no-verify|{"rejectUnauthorized":false}"#, Is(&[("sslmode", "no-verify")])),
    ("ssl", r#"{"rejectUnauthorized":true}|{}"#, Is(&[("sslmode", "verify-full")])),
    ("ssl", "*", Refused("write sslmode=verify-full and sslrootcert=FILE")),
    ("sslmode", "verify-ca", Is(&[("sslmode", "verify-full")])),
    ("sslmode", "allow", Is(&[("sslmode", "prefer")])),
    ("sslcert", "*", Refused("certificates of clients are not supported: use a password")),
    ("sslkey", "*", Refused("certificates of clients are not supported: use a password")),
    ("uselibpqcompat", "*", NoEffect("sslmode has the meaning that it has for libpq")),
    (
        "pgbouncer",
        "*",
        NoEffect("nothing is prepared on the server: a pooler may stand in between"),
    ),
    ("statement_cache_size", "*", NoEffect("nothing is prepared on the server")),
    ("connection_limit", "*", POOLED),
    ("pool_timeout", "*", POOLED),
    ("max", "*", POOLED),
    ("socket_timeout", "*", NoEffect("each call ends within 10 seconds")),
    ("gssencmode", "*", NoEffect("GSSAPI is not used")),
    ("client_encoding", "*", NoEffect("it is always UTF-8")),
    ("encoding", "*", NoEffect("it is always UTF-8")),
    ("currentSchema", "*", Named("schema")),
    ("search_path", "*", Refused("write schema=NAME")),
];

const MYSQL: Table = &[
    ("ssl-mode|ssl_mode|sslmode|sslMode", "DISABLED|disabled|disable", Is(&[])),
    ("ssl-mode|ssl_mode|sslmode|sslMode", "REQUIRED|required|require", TLS_UNCHECKED),
    (
        "ssl-mode|ssl_mode|sslmode|sslMode",
        "VERIFY_CA|verify_ca|verify-ca",
        Is(&[("require_ssl", "true"), ("verify_identity", "false")]),
    ),
    (
        "ssl-mode|ssl_mode|sslmode|sslMode",
        "VERIFY_IDENTITY|verify_identity|verify-full",
        TLS_CHECKED,
    ),
    ("ssl-mode|ssl_mode|sslmode|sslMode", "*", Refused("write require_ssl=true, or nothing")),
    ("ssl", "false|0", Is(&[])),
    ("ssl", r#"true|1|{}|{"rejectUnauthorized":true}"#, TLS_CHECKED),
    ("ssl", r#"{"rejectUnauthorized":false}"#, TLS_UNCHECKED),
    ("ssl", "*", Refused("write require_ssl=true; SSL_CERT_FILE names other roots")),
    ("sslaccept", "strict", TLS_CHECKED),
    ("sslaccept", "*", TLS_UNCHECKED),
    ("connectionLimit|connection_limit", "*", Named("pool_max")),
    ("charset|collation", "*", NoEffect("it is always utf8mb4")),
    ("timezone", "*", NoEffect("the packages write UTC, and that is read")),
    ("pool_timeout|connectTimeout|connect_timeout", "*", NoEffect("each call ends by itself")),
    (
        "multipleStatements|dateStrings|supportBigNumbers|bigNumberStrings|decimalNumbers",
        "*",
        OF_NODE,
    ),
    ("debug|trace|flags|typeCast|stringifyObjects|insecureAuth", "*", OF_NODE),
];

const REDIS: Table = &[
    ("family", "*", NoEffect("the server's address says whether it is IPv4 or IPv6")),
    ("tls|ssl", "true|1", Refused("write rediss:// for TLS")),
    ("tls|ssl", "*", Is(&[])),
    ("rejectUnauthorized|ssl_cert_reqs", "*", Refused("write ca=FILE for other roots")),
    ("password|username", "*", Refused("write redis://USER:PASSWORD@HOST")),
    ("connectTimeout|commandTimeout|keepAlive|noDelay|lazyConnect|name", "*", OF_NODE),
    ("enableReadyCheck|enableOfflineQueue|maxRetriesPerRequest|connectionName", "*", OF_NODE),
    ("allowUsernameInURI|connection_limit", "*", OF_NODE),
    ("keyPrefix", "*", Refused("write prefix=, which is keyPrefix and the store's prefix in one")),
];

const MONGODB: Table = &[
    ("useNewUrlParser|useUnifiedTopology|useCreateIndex|useFindAndModify", "*", OF_NODE),
    ("family", "*", NoEffect("the server's address says whether it is IPv4 or IPv6")),
];

/// Reads a store's URL: its parameters as they are named here.
///
/// # Errors
/// If one has no meaning here; it is named, and so is what to write instead. Also if a character of a
/// password is not encoded, so that no one could tell where the password ends.
pub(super) fn read(url: &str) -> Result<StoreUrl, StoreError> {
    check_password(url)?;
    let mut url = StoreUrl::new(url);
    let table: Table = match url.scheme() {
        "postgres" | "postgresql" => POSTGRES,
        "mysql" | "mariadb" => MYSQL,
        "redis" | "rediss" | "valkey" | "valkeys" => REDIS,
        scheme if scheme.ends_with("sentinel") => REDIS,
        "mongodb" | "mongodb+srv" => MONGODB,
        _ => return Ok(url),
    };
    let names: Vec<String> = url.names().map(str::to_owned).collect();
    for name in names {
        let is_of = |names: &str| names.split('|').any(|its| its == name);
        if !table.iter().any(|(names, ..)| is_of(names)) {
            continue;
        }
        let Some(value) = url.take(&name)? else { continue };
        let compact: String = value.chars().filter(|c| !c.is_whitespace()).collect();
        let found = table.iter().find(|(names, values, _)| {
            is_of(names) && (*values == "*" || values.split('|').any(|its| its == compact))
        });
        match found.map(|(.., meaning)| *meaning) {
            None => url.set_default(&name, &value),
            Some(Is(parameters)) => {
                for (name, value) in parameters {
                    url.set_default(name, value);
                }
            }
            Some(Named(ours)) => url.set_default(ours, &value),
            Some(NoEffect(why)) => {
                tracing::info!("`{name}` in the store's URL has no effect: {why}");
            }
            Some(Refused(instead)) => {
                return Err(StoreError::message(format!(
                    "`{name}` in the store's URL has no meaning here: {instead}"
                )));
            }
        }
    }
    Ok(url)
}

/// A raw `/`, `#` or `?` in a password ends the part of the URL that it stands in, and the rest of it
/// would be taken for something else, which errors and logs may name.
fn check_password(url: &str) -> Result<(), StoreError> {
    let Some((_, rest)) = url.split_once("://") else {
        return Ok(());
    };
    let after = rest.find(['/', '?', '#']).map_or("", |at| rest.get(at..).unwrap_or_default());
    if after.contains('@') {
        return Err(StoreError::message(
            "reading the URL: in a user or password write / as %2F, ? as %3F, # as %23; elsewhere \
             @ as %40",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left for the store and its driver; or what the error says.
    fn left(url: &str) -> Result<String, String> {
        read(url).map(|url| url.rest()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_url_parameter_is_translated_or_ignored() {
        let no_tls_check = "require_ssl=true&verify_ca=false&verify_identity=false";
        for (url, rest) in [
            ("postgres://h/db?ssl=true", "sslmode=verify%2Dfull"),
            ("postgres://h/db?ssl=0", "sslmode=disable"),
            ("postgres://h/db?ssl={\"rejectUnauthorized\": false}", "sslmode=no%2Dverify"),
            ("postgres://h/db?ssl=%7B%22rejectUnauthorized%22%3Atrue%7D", "sslmode=verify%2Dfull"),
            ("postgres://h/db?ssl=true&sslmode=require", "sslmode=require"),
            ("postgres://h/db?sslmode=verify-ca", "sslmode=verify%2Dfull"),
            ("postgres://h/db?sslmode=require&uselibpqcompat=true", "sslmode=require"),
            ("postgres://h:6543/db?pgbouncer=true&connection_limit=1", ""),
            ("postgres://h/db?currentSchema=web", "schema=web"),
            ("postgres://h1,h2:5433/db?target_session_attrs=any", "target_session_attrs=any"),
            ("postgres:///db?host=/run/postgresql", "host=/run/postgresql"),
            ("mysql://h/db?ssl-mode=REQUIRED", no_tls_check),
            ("mysql://h/db?ssl={\"rejectUnauthorized\":true}", "require_ssl=true"),
            ("mysql://h/db?sslaccept=strict", "require_ssl=true"),
            ("mysql://h/db?charset=utf8mb4&timezone=Z&ssl=false", ""),
            ("mysql://h/db?connectionLimit=3", "pool_max=3"),
            ("redis://h/?family=0&prefix=a:", "prefix=a:"),
            ("mongodb://h/db?useNewUrlParser=true&retryWrites=true", "retryWrites=true"),
            ("memcached://h?family=0", "family=0"),
        ] {
            let base = url.split('?').next().unwrap();
            let rest = if rest.is_empty() { base.to_owned() } else { format!("{base}?{rest}") };
            assert_eq!(left(url), Ok(rest), "{url}");
        }
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_advice_and_no_password() {
        for (url, said) in [
            ("postgres://u:hunter2@h/db?sslcert=/hunter2", "`sslcert`"),
            ("postgres://u:hunter2@h/db?ssl=hunter2", "sslmode=verify-full"),
            ("postgres://u:hunter2@h/db?search_path=hunter2", "schema=NAME"),
            ("mysql://u:hunter2@h/db?ssl=Amazon%20RDS", "require_ssl=true"),
            ("mysql://u:hunter2@h/db?ssl-mode=hunter2", "require_ssl=true"),
            ("redis://h/?tls=true", "rediss://"),
            ("redis://h/?password=hunter2", "redis://USER:PASSWORD@HOST"),
            ("redis://:hun/ter2@h/", "%2F"),
            ("postgres://u:hun#ter2@h/db", "%23"),
            ("mysql://u:hun?ter2@h/db", "%3F"),
            ("mongodb://u:h@un/ter2@h/db", "%2F"),
        ] {
            let error = left(url).unwrap_err();
            assert!(error.contains(said), "{url}: {error}");
            assert!(!error.contains("hunter2") && !error.contains("ter2"), "{url}: {error}");
        }
    }
}
