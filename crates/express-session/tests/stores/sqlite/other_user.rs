//! A database in WAL mode, of an app that runs as another user.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use express_session::store::sqlite::SqliteStore;
use testkit::ScratchDir;

const APP: u32 = 65_533;
const OURS: u32 = 65_534;

/// Whether this process may act as other users; says so where it may not.
fn may_switch() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let skipped = b"SKIPPED: only root can act as two users\n";
        std::io::stderr().write_all(skipped).unwrap();
    }
    is_root
}

/// Runs this as another user, on a thread of its own.
fn as_user<T: Send>(id: u32, run: impl FnOnce() -> T + Send) -> T {
    let as_id = move || {
        let (user, group) = (Uid::from_raw(id), Gid::from_raw(id));
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(group, group, group).unwrap();
        set_thread_res_uid(user, user, user).unwrap();
        run()
    };
    std::thread::scope(|scope| scope.spawn(as_id).join().unwrap())
}

fn open(path: &Path) -> Result<SqliteStore, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let opened = runtime.block_on(SqliteStore::open(path));
    opened.map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    })
}

/// What a login of the app does.
fn log_in(path: &Path) -> rusqlite::Result<usize> {
    as_user(APP, || {
        let db = rusqlite::Connection::open(path)?;
        db.execute("INSERT INTO sessions VALUES (hex(randomblob(8)), 9e15, '{}')", [])
    })
}

struct App {
    dir: ScratchDir,
    path: PathBuf,
}

impl App {
    fn new(folder: u32, database: u32) -> Self {
        let dir = ScratchDir::new();
        chown(&*dir, Some(APP), Some(APP)).unwrap();
        std::fs::set_permissions(&*dir, Permissions::from_mode(0o777)).unwrap();
        let path = dir.join("sessions");
        as_user(APP, || {
            let db = rusqlite::Connection::open(&path).unwrap();
            db.execute_batch("PRAGMA journal_mode = wal").unwrap();
            db.execute_batch("CREATE TABLE sessions (sid PRIMARY KEY, expired, sess)").unwrap();
        });
        std::fs::set_permissions(&path, Permissions::from_mode(database)).unwrap();
        std::fs::set_permissions(&*dir, Permissions::from_mode(folder)).unwrap();
        Self { dir, path }
    }

    fn files(&self) -> Vec<(String, u32)> {
        let mut files: Vec<_> = std::fs::read_dir(&*self.dir)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().uid())
            })
            .collect();
        files.sort();
        files
    }
}

#[test]
fn a_stopped_apps_wal_database_is_refused_and_left_as_it_was() {
    if !may_switch() {
        return;
    }
    for folder in [0o777, 0o755] {
        let app = App::new(folder, 0o644);
        let before = app.files();
        let refused = as_user(OURS, || open(&app.path)).unwrap_err();
        assert!(refused.contains("run this as the app's user"), "{refused}");
        assert_eq!(app.files(), before);
        log_in(&app.path).unwrap();
    }
}

#[test]
fn a_running_apps_wal_database_is_read_by_another_user() {
    if !may_switch() {
        return;
    }
    let app = App::new(0o777, 0o644);
    let running = as_user(APP, || {
        let db = rusqlite::Connection::open(&app.path).unwrap();
        db.execute("INSERT INTO sessions VALUES ('sid', 9e15, '{}')", []).unwrap();
        db
    });
    drop(as_user(OURS, || open(&app.path)).unwrap());
    log_in(&app.path).unwrap();
    drop(running);
    assert!(app.files().iter().all(|(_, owner)| *owner == APP), "{:?}", app.files());
    log_in(&app.path).unwrap();
}

#[test]
fn a_wal_database_with_writable_files_is_opened() {
    if !may_switch() {
        return;
    }
    // Everyone may write it; and root gives what it makes to the database's owner.
    for (user, mode) in [(OURS, 0o666), (APP, 0o644), (0, 0o644)] {
        let app = App::new(0o777, mode);
        drop(as_user(user, || open(&app.path)).unwrap());
        log_in(&app.path).unwrap();
        let store = as_user(user, || open(&app.path)).unwrap();
        log_in(&app.path).unwrap();
        drop(store);
    }
}

#[test]
fn a_folder_that_is_read_only_is_named_instead_of_a_code() {
    if !may_switch() {
        return;
    }
    let app = App::new(0o555, 0o644);
    let refused = as_user(APP, || open(&app.path)).unwrap_err();
    assert!(refused.contains("can't make them in this folder"), "{refused}");
}
