//! Check 1: which pages may ask.
//!
//! A browser sends the user's cookie along with any page's WebSocket; CORS does not apply there.
//! Without this check every page on the web could open a socket as the user who looks at it
//! (cross-site WebSocket hijacking).
//!
//! 1. `Origin` is there: it must be the server's own (scheme, host and port), or in the allow-list.
//!    `null` and anything else that is no origin never is. Several are none. Once the list has an
//!    `https://` origin, the server's own is allowed as `https://` only: a page on `http://` may come from
//!    whoever sits on the wire, and would use the cookies of the real site. (A server that is reached over
//!    cleartext all the same, such as one under development, has its own origin listed.)
//! 2. `Origin` is missing: a browser's page of another site would have sent one with a WebSocket.
//!    Allowed, unless `Sec-Fetch-Site` says that another site asks: same-origin polling sends no
//!    `Origin`, programs send neither.
//!
//! The server's own origin is `http://` and the `Host` header. Behind a proxy that is trusted (by
//! its address), `X-Forwarded-Proto` and `X-Forwarded-Host` say more; from anybody else they are
//! ignored.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Once;

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use ipnet::IpNet;

use crate::model::{Denial, PeerAddr};
use crate::observe::events;

/// `scheme://host[:port]` (RFC 6454), lower-case, the port always written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Origin {
    /// An origin as browsers write it: no path, no user, nothing around it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        Self::new(Scheme::parse(scheme)?, authority)
    }

    fn new(scheme: Scheme, authority: &str) -> Option<Self> {
        // No user, and no wildcard either: it would be accepted, and match nothing.
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

/// As it is compared: a name in lower case, or an address of IPv6 however it was shortened.
fn parse_host(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// As browsers write it, and in no other way: `parse` alone would take `+443` and `0443`.
fn parse_port(port: &str) -> Option<u16> {
    let number: u16 = port.parse().ok().filter(|number| *number != 0)?;
    (number.to_string() == port).then_some(number)
}

/// Where an allowed request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Provenance {
    pub(crate) cross_origin: bool,
    /// Whether the request had an `Origin`.
    named: bool,
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.named, self.cross_origin) {
            (false, _) => "no Origin header: not another site's page",
            (true, false) => "the server's own",
            (true, true) => "in the list of allowed origins",
        })
    }
}

/// The origins that may ask, and the proxies that may say what the server's own is.
#[derive(Clone, Debug, Default)]
pub(crate) struct OriginPolicy {
    pub(crate) allowed: Vec<Origin>,
    pub(crate) trusted_proxies: Vec<IpNet>,
}

impl OriginPolicy {
    pub(crate) fn check(&self, request: &Parts) -> Result<Provenance, Denial> {
        let mut origins = request.headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => check_fetch_site(&request.headers),
            (Some(_), Some(_)) => Err(Denial::OriginNotAllowed { origin: None }),
            (Some(origin), None) => {
                let text = origin.to_str().ok();
                self.check_origin(text.and_then(Origin::parse), request)
                    .ok_or_else(|| Denial::OriginNotAllowed { origin: text.map(shorten) })
            }
        }
    }

    fn check_origin(&self, origin: Option<Origin>, request: &Parts) -> Option<Provenance> {
        let origin = origin?;
        let own = self.own_origin(request);
        if own.as_ref() == Some(&origin) && !self.is_cleartext_beside_https(&origin) {
            return Some(Provenance { cross_origin: false, named: true });
        }
        self.allowed.contains(&origin).then_some(Provenance { cross_origin: true, named: true })
    }

    /// Whether this is cleartext where the app's pages are known to come over TLS.
    ///
    /// Whatever its host: behind a proxy that terminates TLS, and is not trusted, the server can't see
    /// that its own pages are `https://`, and takes `http://` for its own origin.
    fn is_cleartext_beside_https(&self, origin: &Origin) -> bool {
        let lists_https = || self.allowed.iter().any(|allowed| allowed.scheme == Scheme::Https);
        origin.scheme == Scheme::Http && lists_https()
    }

    fn own_origin(&self, request: &Parts) -> Option<Origin> {
        let forwarded = self.forwarded(request);
        let scheme = forwarded.and_then(|headers| first_value(headers, "x-forwarded-proto"));
        let scheme = scheme.map(|scheme| match scheme {
            // What some proxies say of a WebSocket.
            "ws" => "http",
            "wss" => "https",
            scheme => scheme,
        });
        let host = forwarded.and_then(|headers| first_value(headers, "x-forwarded-host"));
        let scheme = scheme.or(request.uri.scheme_str()).unwrap_or("http");
        let host = match (host, request.uri.authority()) {
            (Some(host), _) => host,
            (None, Some(authority)) => authority.as_str(),
            (None, None) => only_value(&request.headers, HOST.as_str())?,
        };
        Origin::new(Scheme::parse(scheme)?, host)
    }

    /// The headers, if whoever connected may say `X-Forwarded-*`.
    fn forwarded<'r>(&self, request: &'r Parts) -> Option<&'r HeaderMap> {
        if self.trusted_proxies.is_empty() {
            return None;
        }
        let Some(peer) = PeerAddr::of(request) else {
            static ONCE: Once = Once::new();
            ONCE.call_once(|| {
                events::no_peer_to_trust();
            });
            return None;
        };
        let peer = peer.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&peer)).then_some(&request.headers)
    }
}

fn check_fetch_site(headers: &HeaderMap) -> Result<Provenance, Denial> {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    match (sites.next().map(http::HeaderValue::as_bytes), sites.next()) {
        (None | Some(b"same-origin" | b"none"), None) => {
            Ok(Provenance { cross_origin: false, named: false })
        }
        _ => Err(Denial::OriginNotAllowed {
            origin: Some("(none, but asked by another site)".into()),
        }),
    }
}

/// A header's first entry, as Express' `req.protocol` and `req.hostname` take it.
fn first_value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.split(',').next().unwrap_or(value).trim())
}

fn only_value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Foreign text, for a log.
fn shorten(origin: &str) -> Box<str> {
    origin.chars().take(100).collect::<String>().escape_default().to_string().into()
}

#[cfg(test)]
mod tests;
