//! What nodes say to each other: signed, and orders addressed to the nodes as they are at that moment.
//!
//! `hex(HMAC-SHA256(secret, channel NUL body)) "." body`, the body in JSON. User keys go as they are
//! (the sessions in the same Redis hold them); session ids go as hashes.

use std::fmt;

use express_session::SidHash;
use hmac::{Hmac, Mac as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::presence::{Acquaintance, Addressees};
use crate::model::UserKey;
use crate::operator::Revoked;

/// The name of a node, new with each process.
///
/// ```
/// # use passport_socketio::cluster::NodeId;
/// fn say(missing: &[NodeId]) {
///     println!("did not answer: {missing:?}");
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(Box<str>);

impl NodeId {
    pub(super) fn new() -> Self {
        Self(random().into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for NodeId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Escaped: it may have come from somebody else who writes to the same Redis.
        write!(f, "{}", self.0.escape_debug())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// 128 bits that nobody else has.
pub(super) fn random() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}

/// What every node is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    RevokeUser {
        user: Value,
    },
    /// By their hashes. Who asks destroys them.
    RevokeSessions {
        sha256: Vec<String>,
    },
    /// They are destroyed in the store, and were revoked.
    ForgetSessions {
        sha256: Vec<String>,
    },
    DisconnectUser {
        user: Value,
    },
    RefreshUser {
        user: Value,
    },
    Online,
}

impl Order {
    /// Its name, in logs and metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::RevokeUser { .. } => "revoke_user",
            Self::RevokeSessions { .. } => "revoke_sessions",
            Self::ForgetSessions { .. } => "forget_sessions",
            Self::DisconnectUser { .. } => "disconnect_user",
            Self::RefreshUser { .. } => "refresh_user",
            Self::Online => "online",
        }
    }
}

/// What a node did.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    Revoked {
        sockets: usize,
        sessions: usize,
        destroyed: usize,
        /// Which.
        sha256: Vec<String>,
    },
    Disconnected {
        sockets: usize,
    },
    Refreshed {
        kept: usize,
        ended: usize,
    },
    Users(Vec<Value>),
    /// It tried, and could not tell.
    Failed,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) from: NodeId,
    /// All others ignore it.
    pub(super) to: Addressees,
    pub(super) order: Order,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) id: String,
    pub(super) from: NodeId,
    pub(super) report: Report,
    /// The nodes that this one knows: who asks may never have heard of some.
    pub(super) knows: Vec<Acquaintance>,
}

/// Signs messages, and knows its own.
#[derive(Clone)]
pub(super) struct Seal(Hmac<Sha256>);

impl Seal {
    /// `key` has the cluster's secret, and the names of the cluster and of the authorizer.
    pub(super) fn new(key: Hmac<Sha256>) -> Self {
        Self(key)
    }

    pub(super) fn close(&self, channel: &str, message: &impl Serialize) -> Option<String> {
        Some(self.sign(channel, &serde_json::to_string(message).ok()?))
    }

    pub(super) fn sign(&self, channel: &str, body: &str) -> String {
        let mac = self.mac(channel, body).finalize().into_bytes();
        let hex = mac.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        format!("{hex}.{body}")
    }

    /// `None` for what was not signed so, or is not understood.
    pub(super) fn open<T: DeserializeOwned>(&self, channel: &str, sealed: &str) -> Option<T> {
        let (hex, body) = sealed.split_once('.')?;
        let mac = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
            .collect::<Option<Vec<u8>>>()?;
        self.mac(channel, body).verify_slice(&mac).ok()?;
        serde_json::from_str(body).ok()
    }

    fn mac(&self, channel: &str, body: &str) -> Hmac<Sha256> {
        self.0.clone().chain_update(channel).chain_update([0]).chain_update(body)
    }
}

impl Report {
    pub(super) fn revoked(revoked: &Revoked, which: &[SidHash]) -> Self {
        let &Revoked { sockets, sessions, destroyed } = revoked;
        Self::Revoked { sockets, sessions, destroyed, sha256: to_hex(which) }
    }
}

/// A user key on its way.
pub(super) fn to_value(key: &UserKey) -> Value {
    serde_json::from_str(key.as_json()).unwrap_or_default()
}

pub(super) fn to_hex(hashes: &[SidHash]) -> Vec<String> {
    hashes.iter().map(SidHash::to_hex).collect()
}

pub(super) fn to_hashes(sha256: &[String]) -> Option<Vec<SidHash>> {
    sha256.iter().map(|hex| SidHash::from_hex(hex)).collect()
}

#[cfg(test)]
mod tests {
    use hmac::KeyInit as _;

    use super::*;

    #[test]
    fn a_message_opens_only_with_its_secret_and_on_its_channel() {
        let seal = |key: &[u8]| Seal::new(Hmac::new_from_slice(key).unwrap());
        let (ours, others) = (seal(b"ours"), seal(b"others"));
        let order = Order::RevokeUser { user: 42.into() };
        let sealed = ours.close("control", &order).unwrap();
        assert!(matches!(
            ours.open("control", &sealed),
            Some(Order::RevokeUser { user }) if user == 42
        ));
        assert!(ours.open::<Order>("answers", &sealed).is_none());
        assert!(others.open::<Order>("control", &sealed).is_none());
        let body = sealed.split_once('.').unwrap().1;
        for forged in ["", ".", "x", "0.{}", "zz.{}", "é.{}", body, &sealed.replace("42", "43")] {
            assert!(ours.open::<Order>("control", forged).is_none(), "{forged}");
        }
    }
}
