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
mod rate_limit;

use std::fmt;
use std::time::Duration;

use express_session::{SessionId, SidHash};
use http::request::Parts;
use ipnet::IpNet;

use self::client::{Network, network_of};
use self::limiter::Limiter;
use crate::authorizer::Denial;

pub use rate_limit::RateLimit;

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
    pub(crate) fn handshake(&self, request: &Parts, proxies: &[IpNet]) -> Result<(), Denial> {
        by_address(self.handshakes_per_ip.as_ref(), request, proxies, "handshakes of the address")
    }

    /// One more CONNECT packet has come.
    pub(crate) fn connect(&self, request: &Parts, proxies: &[IpNet]) -> Result<(), Denial> {
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
    proxies: &[IpNet],
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
