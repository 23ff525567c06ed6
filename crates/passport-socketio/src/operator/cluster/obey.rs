//! What this node does when another one's operator orders it.

use socketioxide::adapter::Adapter;

use super::message::{Order, Report, to_hashes, to_value};
use crate::model::UserKey;
use crate::operator::{Live, Revoked, revoke};

/// What another node's operator wants of this one. `None` if it could not tell.
pub(super) async fn obey<U, A>(live: &Live<U, A>, order: Order) -> Option<Report>
where
    U: Send + Sync + 'static,
    A: Adapter,
{
    Some(match order {
        Order::RevokeUser { user } => {
            let (revoked, which) = revoke::user(live.lookup(), &UserKey::from(user)).await;
            Report::revoked(&revoked, &which)
        }
        Order::RevokeSessions { sha256 } => {
            let hashes = to_hashes(&sha256)?;
            Report::revoked(&revoke::sessions_of_another_node(live.lookup(), &hashes), &[])
        }
        Order::ForgetSessions { sha256 } => {
            revoke::are_destroyed(live.lookup(), &to_hashes(&sha256)?);
            Report::revoked(&Revoked::default(), &[])
        }
        Order::DisconnectUser { user } => {
            Report::Disconnected { sockets: live.disconnect_user(UserKey::from(user)) }
        }
        Order::RefreshUser { user } => {
            let refreshed = live.refresh_user(UserKey::from(user)).await.ok()?;
            Report::Refreshed { kept: refreshed.kept.len(), ended: refreshed.ended }
        }
        Order::Online => Report::Users(live.online().iter().map(to_value).collect()),
    })
}
