//! A session's record, and what was made of it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use express_session::{CorruptRecord, SessionRecord};
use serde_json::Value;

use super::UserKey;

/// A record, and what its source and its authorizer make of it, which is the same each time.
pub(crate) struct Reading {
    record: SessionRecord,
    /// The bytes that it was read from, where its source made others of them.
    payload: Option<Box<[u8]>>,
    expiry: OnceLock<Option<SystemTime>>,
    user: OnceLock<Result<Option<SessionUser>, CorruptRecord>>,
}

/// Who is logged in.
#[derive(Clone)]
pub(crate) struct SessionUser {
    pub(crate) value: Arc<Value>,
    pub(crate) key: UserKey,
}

impl Reading {
    pub(crate) fn new(record: SessionRecord, payload: &[u8]) -> Self {
        let is_the_same = record.json().as_bytes() == payload;
        let payload = (!is_the_same).then(|| payload.into());
        Self { record, payload, expiry: OnceLock::new(), user: OnceLock::new() }
    }

    pub(crate) fn record(&self) -> &SessionRecord {
        &self.record
    }

    pub(crate) fn is_of(&self, payload: &[u8]) -> bool {
        self.payload.as_deref().unwrap_or(self.record.json().as_bytes()) == payload
    }

    /// What the source says of its expiry.
    pub(crate) fn expiry<E>(
        &self,
        ask: impl FnOnce(&SessionRecord) -> Result<Option<SystemTime>, E>,
    ) -> Result<Option<SystemTime>, E> {
        if let Some(expiry) = self.expiry.get() {
            return Ok(*expiry);
        }
        let expiry = ask(&self.record)?;
        Ok(*self.expiry.get_or_init(|| expiry))
    }

    /// The user at `pointer`, which is one for all readings of an authorizer.
    pub(crate) fn user(
        &self,
        pointer: &str,
        is_user: impl FnOnce(&Value) -> bool,
    ) -> Result<Option<SessionUser>, CorruptRecord> {
        let read = || {
            let value = self.record.pointer(pointer)?.filter(is_user);
            Ok(value.map(|value| SessionUser {
                key: UserKey::from(value.clone()),
                value: Arc::new(value),
            }))
        };
        self.user.get_or_init(read).clone()
    }
}

/// Says how large the record is, never what it holds.
impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.record.fmt(f)
    }
}
