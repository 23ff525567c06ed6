//! Whose address counts.
//!
//! The [client's](Sent::client), as far as trusted proxies say it (`.trust_proxy`). Of IPv6 the /64 counts,
//! which is what one customer is given at least.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Once;

use http::request::Parts;

use super::limiter::Key;
use crate::authorizer::{Sent, TrustedProxies};
use crate::observe::events;

/// An IPv4 address, or the first address of an IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network(IpAddr);

/// `None` if the server does not say who connected to it, which is warned of once.
pub(super) fn network_of(request: &Parts, proxies: &TrustedProxies) -> Option<Network> {
    let Some(Sent { client, .. }) = proxies.sent(request) else {
        static ONCE: Once = Once::new();
        ONCE.call_once(events::no_address_to_count);
        return None;
    };
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::model::PeerAddr;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let mut request = http::Request::get("/");
        for header in forwarded {
            request = request.header("x-forwarded-for", *header);
        }
        let (mut request, ()) = request.body(()).unwrap().into_parts();
        request.extensions.insert(PeerAddr(SocketAddr::new(peer.parse().unwrap(), 1)));
        let proxies = ["10.0.0.0/8", "fd00::/8"].map(|proxy| proxy.parse().unwrap());
        network_of(&request, &TrustedProxies::new(proxies.into())).unwrap().0.to_string()
    }

    #[test]
    fn the_limit_counts_the_peer_and_ignores_headers_of_an_untrusted_one() {
        assert_eq!(client("192.0.2.1", &[]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("::ffff:192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
    }

    #[test]
    fn the_rightmost_address_that_is_no_trusted_proxy_is_the_client() {
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
    fn a_proxy_that_names_no_client_is_counted_itself() {
        for forwarded in [&[][..], &[""], &["unknown"], &["6.6.6.6, unknown"], &["6.6.6.6, "]] {
            assert_eq!(client("10.0.0.1", forwarded), "10.0.0.1", "{forwarded:?}");
        }
    }

    #[test]
    fn ipv6_clients_are_counted_by_network() {
        let network = "2001:db8:1:2::";
        for host in ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"] {
            assert_eq!(client(host, &[]), network);
            assert_eq!(client("fd00::1", &[host]), network);
        }
        assert_eq!(client("2001:db8:1:3::1", &[]), "2001:db8:1:3::");
    }
}
