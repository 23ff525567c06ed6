//! The address that a request came from.

use std::net::{IpAddr, SocketAddr};

use http::request::Parts;

/// The address of whoever connected to this server, in a request's extensions: put it there where
/// the server is not axum's (whose `ConnectInfo` is read with the feature `axum`). It is
/// for [`trust_proxy`](crate::AuthorizerBuilder::trust_proxy) and
/// [`audit`](crate::AuthorizerBuilder::audit).
///
/// ```
/// use passport_socketio::PeerAddr;
///
/// let mut request = http::Request::get("/").body(()).unwrap();
/// request.extensions_mut().insert(PeerAddr(([127, 0, 0, 1], 40_000).into()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

impl PeerAddr {
    pub(crate) fn of(request: &Parts) -> Option<IpAddr> {
        let extensions = &request.extensions;
        #[cfg(feature = "axum")]
        if let Some(axum::extract::ConnectInfo(peer)) =
            extensions.get::<axum::extract::ConnectInfo<SocketAddr>>()
        {
            return Some(peer.ip());
        }
        extensions.get::<Self>().map(|peer| peer.0.ip())
    }
}
