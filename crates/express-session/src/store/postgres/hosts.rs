//! Hosts and ports among a URL's parameters, as libpq and Node's `pg` take them: they stand in for
//! those before the path. A host that begins with a slash is the folder of a socket.
//!
//! `postgres://app@localhost/db?host=/cloudsql/shop` is the socket alone. The driver would try
//! `localhost` first.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::{StoreError, StoreUrl};

/// The URL with all of its hosts and ports before the path.
pub(super) fn in_authority(mut url: StoreUrl) -> Result<String, StoreError> {
    let (hosts, ports) = (url.take("host")?, url.take("port")?);
    let rest = url.rest();
    if hosts.is_none() && ports.is_none() {
        return Ok(rest);
    }
    let (base, query) = rest.split_once('?').map_or((&*rest, None), |(b, q)| (b, Some(q)));
    let (scheme, after) = base.split_once("://").unwrap_or(("postgres", ""));
    let (authority, path) = after.split_at(after.find('/').unwrap_or(after.len()));
    let (user, before) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let before: Vec<(&str, Option<&str>)> =
        before.split(',').filter(|host| !host.is_empty()).map(host_and_port).collect();

    let hosts: Vec<String> = match &hosts {
        Some(hosts) => hosts.split(',').map(encoded).collect(),
        None => before.iter().map(|(host, _)| (*host).to_owned()).collect(),
    };
    let ports: Vec<Option<&str>> = match &ports {
        Some(ports) => ports.split(',').map(Some).collect(),
        None => before.iter().map(|(_, port)| *port).collect(),
    };
    let port_of = |n: usize| match ports.as_slice() {
        [] => Some(None),
        [one] => Some(*one),
        several => several.get(n).copied(),
    };
    let mut all = Vec::new();
    for (n, host) in hosts.iter().enumerate() {
        let Some(port) = port_of(n).filter(|_| ports.len() <= hosts.len()) else {
            let error = "the PostgreSQL URL has one port, or as many as hosts";
            return Err(StoreError::message(error));
        };
        let port = port.filter(|port| !port.is_empty());
        all.push(port.map_or_else(|| host.clone(), |port| format!("{host}:{}", encoded(port))));
    }
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    Ok(format!("{scheme}://{user}{}{path}{query}", all.join(",")))
}

fn host_and_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use tokio_postgres::Config;
    use tokio_postgres::config::Host;

    use super::*;

    fn read(url: &str) -> (Vec<String>, Vec<u16>) {
        let config: Config = in_authority(StoreUrl::new(url)).unwrap().parse().unwrap();
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        };
        (config.get_hosts().iter().map(host).collect(), config.get_ports().to_vec())
    }

    #[test]
    fn hosts_of_the_query_replace_those_before_the_path() {
        for (url, hosts, ports) in [
            ("postgres://a:p@h/db", vec!["h"], vec![5432]),
            ("postgres://a:p@h1:1,h2/db?x=1", vec!["h1", "h2"], vec![1, 5432]),
            ("postgres:///db?host=/run/pg", vec!["/run/pg"], vec![5432]),
            ("postgres://a:p@/db?host=/run/pg&port=7", vec!["/run/pg"], vec![7]),
            (
                "postgres://a:p@localhost/db?host=/cloudsql/a:b:c",
                vec!["/cloudsql/a:b:c"],
                vec![5432],
            ),
            ("postgres://a:p@localhost:7/db?host=/run/pg", vec!["/run/pg"], vec![7]),
            ("postgres://h/db?port=7", vec!["h"], vec![7]),
            ("postgres://a@/db?host=h1,h2&port=1,2", vec!["h1", "h2"], vec![1, 2]),
            ("postgres://a@/db?host=h1,::1&port=7", vec!["h1", "::1"], vec![7, 7]),
            ("postgres://[::1]:7/db?port=8", vec!["::1"], vec![8]),
        ] {
            let url = url.replace("?x=1", "");
            let hosts: Vec<_> = hosts.into_iter().map(str::to_owned).collect();
            assert_eq!(read(&url), (hosts, ports), "{url}");
        }
        let error = in_authority(StoreUrl::new("postgres://h1,h2,h3/db?port=1,2")).unwrap_err();
        assert!(error.to_string().contains("one port, or as many as hosts"));
    }
}
