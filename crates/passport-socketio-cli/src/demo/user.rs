//! The users of the demo.

use express_session::SidHash;
use passport_socketio::UserKey;
use serde::Serialize;
use serde_json::Value;

/// A user of the demo's own, or somebody of whom only the session's user key is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum DemoUser {
    /// A row of the demo's own table.
    Own(&'static Row),
    /// Whoever your app logged in.
    Foreign {
        /// The session's user key, whatever JSON it is.
        id: Value,
    },
}

impl DemoUser {
    /// As others may see it. An app may serialize whole users, with mail addresses or tokens: of
    /// such a key the others see a hash.
    pub(crate) fn public(&self) -> Self {
        match self {
            Self::Foreign { id: id @ (Value::Object(_) | Value::Array(_)) } => {
                let hash = SidHash::of(UserKey::from(id.clone()).as_json());
                Self::Foreign { id: format!("#{}", hash.short()).into() }
            }
            user => user.clone(),
        }
    }
}

/// A user of the demo's own.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) name: &'static str,
    pub(crate) gender: &'static str,
}

/// The demo's own table.
pub(crate) const ROWS: &[Row] = &[
    Row { id: 42, name: "Ann", gender: "female" },
    Row { id: 7, name: "Bob", gender: "male" },
    Row { id: 0, name: "Zoë", gender: "female" },
];

/// How a user key becomes a user.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Users {
    Own,
    Foreign,
}

impl Users {
    pub(crate) fn find(self, key: Value) -> Option<DemoUser> {
        match self {
            Self::Own => row(key.as_i64()?).map(DemoUser::Own),
            Self::Foreign => Some(DemoUser::Foreign { id: key }),
        }
    }
}

pub(crate) fn row(id: i64) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.id == id)
}
