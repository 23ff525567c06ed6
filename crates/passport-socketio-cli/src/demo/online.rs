//! Who is online in a namespace, on this node.

use std::collections::BTreeMap;

use passport_socketio::MaybeAuth;
use serde::Serialize;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;

use super::user::DemoUser;

/// The payload of `online`.
#[derive(Debug, Serialize)]
pub(super) struct Online {
    users: Vec<Present>,
    guests: usize,
}

/// A user and how many tabs they have open.
#[derive(Debug, Serialize)]
struct Present {
    user: DemoUser,
    tabs: usize,
}

impl Online {
    /// Counted afresh each time: the sockets are the truth, and a demo has few.
    pub(super) fn among<A: Adapter>(sockets: &[SocketRef<A>]) -> Self {
        let mut users = BTreeMap::<String, Present>::new();
        let mut guests = 0;
        for socket in sockets.iter().filter(|socket| socket.connected()) {
            match MaybeAuth::<DemoUser>::of(socket).identity() {
                Some(identity) => {
                    let present = users.entry(identity.user_key().as_json().to_owned());
                    let user = identity.user().public();
                    present.or_insert(Present { user, tabs: 0 }).tabs += 1;
                }
                None => guests += 1,
            }
        }
        Self { users: users.into_values().collect(), guests }
    }
}
