//! The sockets of one authorizer on one server, as the cluster may reach them.

use node_cluster::{Description, SocketAddress, Value};
use serde_json::json;
use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;

use crate::Authorizer;
use crate::model::{EndReason, PeerAddr, aliases};
use crate::socketio::SocketLogins;

/// One authorizer, without the types of its users and of the server's adapter.
pub(super) trait Part: Send + Sync {
    fn may_receive(&self, socket: SocketAddress<'_>) -> bool;
    /// The rooms that an alias stands for.
    fn rooms_of(&self, alias: &str) -> Vec<String>;
    fn alias_of(&self, room: &str) -> Option<String>;
    /// `None` for a guest.
    fn describe(&self, socket: SocketAddress<'_>) -> Option<Description>;
    /// Ends the logins behind a socket; with `close` in all namespaces of its connection. Whether it had one.
    fn evict(&self, socket: SocketAddress<'_>, close: bool) -> bool;
}

pub(super) struct Served<U, A: Adapter> {
    io: SocketIo<A>,
    auth: Authorizer<U>,
}

impl<U: Send + Sync + 'static, A: Adapter> Served<U, A> {
    pub(super) fn new(io: SocketIo<A>, auth: Authorizer<U>) -> Self {
        Self { io, auth }
    }

    fn socket(&self, SocketAddress { namespace, id }: SocketAddress<'_>) -> Option<SocketRef<A>> {
        self.io.of(namespace)?.get_socket(id.parse().ok()?)
    }

    fn evict_one(socket: &SocketRef<A>) -> bool {
        match SocketLogins::<U>::find(socket) {
            Some(logins) => {
                logins.end(EndReason::Evicted);
                true
            }
            None => false,
        }
    }
}

impl<U: Send + Sync + 'static, A: Adapter> Part for Served<U, A> {
    fn may_receive(&self, socket: SocketAddress<'_>) -> bool {
        // A guest has no login that could have ended.
        self.socket(socket).is_some_and(|socket| {
            SocketLogins::<U>::find(&socket).is_none_or(|logins| !logins.has_ended())
        })
    }

    fn rooms_of(&self, alias: &str) -> Vec<String> {
        aliases::rooms_of(self.auth.scope(), alias).unwrap_or_default()
    }

    fn alias_of(&self, room: &str) -> Option<String> {
        self.auth.scope().aliases.get()?.of(room)
    }

    fn describe(&self, socket: SocketAddress<'_>) -> Option<Description> {
        let socket = self.socket(socket)?;
        let identity = SocketLogins::<U>::find(&socket)?.identity();
        // Named again, so that their aliases are known when its rooms are told.
        self.auth.user_room(identity.user_key());
        self.auth.session_room(identity.session().id());
        let key: serde_json::Value =
            serde_json::from_str(identity.user_key().as_json()).unwrap_or_default();
        let request = socket.req_parts();
        let address = PeerAddr::of(request).map(|peer| peer.to_string());
        Some(Description {
            data: Value::from(&json!({ "user": key })),
            // No header, and no query: an app may have put a secret there.
            handshake: Value::from(&json!({ "address": address, "url": request.uri.path() })),
        })
    }

    fn evict(&self, socket: SocketAddress<'_>, close: bool) -> bool {
        let Some(one) = self.socket(socket) else { return false };
        let has_login = Self::evict_one(&one);
        if close {
            let namespaces = self.io.nsps().into_iter();
            for other in namespaces.filter_map(|namespace| namespace.get_socket(one.id)) {
                Self::evict_one(&other);
            }
        }
        has_login
    }
}
