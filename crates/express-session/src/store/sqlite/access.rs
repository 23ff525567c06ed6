//! Whether opening a database would leave files behind that its app may not write.
//!
//! A database in WAL mode is two files more while it is open, `-wal` and `-shm`. Whichever process
//! opens it first makes them, as its own files with the database's mode, and the last one removes
//! them, if it may write the database. Made by another user than the app's they can be such that the
//! app may not write them: then each login fails, also after this process has ended.
//!
//! (SQLite gives them to the database's owner where this process is root.)

use std::path::Path;

use rusqlite::ffi::ErrorCode;

use crate::store::StoreError;

/// Why a database is not opened, and what can be done.
const REFUSED: &str = "the database is in WAL mode and its app does not run: opening it would leave \
    files (-wal, -shm) that the app may not write, or can't make them in this folder; run this as \
    the app's user, or start the app first";

/// Refuses a database that opening would spoil for its app.
pub(super) fn check(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    if unix::spoils(path).unwrap_or(false) {
        return Err(refused());
    }
    let _ = path;
    Ok(())
}

/// SQLite's error, in words where it has none: it can't make the files itself.
pub(super) fn told(operation: &'static str, error: rusqlite::Error) -> StoreError {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    match (error.sqlite_error_code(), extended) {
        // SQLITE_READONLY_DIRECTORY and SQLITE_READONLY_CANTINIT.
        (Some(ErrorCode::ReadOnly), Some(1544 | 1288)) => refused(),
        // SQLite has no code of its own for it.
        _ if error.to_string().starts_with("no such table") => {
            StoreError::new(operation, error).no_table()
        }
        _ => StoreError::new(operation, error),
    }
}

/// There is no such file.
pub(super) fn check_is_there(path: &Path) -> Result<(), StoreError> {
    match path.try_exists() {
        Ok(false) => {
            let named = format!("the database {} is not there", path.display());
            Err(StoreError::message(named).no_file())
        }
        // Anything else is for SQLite to tell.
        Ok(true) | Err(_) => Ok(()),
    }
}

fn refused() -> StoreError {
    StoreError::new("opening the database", REFUSED)
}

#[cfg(unix)]
mod unix {
    use std::collections::HashMap;
    use std::collections::hash_map::Entry;
    use std::ffi::OsString;
    use std::fs::{File, Metadata};
    use std::io::Result;
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, PoisonError};

    /// The byte of the header that says how the database is read.
    const READ_VERSION_AT: u64 = 19;
    const WAL: u8 = 2;

    /// An error is for SQLite to tell.
    pub(super) fn spoils(path: &Path) -> Result<bool> {
        // SQLite follows links, too.
        let path = path.canonicalize()?;
        let database = path.metadata()?;
        let folder = path.parent().unwrap_or(Path::new("/")).metadata()?;
        let are_there = ["-wal", "-shm"].iter().all(|ending| beside(&path, ending).exists());
        if are_there || app_can_write_ours(&database, &folder) {
            return Ok(false);
        }
        is_wal(&path, &database)
    }

    /// Whether the app, as whose user the database's owner counts, may write a file that we make
    /// with the database's mode.
    fn app_can_write_ours(database: &Metadata, folder: &Metadata) -> bool {
        const GROUP_MAY_WRITE: u32 = 0o020;
        const ALL_MAY_WRITE: u32 = 0o002;
        const SET_GROUP: u32 = 0o2000;
        let user = rustix::process::geteuid();
        let inherits = folder.mode() & SET_GROUP != 0;
        let group = if inherits { folder.gid() } else { rustix::process::getegid().as_raw() };
        user.is_root()
            || user.as_raw() == database.uid()
            || database.mode() & ALL_MAY_WRITE != 0
            || (database.mode() & GROUP_MAY_WRITE != 0 && group == database.gid())
    }

    fn beside(path: &Path, ending: &str) -> PathBuf {
        let mut name = OsString::from(path);
        name.push(ending);
        name.into()
    }

    /// Whoever closes a file takes all locks of its process on it along, SQLite's included: what is
    /// opened here stays open.
    fn is_wal(path: &Path, database: &Metadata) -> Result<bool> {
        static OPEN: Mutex<Option<HashMap<(u64, u64), File>>> = Mutex::new(None);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.get_or_insert_default();
        let file = match open.entry((database.dev(), database.ino())) {
            Entry::Occupied(file) => file.into_mut(),
            Entry::Vacant(place) => place.insert(File::open(path)?),
        };
        let mut version = [0];
        file.read_exact_at(&mut version, READ_VERSION_AT)?;
        Ok(version == [WAL])
    }
}
