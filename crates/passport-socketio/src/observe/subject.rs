//! About whom something is decided, and where: as much as is known of it.

use std::net::IpAddr;

use express_session::{SessionId, SidHash};
use http::request::Parts;

use super::{AuditEvent, AuditKind};
use crate::model::{PeerAddr, SocketId, UserKey};

/// Who asks, and where.
#[derive(Clone)]
pub(crate) struct Subject<'s> {
    pub(super) place: &'static str,
    pub(super) namespace: Option<&'s str>,
    pub(super) socket: Option<SocketId>,
    pub(super) peer: Option<IpAddr>,
    pub(super) session: Option<SidHash>,
    pub(super) user: Option<UserKey>,
}

impl<'s> Subject<'s> {
    /// A request that the layer answers.
    pub(crate) fn at_layer(request: &Parts) -> Self {
        Self::at("layer", request)
    }

    /// A request that the app itself asked about.
    pub(crate) fn of_request(request: &Parts) -> Self {
        Self::at("request", request)
    }

    /// A socket that wants to connect to its namespace.
    pub(crate) fn of_socket(request: &Parts, namespace: &'s str, socket: SocketId) -> Self {
        Self { namespace: Some(namespace), socket: Some(socket), ..Self::at("namespace", request) }
    }

    /// A socket that was connected.
    pub(crate) fn of_member(
        sid: &SessionId,
        user: &UserKey,
        namespace: &'s str,
        socket: SocketId,
        peer: Option<IpAddr>,
    ) -> Self {
        Self {
            place: "namespace",
            namespace: Some(namespace),
            socket: Some(socket),
            peer,
            session: Some(sid.hash()),
            user: Some(user.clone()),
        }
    }

    fn at(place: &'static str, request: &Parts) -> Self {
        let peer = PeerAddr::of(request);
        Self { place, namespace: None, socket: None, peer, session: None, user: None }
    }

    /// The session that its cookie's signature vouches for.
    pub(crate) fn with_session(self, session: Option<SidHash>) -> Self {
        Self { session, ..self }
    }

    /// The user that was found.
    pub(crate) fn with_user(self, user: &UserKey) -> Self {
        Self { user: Some(user.clone()), ..self }
    }

    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    pub(super) fn event(&self, kind: AuditKind, code: &'static str) -> AuditEvent<'_> {
        AuditEvent {
            session: self.session,
            user: self.user.as_ref(),
            namespace: self.namespace,
            socket: self.socket,
            peer: self.peer,
            ..AuditEvent::new(kind, code)
        }
    }
}
