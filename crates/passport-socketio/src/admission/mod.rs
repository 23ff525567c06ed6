//! How often somebody may ask: handshakes and CONNECT packets, by address and by session.
//!
//! 1. Nothing is limited unless the app says so: what is much for one app is a quiet day for
//!    another, and an office of a thousand people may have one address.
//! 2. What is limited is counted before the store is asked, and whatever comes of it counts. Who
//!    is one too many is refused (`rate_limited`), and reads `try_again`; at HTTP level the answer
//!    is 429 with a `Retry-After`.
//! 3. An address is the [client's](client), also behind proxies that are trusted, and for IPv6 its
//!    network. A session is counted once a secret has vouched for its id: nobody can use up the
//!    allowance of a session whose cookie they do not have, nor fill memory with made-up ones.
//! 4. A limit's memory is [bounded](limiter).
//!
//! The allowance is a bucket of tokens (GCRA, by `governor`): see [`RateLimit`].

mod client;
mod limiter;

use std::fmt;
use std::time::Duration;

use express_session::{SessionId, SidHash};
use http::request::Parts;

use self::client::{Network, network_of};
use self::limiter::Limiter;
use crate::authorizer::TrustedProxies;
use crate::model::{Denial, RateLimit};

/// The limits of one authorizer, as the builder was given them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AdmissionLimits {
    pub(crate) handshakes_per_ip: Option<RateLimit>,
    pub(crate) connects_per_ip: Option<RateLimit>,
    pub(crate) connects_per_session: Option<RateLimit>,
}

/// The same, with who has used how much of them.
pub(crate) struct Admission {
    handshakes_per_ip: Option<Limiter<Network>>,
    connects_per_ip: Option<Limiter<Network>>,
    connects_per_session: Option<Limiter<SidHash>>,
}

impl Admission {
    /// The error is a limit that can't be.
    pub(crate) fn new(limits: &AdmissionLimits) -> Result<Self, RateLimit> {
        Ok(Self {
            handshakes_per_ip: limits.handshakes_per_ip.map(Limiter::new).transpose()?,
            connects_per_ip: limits.connects_per_ip.map(Limiter::new).transpose()?,
            connects_per_session: limits.connects_per_session.map(Limiter::new).transpose()?,
        })
    }

    /// One more connection is opened.
    pub(crate) fn handshake(
        &self,
        request: &Parts,
        proxies: &TrustedProxies,
    ) -> Result<(), Denial> {
        by_address(self.handshakes_per_ip.as_ref(), request, proxies, "handshakes of the address")
    }

    /// One more CONNECT packet has come.
    pub(crate) fn connect(&self, request: &Parts, proxies: &TrustedProxies) -> Result<(), Denial> {
        by_address(self.connects_per_ip.as_ref(), request, proxies, "CONNECTs of the address")
    }

    /// The session is about to be looked up.
    pub(crate) fn session(&self, sid: &SessionId) -> Result<(), Denial> {
        match &self.connects_per_session {
            Some(limiter) => refused(limiter.count(&sid.hash()), "CONNECTs of the session"),
            None => Ok(()),
        }
    }
}

fn by_address(
    limiter: Option<&Limiter<Network>>,
    request: &Parts,
    proxies: &TrustedProxies,
    what: &'static str,
) -> Result<(), Denial> {
    let Some(limiter) = limiter else {
        return Ok(());
    };
    match network_of(request, proxies) {
        Some(network) => refused(limiter.count(&network), what),
        None => Ok(()),
    }
}

fn refused(counted: Result<(), Duration>, what: &'static str) -> Result<(), Denial> {
    counted.map_err(|retry_after| Denial::RateLimited { what, retry_after })
}

/// Nobody's address or session.
impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("handshakes_per_ip", &self.handshakes_per_ip.is_some())
            .field("connects_per_ip", &self.connects_per_ip.is_some())
            .field("connects_per_session", &self.connects_per_session.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr, SocketAddr};

    use super::*;
    use crate::model::PeerAddr;

    fn from(address: impl Into<IpAddr>) -> Parts {
        let (mut request, ()) = http::Request::get("/").body(()).unwrap().into_parts();
        request.extensions.insert(PeerAddr(SocketAddr::new(address.into(), 1)));
        request
    }

    /// The /64 with this number in this /48.
    fn network(site: u16, number: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, site, number, 0, 0, 0, 1)
    }

    #[test]
    fn one_ipv6_48_does_not_use_up_the_allowance_of_other_networks() {
        let limit = Some(RateLimit::per_hour(10));
        let limits = AdmissionLimits { handshakes_per_ip: limit, ..AdmissionLimits::default() };
        let admission = Admission::new(&limits).unwrap();
        let may = |address: IpAddr| {
            admission.handshake(&from(address), &TrustedProxies::default()).is_ok()
        };
        let counted = (0..=u16::MAX).filter(|number| may(network(1, *number).into())).count();
        assert!(counted <= 4096 + 10, "one /48 was let in {counted} times");
        for newcomer in 0..200 {
            assert!(may(network(2, newcomer).into()), "newcomer {newcomer} of another /48");
            assert!(
                may([192, 0, 2, u8::try_from(newcomer).unwrap()].into()),
                "newcomer {newcomer} of IPv4"
            );
        }
        // Its own, which came first, have what they had.
        assert!(may(network(1, 0).into()));
    }
}
