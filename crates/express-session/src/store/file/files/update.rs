//! Another session in the place of one that is there, where the system can exchange two files at once.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Result, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{Expiry, Files, invalid};
use crate::SessionId;
use crate::store::Life;

/// How often it starts anew because Node was faster.
const ATTEMPTS: usize = 5;

impl Files {
    /// Replaces the session's JSON; it ends when it would have ended before.
    pub(in crate::store::file) fn update(
        &self,
        sid: &SessionId,
        json: &str,
        now: SystemTime,
    ) -> Result<bool> {
        let Some(path) = self.path(sid) else { return Ok(false) };
        let expiry = Expiry::read(json, self.ttl).ok_or_else(|| invalid("it is no JSON object"))?;
        for _ in 0..ATTEMPTS {
            let Some((file, _, old)) = self.open_living(sid, now)? else { return Ok(false) };
            let json = match old.life() {
                Life::Until(end) => expiry.written_to(json, end),
                _ => Some(json.to_owned()),
            };
            let json = json.ok_or_else(|| invalid("its maxAge is no number"))?;
            let old = file.metadata()?;
            let new = Temporary::new(&self.dir, &json, &old)?;
            match new.exchange_with(&path, &old)? {
                Exchange::Done => return Ok(true),
                Exchange::Gone => return Ok(false),
                Exchange::TooLate => {}
            }
        }
        Err(invalid("others change it all the time"))
    }
}

enum Exchange {
    Done,
    /// There was nothing any more.
    Gone,
    /// There was another file than the one that was read, and there is again.
    TooLate,
}

/// A file that is removed, whatever it is then.
struct Temporary(PathBuf);

impl Temporary {
    /// With the mode and the owner of the file that it is to replace.
    fn new(dir: &Path, text: &str, like: &Metadata) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        // Its name has no part of the id, and not the extension by which Node knows sessions.
        let path = dir.join(format!(".update-{}-{next}.tmp", std::process::id()));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let temporary = Self(path);
        fill(&mut file, text, like)?;
        Ok(temporary)
    }

    fn exchange_with(&self, path: &Path, expected: &Metadata) -> Result<Exchange> {
        let exchange = || match renameat_with(CWD, &self.0, CWD, path, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        };
        if !exchange()? {
            return Ok(Exchange::Gone);
        }
        let replaced = std::fs::symlink_metadata(&self.0)?;
        if (replaced.dev(), replaced.ino()) == (expected.dev(), expected.ino()) {
            return Ok(Exchange::Done);
        }
        // Node saved a newer one: it belongs back, unless it has been destroyed meanwhile.
        exchange().map(|is_back| if is_back { Exchange::TooLate } else { Exchange::Gone })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn fill(file: &mut File, text: &str, like: &Metadata) -> Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
        fchown(&*file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(like.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
