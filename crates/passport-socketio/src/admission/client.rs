//! Whose address counts.
//!
//! The peer's. Where that is a proxy that is trusted (`.trust_proxy`), the one that it names last in
//! `X-Forwarded-For`, and so on for as long as that is a trusted proxy, too: the rightmost address
//! that nobody trusted vouches for. What stands left of it may be made up. Of IPv6 the /64 counts,
//! which is what one customer is given at least.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Once;

use http::request::Parts;
use ipnet::IpNet;

use super::limiter::Key;
use crate::model::PeerAddr;
use crate::observe::events;

/// An IPv4 address, or the first address of an IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network(IpAddr);

/// `None` if the server does not say who connected to it, which is warned of once.
pub(super) fn network_of(request: &Parts, proxies: &[IpNet]) -> Option<Network> {
    let Some(peer) = PeerAddr::of(request) else {
        static ONCE: Once = Once::new();
        ONCE.call_once(events::no_address_to_count);
        return None;
    };
    let mut client = peer.to_canonical();
    let forwarded = request.headers.get_all("x-forwarded-for").iter().rev();
    for said in forwarded.flat_map(|header| header.as_bytes().rsplit(|byte| *byte == b',')) {
        if !proxies.iter().any(|proxy| proxy.contains(&client)) {
            break;
        }
        match address(said) {
            Some(address) => client = address.to_canonical(),
            // A proxy that does not know its client answers for it.
            None => break,
        }
    }
    Some(Network::of(client))
}

impl Network {
    fn of(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        })
    }
}

/// A /48 is what a site is given, with 65,536 networks in it.
impl Key for Network {
    fn group(&self) -> Option<u64> {
        match self.0 {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => u64::try_from(u128::from(address) >> 80).ok(),
        }
    }
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn address(said: &[u8]) -> Option<IpAddr> {
    let said = std::str::from_utf8(said).ok()?.trim_matches([' ', '\t']);
    let alone = said.strip_prefix('[').and_then(|said| said.strip_suffix(']')).unwrap_or(said);
    alone.parse().ok().or_else(|| said.parse::<SocketAddr>().ok().map(|addr| addr.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let mut request = http::Request::get("/");
        for header in forwarded {
            request = request.header("x-forwarded-for", *header);
        }
        let (mut request, ()) = request.body(()).unwrap().into_parts();
        request.extensions.insert(PeerAddr(SocketAddr::new(peer.parse().unwrap(), 1)));
        let proxies = ["10.0.0.0/8", "fd00::/8"].map(|proxy| proxy.parse().unwrap());
        network_of(&request, &proxies).unwrap().0.to_string()
    }

    #[test]
    fn the_peer_counts_and_what_an_untrusted_one_says_does_not() {
        assert_eq!(client("192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("::ffff:192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
    }

    #[test]
    fn behind_trusted_proxies_the_rightmost_address_that_is_none_of_them_counts() {
        for (forwarded, expected) in [
            (&["198.51.100.7"][..], "198.51.100.7"),
            (&["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
            (&["6.6.6.6, 10.9.9.9 , 198.51.100.7,10.0.0.2"], "198.51.100.7"),
            (&["6.6.6.6", "198.51.100.7", "10.0.0.2"], "198.51.100.7"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db8::7]:4711"], "2001:db8::"),
            (&["[2001:db8::7]"], "2001:db8::"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            assert_eq!(client("10.0.0.1", forwarded), expected, "{forwarded:?}");
            assert_eq!(client("::ffff:10.0.0.1", forwarded), expected, "{forwarded:?}");
        }
    }

    #[test]
    fn a_proxy_that_names_nobody_answers_for_its_clients() {
        for forwarded in [&[][..], &[""], &["unknown"], &["6.6.6.6, unknown"], &["6.6.6.6, "]] {
            assert_eq!(client("10.0.0.1", forwarded), "10.0.0.1", "{forwarded:?}");
        }
    }

    #[test]
    fn of_ipv6_the_network_counts() {
        let network = "2001:db8:1:2::";
        for host in ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"] {
            assert_eq!(client(host, &[]), network);
            assert_eq!(client("fd00::1", &[host]), network);
        }
        assert_eq!(client("2001:db8:1:3::1", &[]), "2001:db8:1:3::");
    }
}
