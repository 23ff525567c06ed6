//! The server that the request is for, as far as check 1 is concerned; and what could be changed in it, or
//! in the proxy in front of it.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::http::HeaderValue;
use axum::http::request::Parts;
use passport_socketio::store::MemoryStore;
use passport_socketio::{Authorizer, AuthorizerBuilder, Decision, Denial, PeerAddr};
use tracing::subscriber::{NoSubscriber, with_default};

use crate::args::DoctorArgs;

/// What the server allows, and whom it trusts.
#[derive(Clone)]
pub(super) struct OriginSettings {
    pub(super) allowed: Vec<String>,
    proxies: Vec<String>,
    null: bool,
}

/// A step of advice.
#[derive(Clone, Debug)]
pub(super) enum Change {
    AllowOrigin(String),
    TrustProxy(String),
    AllowNullOrigin,
    /// The proxy, or the client, sends this header in place of any other of its name.
    Send(&'static str, String),
    /// The proxy passes no such header on.
    Drop(&'static str),
}

impl OriginSettings {
    pub(super) fn of(args: &DoctorArgs) -> Self {
        Self {
            allowed: args.allowed_origins.clone(),
            proxies: args.trusted_proxies.clone(),
            null: args.insecure_null_origin,
        }
    }

    pub(super) fn apply<U: Send + Sync + 'static>(
        &self,
        builder: AuthorizerBuilder<U>,
    ) -> AuthorizerBuilder<U> {
        let builder = builder.trust_proxy(&self.proxies);
        let builder = self.allowed.iter().fold(builder, AuthorizerBuilder::origin);
        if self.null { builder.insecure_null_origin() } else { builder }
    }

    pub(super) fn trust_nobody(&self) -> bool {
        self.proxies.is_empty()
    }

    /// Whether a server with these settings lets the request pass check 1. One that can't be built does not.
    pub(super) async fn let_in(&self, request: &Parts) -> bool {
        let builder = Authorizer::<i64>::builder().secret("s").store(MemoryStore::for_tests());
        let builder = builder.deserialize_user(async |id: i64| Ok::<_, Infallible>(Some(id)));
        let builder = self.apply(builder);
        // This server is never started: what its settings deserve to be warned of is not the user's.
        let Ok(auth) = with_default(NoSubscriber::default(), || builder.build()) else {
            return false;
        };
        let decision = auth.authorize(request).await;
        !matches!(decision, Ok(Decision::Denied(Denial::OriginNotAllowed { .. })))
    }
}

impl Change {
    pub(super) fn make(&self, settings: &mut OriginSettings, request: &mut Parts) {
        match self {
            Self::AllowOrigin(origin) => settings.allowed.push(origin.clone()),
            Self::AllowNullOrigin => settings.null = true,
            Self::TrustProxy(network) => {
                settings.proxies.push(network.clone());
                if request.extensions.get::<PeerAddr>().is_none()
                    && let Some(peer) = an_address_of(network)
                {
                    request.extensions.insert(PeerAddr((peer, 0).into()));
                }
            }
            Self::Send(name, value) => {
                if let Ok(value) = HeaderValue::from_str(value) {
                    request.headers.insert(*name, value);
                }
            }
            Self::Drop(name) => {
                request.headers.remove(*name);
            }
        }
    }
}

pub(super) fn an_address_of(network: &str) -> Option<IpAddr> {
    network.split_once('/').map_or(network, |(address, _)| address).parse().ok()
}
