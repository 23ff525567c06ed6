//! The logins behind a socket, in its extensions.
//!
//! Each authorizer that let the socket in has a login of its own behind it, and the end of any of them
//! ends the socket: where two authorizers with one type of user guard a namespace, one after the other,
//! the second must not take the place of the first.

use std::sync::Arc;

use socketioxide::adapter::Adapter;
use socketioxide::socket::Socket;

use super::session::SocketSession;
use crate::live::{LiveSocket, Membership};
#[cfg(feature = "node-cluster")]
use crate::model::EndReason;
use crate::model::Identity;
use crate::mutant::Mutant;

/// The socket's places among the live sessions of the authorizers with users of this type.
pub(crate) struct SocketLogins<U> {
    /// Of the authorizer that let it in last.
    last: Arc<Membership<U>>,
    others: Vec<Arc<Membership<U>>>,
}

impl<U: Send + Sync + 'static> SocketLogins<U> {
    /// The socket is let in by one more authorizer, or once more by one.
    pub(crate) fn enter<A: Adapter>(membership: Membership<U>, socket: &Socket<A>) {
        let mut others = match socket.extensions.get::<Self>() {
            Some(Self { last, mut others }) => {
                others.push(last);
                if Mutant::SecondTakesFirst.is_here() { Vec::new() } else { others }
            }
            None => Vec::new(),
        };
        let at = others.iter().position(|other| other.is_beside(&membership));
        let replaced = at.map(|at| others.remove(at));
        let login = membership.socket().login();
        let replaced_login = replaced.as_ref().map(|it| it.socket().login());
        SocketSession::enter_member(socket, login, replaced_login);
        socket.extensions.insert(Self { last: Arc::new(membership), others });
    }

    pub(crate) fn find<A: Adapter>(socket: &Socket<A>) -> Option<Logins<U>> {
        let Self { last, others } = socket.extensions.get()?;
        if socket.connected() {
            others.iter().chain([&last]).for_each(|it| it.socket().is_seen());
        }
        let others = others.iter().map(|other| other.socket().clone()).collect();
        Some(Logins { last: last.socket().clone(), others })
    }
}

impl<U> Clone for SocketLogins<U> {
    fn clone(&self) -> Self {
        Self { last: self.last.clone(), others: self.others.clone() }
    }
}

/// The same, without keeping the socket's places for it.
pub(crate) struct Logins<U> {
    last: Arc<LiveSocket<U>>,
    others: Vec<Arc<LiveSocket<U>>>,
}

impl<U> Logins<U> {
    /// The user, as the authorizer knows them that let the socket in last.
    pub(crate) fn identity(&self) -> Identity<U> {
        self.last.identity()
    }

    /// Whether any of them has ended: the socket ends with it.
    pub(crate) fn has_ended(&self) -> bool {
        self.all().any(|login| login.has_ended())
    }

    /// Ends each of them.
    #[cfg(feature = "node-cluster")]
    pub(crate) fn end(&self, reason: EndReason) {
        self.all().for_each(|login| login.end(reason));
    }

    pub(crate) fn is_live(&self) -> bool {
        self.all().all(|login| login.is_live())
    }

    /// The client said something.
    pub(crate) fn were_active(&self) {
        self.all().for_each(|login| login.login().was_active());
    }

    fn all(&self) -> impl Iterator<Item = &Arc<LiveSocket<U>>> {
        self.others.iter().chain([&self.last])
    }
}

impl<U> Clone for Logins<U> {
    fn clone(&self) -> Self {
        Self { last: self.last.clone(), others: self.others.clone() }
    }
}
