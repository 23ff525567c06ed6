//! Which authorizers serve on a server of socketioxide: no two of them may have the same rooms.
//!
//! Two with one name and one cluster secret would be mistaken for each other: what is sent to user 42
//! of one reaches the other's. On different servers they are nodes of one cluster, and should be.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socketioxide::SocketIo;
use socketioxide::adapter::{Adapter, LocalAdapter};

use crate::model::{ConfigError, Scope};

/// By the server and the scope's id: whose it is, and how many claims it has.
static CLAIMS: Mutex<BTreeMap<Key, (usize, usize)>> = Mutex::new(BTreeMap::new());

type Key = (usize, [u8; 16]);

/// This authorizer's rooms on a server. Must not outlive the server, whose address is its name.
pub(crate) struct Claim {
    key: Key,
    _scope: Arc<Scope>,
}

impl Claim {
    /// `None` where the rooms can't be another's.
    ///
    /// # Errors
    /// [`ConfigError`] where another authorizer at this server has them, or where they would differ from
    /// node to node and the adapter reaches other nodes.
    pub(crate) fn on<A: Adapter>(
        io: &SocketIo<A>,
        scope: &Arc<Scope>,
    ) -> Result<Option<Self>, ConfigError> {
        if !rooms_fit::<A>(scope) {
            return Err(ConfigError::AdapterNeedsClusterSecret);
        }
        if !scope.is_shared() {
            return Ok(None);
        }
        let key = (ptr::from_ref(io.config()).addr(), scope.id());
        let this = Arc::as_ptr(scope).addr();
        match claims().entry(key) {
            Entry::Vacant(entry) => {
                entry.insert((this, 1));
            }
            Entry::Occupied(mut entry) if entry.get().0 == this => entry.get_mut().1 += 1,
            Entry::Occupied(_) => return Err(ConfigError::NameTaken(scope.name().to_owned())),
        }
        Ok(Some(Self { key, _scope: scope.clone() }))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = claims().entry(self.key) {
            entry.get_mut().1 -= 1;
            if entry.get().1 == 0 {
                entry.remove();
            }
        }
    }
}

/// Whether the rooms have the same names on every node that the adapter reaches.
fn rooms_fit<A: Adapter>(scope: &Scope) -> bool {
    scope.is_shared() || TypeId::of::<A>() == TypeId::of::<LocalAdapter>()
}

/// No code that holds the lock can panic, so a poisoned one is whole.
fn claims() -> MutexGuard<'static, BTreeMap<Key, (usize, usize)>> {
    CLAIMS.lock().unwrap_or_else(PoisonError::into_inner)
}
