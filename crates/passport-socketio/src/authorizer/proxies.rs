//! What trusted proxies say of a request that they have passed on.
//!
//! A request comes from its peer. Where that is a trusted proxy, a header says whom it had the request from,
//! and where that is a trusted proxy, too, whom that one had it from: one walk, to the first address that is
//! not trusted. That is the client. What stands left of it in the headers may be made up, by the client.
//! The scheme, host and port that the outermost trusted proxy was asked for are those that the client used.
//!
//! There are two families of headers: `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`, and `Forwarded`
//! (RFC 7239). A proxy writes one of them, and most proxies pass the other one on as the client sent it. So
//! where both are there, only what both say alike is believed.
//!
//! Of somebody who is not trusted no header is read.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, HOST};
use http::request::Parts;
use ipnet::IpNet;

use super::origin::{Origin, Scheme};
use crate::model::PeerAddr;

mod rfc7239;

/// The proxies in front of this server, by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

/// A request as its client sent it, as far as those who are trusted have said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The address that no trusted proxy has.
    pub(crate) client: IpAddr,
    /// What the client calls the server. `None` if that can't be told.
    pub(crate) own_origin: Option<Origin>,
}

impl TrustedProxies {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether the peer's address matters at all.
    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// `None` if the server does not say who its peer is.
    pub(crate) fn sent(&self, request: &Parts) -> Option<Sent> {
        let peer = PeerAddr::of(request)?.to_canonical();
        let headers = &request.headers;
        if !self.trust(peer) {
            return Some(Claim::nothing_of(peer).of(request));
        }
        let unreadable = Sent { client: peer, own_origin: None };
        Some(match (self.x_forwarded(peer, headers), self.forwarded(peer, headers)) {
            (None, Family::Absent) => Claim::nothing_of(peer).of(request),
            (Some(claim), Family::Absent) | (None, Family::Says(claim)) => claim.of(request),
            (_, Family::Unreadable) => unreadable,
            (Some(older), Family::Says(newer)) => {
                let (older, newer) = (older.of(request), newer.of(request));
                Sent {
                    client: if older.client == newer.client { older.client } else { peer },
                    own_origin: older
                        .own_origin
                        .filter(|own| newer.own_origin.as_ref() == Some(own)),
                }
            }
        })
    }

    /// The walk: who is named, nearest first, beginning at the peer. With how many of them are trusted.
    fn walk(&self, peer: IpAddr, named: impl Iterator<Item = Option<IpAddr>>) -> (IpAddr, usize) {
        let (mut client, mut trusted) = (peer, 0);
        for address in named {
            if !self.trust(client) {
                return (client, trusted);
            }
            trusted += 1;
            match address {
                Some(address) => client = address.to_canonical(),
                // A proxy that does not know its client answers for it.
                None => return (client, trusted),
            }
        }
        (client, trusted + usize::from(self.trust(client)))
    }

    /// `None` if there is no such header.
    fn x_forwarded<'r>(&self, peer: IpAddr, headers: &'r HeaderMap) -> Option<Claim<'r>> {
        let names =
            ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"];
        if !names.iter().any(|name| headers.contains_key(*name)) {
            return None;
        }
        let [addresses, schemes, hosts, ports] = names.map(|name| entries(headers, name));
        let (client, trusted) = self.walk(peer, addresses.iter().rev().copied().map(address));
        // Each proxy adds an entry at the end, or sets the only one.
        let outermost =
            |entries: &[&'r str]| entries.get(entries.len().saturating_sub(trusted)).copied();
        let claim = Claim {
            client,
            scheme: outermost(&schemes),
            host: outermost(&hosts),
            port: outermost(&ports),
        };
        Some(claim)
    }

    fn forwarded<'r>(&self, peer: IpAddr, headers: &'r HeaderMap) -> Family<'r> {
        if !headers.contains_key(FORWARDED) {
            return Family::Absent;
        }
        let mut elements = Vec::new();
        for line in headers.get_all(FORWARDED) {
            match line.to_str().ok().and_then(rfc7239::parse) {
                Some(more) => elements.extend(more),
                None => return Family::Unreadable,
            }
        }
        let named = elements.iter().rev().map(|element| element.node.and_then(address));
        let (client, trusted) = self.walk(peer, named);
        let outermost = elements.get(elements.len().saturating_sub(trusted));
        Family::Says(Claim {
            client,
            scheme: outermost.and_then(|element| element.scheme),
            host: outermost.and_then(|element| element.host),
            port: None,
        })
    }
}

/// What `Forwarded` says, if it is there.
enum Family<'r> {
    Absent,
    Unreadable,
    Says(Claim<'r>),
}

/// What one family of headers says.
struct Claim<'r> {
    client: IpAddr,
    scheme: Option<&'r str>,
    host: Option<&'r str>,
    port: Option<&'r str>,
}

impl Claim<'_> {
    fn nothing_of(peer: IpAddr) -> Self {
        Self { client: peer, scheme: None, host: None, port: None }
    }

    /// With what the request itself says.
    fn of(&self, request: &Parts) -> Sent {
        Sent { client: self.client, own_origin: self.own_origin(request) }
    }

    fn own_origin(&self, request: &Parts) -> Option<Origin> {
        let scheme = self.scheme.or(request.uri.scheme_str()).unwrap_or("http");
        let scheme = Scheme::parse(&scheme.to_ascii_lowercase())?;
        let host = match (self.host, request.uri.authority()) {
            (Some(host), _) => host,
            (None, Some(authority)) => authority.as_str(),
            (None, None) => only_value(&request.headers)?,
        };
        match self.port {
            // nginx' `$host` leaves the port out.
            Some(port) if !has_port(host) && !is_of_another_scheme(port, scheme) => {
                Origin::new(scheme, &format!("{host}:{port}"))
            }
            _ => Origin::new(scheme, host),
        }
    }
}

/// Without any proxy's word.
pub(crate) fn own_origin(request: &Parts) -> Option<Origin> {
    Claim::nothing_of(IpAddr::from([0, 0, 0, 0])).own_origin(request)
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'))
}

/// Port 80 of an `https://` URL is the one on which a proxy further inside was asked.
fn is_of_another_scheme(port: &str, scheme: Scheme) -> bool {
    match scheme {
        Scheme::Http => port == "443",
        Scheme::Https => port == "80",
    }
}

/// All entries of a header's lists, in their order. What can't be read is empty, and names nothing.
fn entries<'r>(headers: &'r HeaderMap, name: &str) -> Vec<&'r str> {
    let lines = headers.get_all(name).iter();
    let entries = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    entries.map(|entry| std::str::from_utf8(entry).unwrap_or_default().trim()).collect()
}

fn only_value(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(HOST).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(said: &str) -> Option<IpAddr> {
    let said = said.trim_matches([' ', '\t']);
    let alone = said.strip_prefix('[').and_then(|said| said.strip_suffix(']')).unwrap_or(said);
    alone.parse().ok().or_else(|| said.parse::<SocketAddr>().ok().map(|addr| addr.ip()))
}

#[cfg(test)]
mod tests;
