//! Sessions as files of one folder, by blocking calls.
//!
//! - What is no regular file (a link, a pipe, a folder) is not opened.
//! - A file is read up to a limit, so that no file fills the memory.
//! - What is changed is either a few digits in their place, or a whole file that takes the place of
//!   another which is still there: a session that its app has destroyed does not come back.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Result, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::expiry::Expiry;
use crate::SessionId;
use crate::store::{Life, StoredSession};

/// Four times what the reader of a record takes by default.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// The longest name that common file systems take.
const MAX_NAME: usize = 255;

/// The folder, and session-file-store's options.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) dir: PathBuf,
    /// `fileExtension`.
    pub(super) extension: String,
    /// `ttl`, for sessions without a `maxAge`.
    pub(super) ttl: Duration,
}

impl Files {
    /// The session's file. `None` for an id that is not the plain name of one.
    fn path(&self, sid: &SessionId) -> Option<PathBuf> {
        let sid = sid.as_str();
        let is_special =
            |c: char| c.is_control() || matches!(c, '/' | '\\') || (cfg!(windows) && c == ':');
        let is_name = !sid.is_empty()
            && !sid.starts_with('.')
            && !sid.contains(is_special)
            && sid.len() + self.extension.len() <= MAX_NAME;
        is_name.then(|| self.dir.join(format!("{sid}{}", self.extension)))
    }

    pub(super) fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>> {
        let Some(path) = self.path(sid) else { return Ok(None) };
        let Some(mut file) = open(&path, OpenOptions::new().read(true))? else { return Ok(None) };
        let mut payload = Vec::new();
        (&mut file).take(MAX_BYTES + 1).read_to_end(&mut payload)?;
        if payload.len() as u64 > MAX_BYTES {
            // Its reader shall not take the beginning for the whole: this is valid in no JSON.
            payload.push(0);
            return Ok(Some(StoredSession::new(payload, Life::Forever)));
        }
        let expiry = Expiry::read(&String::from_utf8_lossy(&payload), self.ttl);
        // What is no JSON object has no life, and its reader says so.
        let life = expiry.map_or(Life::Forever, |expiry| expiry.life());
        Ok(Some(StoredSession::new(payload, life)))
    }

    pub(super) fn destroy(&self, sid: &SessionId) -> Result<bool> {
        let Some(path) = self.path(sid) else { return Ok(false) };
        match std::fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes other digits over those of `__lastAccess`.
    ///
    /// A new file in the old one's place could bring back what Node replaced or removed since we read
    /// it; this reaches the file that was read, and no other.
    pub(super) fn touch(&self, sid: &SessionId, now: SystemTime, end: SystemTime) -> Result<bool> {
        let Some((mut file, _, expiry)) = self.open_living(sid, now)? else { return Ok(false) };
        if expiry.life() == Life::Forever {
            return Ok(true);
        }
        let (span, digits) =
            expiry.moved_to(end).ok_or_else(|| invalid("its last access is no date of today"))?;
        file.seek(SeekFrom::Start(span.start as u64))?;
        file.write_all(digits.as_bytes())?;
        Ok(true)
    }

    /// A living session's file, text and expiry.
    fn open_living(
        &self,
        sid: &SessionId,
        now: SystemTime,
    ) -> Result<Option<(File, String, Expiry)>> {
        let Some(path) = self.path(sid) else { return Ok(None) };
        let options = OpenOptions::new().read(true).write(true).clone();
        let Some(mut file) = open(&path, &options)? else { return Ok(None) };
        let mut text = String::new();
        (&mut file).take(MAX_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(invalid("the session has more than 4 MiB"));
        }
        let expiry =
            Expiry::read(&text, self.ttl).ok_or_else(|| invalid("it is no JSON object"))?;
        let is_alive = expiry.life().ended_at(now).is_none();
        Ok(is_alive.then_some((file, text, expiry)))
    }
}

/// `None` if there is nothing.
fn open(path: &Path, options: &OpenOptions) -> Result<Option<File>> {
    let opened = std::fs::symlink_metadata(path).and_then(|found| {
        if found.is_file() { options.open(path) } else { Err(invalid("it is no regular file")) }
    });
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}
