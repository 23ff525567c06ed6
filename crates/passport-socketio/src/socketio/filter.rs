//! The original's `filterSocketsByUser`.

use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::extract::SocketRef;
use socketioxide::operators::BroadcastOperators;

use super::logins::SocketLogins;

/// The sockets whose user `filter` accepts: on this node, over all namespaces, without guests.
///
/// Looks at every socket. For the sockets of one user, [`Live::user`](crate::Live::user) needs no
/// search.
///
/// ```
/// # struct User { gender: String }
/// # use socketioxide::SocketIo;
/// # let (_layer, io) = SocketIo::new_layer();
/// # io.ns("/", async || {});
/// use passport_socketio::filter_sockets_by_user;
///
/// for socket in filter_sockets_by_user(&io, |user: &User| user.gender == "female") {
///     socket.emit("messsage", "hello, woman!").ok();
/// }
/// ```
pub fn filter_sockets_by_user<U, A>(
    io: &SocketIo<A>,
    filter: impl Fn(&U) -> bool,
) -> Vec<SocketRef<A>>
where
    U: Send + Sync + 'static,
    A: Adapter,
{
    let namespaces = io.nsps().into_iter();
    namespaces
        .flat_map(BroadcastOperators::sockets)
        .filter(|socket| {
            SocketLogins::<U>::find(socket)
                .is_some_and(|logins| logins.is_live() && filter(logins.identity().user()))
        })
        .collect()
}
