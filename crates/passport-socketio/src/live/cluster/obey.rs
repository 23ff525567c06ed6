//! What this node does when another one's operator orders it.

use express_session::SidHash;
use socketioxide::adapter::Adapter;

use super::message::{Order, Report, to_hashes, to_value};
use crate::live::revoke::after_late_writers;
use crate::live::{Live, Revoked};
use crate::model::{EndReason, UserKey};

impl<U: Send + Sync + 'static, A: Adapter> Live<U, A> {
    /// What another node's operator wants of this one. `None` if it could not tell.
    pub(super) async fn obey(&self, order: Order) -> Option<Report> {
        Some(match order {
            Order::RevokeUser { user } => {
                let (revoked, which) = self.revoke_user_here(&UserKey::from(user)).await;
                Report::revoked(&revoked, &which)
            }
            Order::RevokeSessions { sha256 } => {
                Report::revoked(&self.refuse_sessions(&to_hashes(&sha256)?), &[])
            }
            Order::ForgetSessions { sha256 } => {
                for hash in to_hashes(&sha256)? {
                    self.registry().deny_hash(hash, Some(after_late_writers()));
                }
                Report::revoked(&Revoked::default(), &[])
            }
            Order::DisconnectUser { user } => {
                Report::Disconnected { sockets: self.disconnect_user(UserKey::from(user)) }
            }
            Order::RefreshUser { user } => {
                let refreshed = self.refresh_user(UserKey::from(user)).await.ok()?;
                Report::Refreshed { kept: refreshed.kept.len(), ended: refreshed.ended }
            }
            Order::Online => Report::Users(self.online().iter().map(to_value).collect()),
        })
    }

    /// Refuses sessions that another node revokes, and destroys.
    pub(super) fn refuse_sessions(&self, hashes: &[SidHash]) -> Revoked {
        let mut sockets = 0;
        for hash in hashes {
            self.registry().deny_hash(*hash, None);
            let sid = self.registry().by_hash(hash);
            let ended = sid.map_or(0, |sid| self.registry().end_session(&sid, EndReason::Revoked));
            self.observer().obeyed_revocation(*hash, ended);
            sockets += ended;
        }
        Revoked { sockets, ..Revoked::default() }
    }
}
