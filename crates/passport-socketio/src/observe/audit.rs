//! What the app's audit hook is told.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use express_session::SidHash;

use crate::model::{SocketId, UserKey};

pub(crate) type AuditHook = Arc<dyn Fn(&AuditEvent<'_>) + Send + Sync>;

/// What happened, to whom, and where: one for every accept, every refusal, every end, and every order
/// of an operator. Given to the hook of [`audit`](crate::AuthorizerBuilder::audit).
///
/// What is not known is `None`: a request with a bad signature has no session, a refusal at the
/// layer no namespace. `Debug` shows hashes of the user and the socket's id. The user's key, the
/// peer's address and (on namespaces with patterns) the namespace's name are foreign text or
/// personal data, for the app to treat as such.
///
/// ```
/// use passport_socketio::{AuditEvent, AuditKind};
///
/// fn line(event: &AuditEvent<'_>) -> String {
///     let session = event.session.map(|hash| hash.short());
///     format!("{} {} session={session:?} peer={:?}", event.kind.as_str(), event.code, event.peer)
/// }
/// # let _ = line;
/// # assert_eq!(AuditKind::Granted.as_str(), "granted");
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct AuditEvent<'e> {
    /// What happened.
    pub kind: AuditKind,
    /// Why: the code of the refusal ([`Failure::code`](crate::Failure::code)) or of the end
    /// ([`EndReason::code`](crate::live::EndReason::code)); else a word of its own.
    pub code: &'static str,
    /// Which session. The id itself is a secret.
    pub session: Option<SidHash>,
    /// Which user.
    pub user: Option<&'e UserKey>,
    /// The namespace, such as `/`.
    pub namespace: Option<&'e str>,
    /// The socket's id. To whoever knows it and can send requests for it, it opens the connection:
    /// keep it to yourself.
    pub socket: Option<SocketId>,
    /// Who connected to this server: a proxy's address, where there is one.
    pub peer: Option<IpAddr>,
}

/// With hashes of who it is, and of the socket's id.
impl fmt::Debug for AuditEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditEvent")
            .field("kind", &self.kind)
            .field("code", &self.code)
            .field("session", &self.session)
            .field("user", &self.user)
            .field("namespace", &self.namespace)
            .field("socket", &self.socket)
            .field("peer", &self.peer)
            .finish()
    }
}

impl AuditEvent<'_> {
    pub(super) fn new(kind: AuditKind, code: &'static str) -> Self {
        Self { kind, code, session: None, user: None, namespace: None, socket: None, peer: None }
    }
}

/// What an [`AuditEvent`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuditKind {
    /// A user was let in: to a namespace, or by [`authorize`](crate::Authorizer::authorize).
    Granted,
    /// A guest was let in; the code says why it is no user.
    Guest,
    /// No.
    Denied,
    /// Could not tell, so nobody was let in; or an operator's order could not be obeyed.
    Failed,
    /// A socket was closed because its login has ended, or an operator closed it.
    Ended,
    /// An operator revoked a session (`revoked`; `revoked_here` if its store may still have it), or,
    /// without a session, all that a user was connected with.
    Revoked,
    /// An operator closed a user's sockets, and left the sessions alone.
    Disconnected,
    /// An operator had a user loaded anew.
    Refreshed,
}

impl AuditKind {
    /// A stable word for it, for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Guest => "guest",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
            Self::Disconnected => "disconnected",
            Self::Refreshed => "refreshed",
        }
    }
}
