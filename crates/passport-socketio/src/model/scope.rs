//! What keeps one authorizer's rooms and orders apart from all others': its name, and a secret.
//!
//! The name is equal on all nodes. The secret is the cluster's, or a random one where none was given:
//! then nothing of this authorizer is known on another node, and no other authorizer has its rooms.

use express_session::SidHash;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{ConfigError, UserKey};

/// The names of the library's own rooms begin so.
pub(crate) const ROOM: &str = "passport:";
/// How many bytes of a room's name are shown: 128 bits can't be guessed.
const SHOWN: usize = 16;

pub(crate) struct Scope {
    authorizer: Box<str>,
    #[cfg(feature = "redis")]
    cluster: Box<str>,
    is_shared: bool,
    id: [u8; SHOWN],
    /// With the names in it, and no room yet.
    rooms: Hmac<Sha256>,
    #[cfg(feature = "redis")]
    orders: Hmac<Sha256>,
    /// What Node's servers call the rooms, once that is asked for.
    #[cfg(feature = "node-cluster")]
    pub(crate) aliases: std::sync::OnceLock<super::aliases::Aliases>,
}

/// What the builder was told.
pub(crate) struct ScopeSettings {
    pub(crate) authorizer: String,
    pub(crate) cluster: String,
    pub(crate) secret: Option<Vec<u8>>,
}

impl Default for ScopeSettings {
    fn default() -> Self {
        Self { authorizer: "main".into(), cluster: "passport-socketio".into(), secret: None }
    }
}

impl Scope {
    pub(crate) fn new(settings: ScopeSettings) -> Result<Self, ConfigError> {
        let ScopeSettings { authorizer, cluster, secret } = settings;
        // Channels are called `cluster:authorizer:orders`: no two pairs of names may give the same.
        if !is_name(&authorizer, "._-") {
            return Err(ConfigError::Name(authorizer));
        }
        if !is_name(&cluster, "._-:") {
            return Err(ConfigError::ClusterName(cluster));
        }
        let is_shared = secret.is_some();
        let secret = match secret {
            Some(secret) if secret.is_empty() => return Err(ConfigError::EmptyClusterSecret),
            Some(secret) => secret,
            None => {
                let mut random = vec![0; 32];
                getrandom::fill(&mut random).map_err(|_| ConfigError::NoRandomness)?;
                random
            }
        };
        let keyed = |purpose: &str| {
            let mac = Hmac::<Sha256>::new_from_slice(&secret);
            let mac = mac.map_err(|_| ConfigError::EmptyClusterSecret)?;
            let parts = [purpose, &cluster, &authorizer];
            Ok(parts.iter().fold(mac, |mac, part| mac.chain_update(part).chain_update([0])))
        };
        let rooms = keyed("passport-socketio rooms")?;
        Ok(Self {
            id: shown(keyed("passport-socketio id")?),
            #[cfg(feature = "redis")]
            orders: keyed("passport-socketio orders")?,
            rooms,
            authorizer: authorizer.into(),
            #[cfg(feature = "redis")]
            cluster: cluster.into(),
            is_shared,
            #[cfg(feature = "node-cluster")]
            aliases: std::sync::OnceLock::new(),
        })
    }

    pub(crate) fn user_room(&self, key: &UserKey) -> String {
        let room = self.room("user", key.as_json().as_bytes());
        #[cfg(feature = "node-cluster")]
        if let Some(aliases) = self.aliases.get() {
            aliases.user(&room, key);
        }
        room
    }

    /// By the session's hash, which is all that another node may know of it.
    pub(crate) fn session_room(&self, session: &SidHash) -> String {
        let room = self.room("session", session.as_bytes());
        #[cfg(feature = "node-cluster")]
        if let Some(aliases) = self.aliases.get() {
            aliases.session(&room, session);
        }
        room
    }

    fn room(&self, kind: &str, key: &[u8]) -> String {
        let mac = self.rooms.clone().chain_update(kind).chain_update([0]).chain_update(key);
        let mut room = String::with_capacity(ROOM.len() + 2 * SHOWN);
        room.push_str(ROOM);
        for byte in shown(mac) {
            for digit in [byte >> 4, byte & 15] {
                room.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        room
    }

    /// The same wherever name, cluster and secret are the same.
    pub(crate) fn id(&self) -> [u8; SHOWN] {
        self.id
    }

    /// What the nodes sign their messages with, if a secret was given.
    #[cfg(feature = "redis")]
    pub(crate) fn orders(&self) -> Option<&Hmac<Sha256>> {
        self.is_shared.then_some(&self.orders)
    }

    /// Where the nodes say it.
    #[cfg(feature = "redis")]
    pub(crate) fn channels(&self) -> String {
        format!("{}:{}", self.cluster, self.authorizer)
    }

    /// The authorizer's name.
    pub(crate) fn name(&self) -> &str {
        &self.authorizer
    }

    /// Whether another authorizer may have the same rooms: on another node, or by mistake here.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }
}

fn shown(mac: Hmac<Sha256>) -> [u8; SHOWN] {
    let mut shown = [0; SHOWN];
    shown.iter_mut().zip(mac.finalize().into_bytes()).for_each(|(shown, byte)| *shown = byte);
    shown
}

fn is_name(name: &str, also: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || also.contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(authorizer: &str, cluster: &str, secret: Option<&str>) -> Scope {
        let secret = secret.map(|secret| secret.as_bytes().to_vec());
        Scope::new(ScopeSettings { authorizer: authorizer.into(), cluster: cluster.into(), secret })
            .unwrap()
    }

    #[test]
    fn room_names_depend_on_cluster_authorizer_secret_and_key_only() {
        let room = |a, c, s| scope(a, c, s).user_room(&42.into());
        let ours = room("a", "c", Some("s"));
        assert_eq!(ours, room("a", "c", Some("s")));
        // openssl dgst -sha256 -hmac s, of passport-socketio rooms NUL c NUL a NUL user NUL 42
        assert_eq!(ours, "passport:2f2bc65a42a25bef979d53aa08ff39fe");
        let mut all = vec![
            ours,
            room("b", "c", Some("s")),
            room("a", "d", Some("s")),
            room("a", "c", Some("t")),
            room("ac", "c", Some("s")),
            room("a", "c", None),
            room("a", "c", None),
            scope("a", "c", Some("s")).user_room(&"42".into()),
            scope("a", "c", Some("s")).session_room(&SidHash::of("42")),
        ];
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "{all:?}");
    }

    #[test]
    fn ambiguous_names_of_authorizers_and_clusters_are_refused() {
        for name in ["", "a:b", "a b", "ä", "a\0", &"a".repeat(65)] {
            let settings = || ScopeSettings { secret: Some(b"s".to_vec()), ..Default::default() };
            let named = Scope::new(ScopeSettings { authorizer: name.into(), ..settings() });
            assert!(matches!(named, Err(ConfigError::Name(_))), "{name:?}");
            if name != "a:b" {
                let named = Scope::new(ScopeSettings { cluster: name.into(), ..settings() });
                assert!(matches!(named, Err(ConfigError::ClusterName(_))), "{name:?}");
            }
        }
        let settings = ScopeSettings { secret: Some(Vec::new()), ..Default::default() };
        assert!(matches!(Scope::new(settings), Err(ConfigError::EmptyClusterSecret)));
    }
}
