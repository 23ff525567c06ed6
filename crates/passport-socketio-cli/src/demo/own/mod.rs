//! The demo's own house: its users, its sessions in `demo.db`, a page to log in.

mod pages;
mod sessions;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::House;
use super::user::Users;
use crate::Failed;
use crate::args::DemoArgs;
use sessions::Sessions;

const DATABASE: &str = "demo.db";
const SECRET: &str = "demo.secret";

/// The house in the working directory, or in memory for `--store memory:`.
pub(super) async fn open(args: &DemoArgs) -> Result<House, Failed> {
    let in_memory = args.store.is_some();
    let secrets = match args.sessions.secrets.as_slice() {
        [] if in_memory => vec![random_secret()?],
        [] => vec![kept_secret(Path::new(SECRET))?],
        given => given.to_vec(),
    };
    let sessions = if in_memory {
        Sessions::in_memory(args.sessions.cookie_name(), &secrets)?
    } else {
        private(Path::new(DATABASE))?;
        Sessions::in_sqlite(DATABASE, args.sessions.cookie_name(), &secrets).await?
    };
    Ok(House {
        store: Some(sessions.store()),
        secrets,
        users: Users::Own,
        pages: Box::new(|end_session| pages::router(sessions, end_session)),
    })
}

/// The secret of the last time, or a new one: sessions outlive a restart.
fn kept_secret(path: &Path) -> Result<String, Failed> {
    match fs::read_to_string(path) {
        Ok(secret) if !secret.trim().is_empty() => Ok(secret.trim().to_owned()),
        Ok(_) => {
            Err(format!("{} is empty: delete it, and a new one is made", path.display()).into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = random_secret()?;
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            writeln!(file, "{secret}")?;
            Ok(secret)
        }
        Err(error) => Err(format!("can't read {}: {error}", path.display()).into()),
    }
}

/// Makes the database's file before SQLite does: readable for its owner only. The files that SQLite
/// adds to it get the same mode.
fn private(path: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    Ok(())
}

fn random_secret() -> Result<String, getrandom::Error> {
    sessions::random_text()
}
