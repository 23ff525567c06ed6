//! Where a page comes from, as its `Origin` header says it.

use std::fmt;
use std::net::Ipv6Addr;

use http::uri::Authority;

/// What an `Origin` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// A page of a website.
    Web(Origin),
    /// A page that an app or a browser extension brings along, such as `capacitor://localhost`.
    App(Box<str>),
    /// A page that has no origin that could be compared: `null` or `file://`.
    Opaque,
}

impl Page {
    /// An origin as browsers write it: no path, no user, nothing around it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if matches!(text, "null" | "file://") {
            return Some(Self::Opaque);
        }
        let (scheme, authority) = text.split_once("://")?;
        match Scheme::parse(scheme) {
            Some(scheme) => Origin::new(scheme, authority).map(Self::Web),
            None => (is_apps(scheme) && is_name(authority)).then(|| Self::App(text.into())),
        }
    }
}

/// As browsers write it: without a port that is the default one.
impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(origin) => origin.fmt(f),
            Self::App(text) => f.write_str(text),
            Self::Opaque => f.write_str("null"),
        }
    }
}

/// `scheme://host[:port]` (RFC 6454), lower-case, the port always written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
}

/// Clients outside browsers (Swift's, for one) send the URL that they connect to, with the scheme of its
/// WebSocket. It stands for that of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "http" | "ws" => Some(Self::Http),
            "https" | "wss" => Some(Self::Https),
            _ => None,
        }
    }

    pub(super) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Origin {
    pub(crate) fn new(scheme: Scheme, authority: &str) -> Option<Self> {
        // No user, and no wildcard either: those are read elsewhere.
        if authority.contains(['@', '*']) {
            return None;
        }
        let authority: Authority = authority.parse().ok()?;
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host)? {
            "" => scheme.default_port(),
            port => parse_port(port.strip_prefix(':')?)?,
        };
        Some(Self { scheme, host: parse_host(host)?, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// As it is compared: a name in lower case, or an address of IPv6 however it was shortened.
fn parse_host(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!host.is_empty() && host.bytes().all(is_in_name)).then(|| host.to_ascii_lowercase())
}

/// As browsers write it, and in no other way: `parse` alone would take `+443` and `0443`.
fn parse_port(port: &str) -> Option<u16> {
    let number: u16 = port.parse().ok().filter(|number| *number != 0)?;
    (number.to_string() == port).then_some(number)
}

/// A scheme of an app's own, in lower case (RFC 3986, 3.1).
///
/// Not those of the network and of documents that are made on the spot, and none that is `https`
/// misspelt: it would be accepted, and match nothing.
fn is_apps(scheme: &str) -> bool {
    let others =
        ["about", "blob", "content", "data", "file", "filesystem", "ftp", "ftps", "javascript"];
    let is_misspelt = scheme.chars().all(|letter| "htps".contains(letter));
    scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '+' | '-' | '.'))
        && !is_misspelt
        && !others.contains(&scheme)
}

/// What stands behind an app's scheme, compared byte for byte: a host, or an extension's id.
fn is_name(authority: &str) -> bool {
    let (host, port) = authority.rsplit_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
    !host.is_empty()
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~'))
        && port.is_none_or(|port| parse_port(port).is_some())
}
