//! session-file-store's layout.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use express_session::store::file::FileStore;
use express_session::store::{
    DestroySession as _, Life, SessionStore as _, StoreError, StoredSession, TouchSession as _,
};
use express_session::{CorruptRecord, RecordLimits, SessionRecord};
use serde_json::{Value, json};
use testkit::ScratchDir;
use testkit::conformance::{self, Limits, Payload, Subject};

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Debug)]
struct Files {
    store: FileStore,
    dir: ScratchDir,
}

impl Files {
    async fn new() -> Self {
        let dir = ScratchDir::new();
        Self { store: FileStore::open(&*dir).await.unwrap(), dir }
    }

    fn path(&self, sid: &str) -> PathBuf {
        self.dir.join(format!("{sid}.json"))
    }

    fn write(&self, sid: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(sid), text).unwrap();
    }

    async fn load(&self, sid: &str) -> Result<Option<StoredSession>, StoreError> {
        self.store.load(&sid.into()).await
    }

    async fn life(&self, sid: &str) -> Life {
        self.load(sid).await.unwrap().unwrap().life()
    }

    /// Nothing but the sessions.
    fn names(&self) -> Vec<String> {
        names(&self.dir)
    }
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

fn millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap(),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap(),
    }
}

fn session(expires: SystemTime) -> String {
    let last_access = millis(expires) - 60_000;
    json!({ "cookie": { "originalMaxAge": 60_000 }, "__lastAccess": last_access }).to_string()
}

#[async_trait]
impl Subject for Files {
    type Store = FileStore;

    fn store(&self) -> &FileStore {
        &self.store
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        let mut session: Value = serde_json::from_slice(json).unwrap();
        let max_age = session.pointer("/cookie/originalMaxAge").and_then(Value::as_i64);
        let last_access = millis(expires) - max_age.unwrap_or(3_600_000);
        session.as_object_mut().unwrap().insert("__lastAccess".to_owned(), last_access.into());
        self.write(sid, session.to_string());
    }

    fn limits(&self) -> Limits {
        Limits {
            payload: Payload::JsonValue,
            own_members: &["__lastAccess"],
            max_sid: 250,
            any_sid: false,
            ..Limits::default()
        }
    }
}

#[tokio::test]
async fn the_file_store_passes_the_conformance_suite() {
    let files = Files::new().await;
    conformance::run(&files).await;
    assert!(files.names().iter().all(|name| !name.starts_with('.')), "nothing else is left");
}

#[tokio::test]
async fn a_file_session_lives_for_max_age_or_ttl_after_its_last_access() {
    let dir = ScratchDir::new();
    fs::write(
        dir.join("brief.session"),
        r#"{"cookie":{"originalMaxAge":1000},"__lastAccess":5000}"#,
    )
    .unwrap();
    fs::write(dir.join("other.session"), r#"{"cookie":{},"__lastAccess":5000}"#).unwrap();
    let url = format!("file:{}?ttl=60&fileExtension=.session", dir.display());
    let store = FileStore::open_url(&url).await.unwrap();
    for (sid, end_ms) in [("brief", 6001), ("other", 65_001)] {
        let life = store.load(&sid.into()).await.unwrap().unwrap().life();
        assert_eq!(life, Life::Until(UNIX_EPOCH + Duration::from_millis(end_ms)), "{sid}");
    }
}

#[tokio::test]
async fn no_session_id_reaches_a_file_outside_the_folder() {
    let outer = ScratchDir::new();
    let dir = outer.join("sessions");
    fs::create_dir_all(dir.join("inner")).unwrap();
    let living = session(SystemTime::now() + HOUR);
    for path in
        ["outside.json", "sessions/.json", "sessions/.hidden.json", "sessions/inner/in.json"]
    {
        fs::write(outer.join(path), &living).unwrap();
    }
    let store = FileStore::open(&dir).await.unwrap();
    let absolute = outer.join("outside").display().to_string();
    let long = "x".repeat(251);
    for bad in [
        "../outside",
        "..\\outside",
        "inner/in",
        "inner/../../outside",
        &absolute,
        "",
        ".",
        "..",
        ".hidden",
        "a\0b",
        "a\nb",
        &long,
    ] {
        let sid = bad.into();
        assert!(store.load(&sid).await.unwrap().is_none(), "{bad:?}");
        assert!(!store.touch(&sid, HOUR).await.unwrap(), "{bad:?}");
        assert!(!store.destroy(&sid).await.unwrap(), "{bad:?}");
    }
    assert_eq!(fs::read_to_string(outer.join("outside.json")).unwrap(), living);
    assert_eq!(names(&dir), [".hidden.json", ".json", "inner"]);
}

#[tokio::test]
async fn a_path_that_is_no_regular_file_is_an_error() {
    let files = Files::new().await;
    let elsewhere = ScratchDir::new();
    fs::write(elsewhere.join("other"), session(SystemTime::now() + HOUR)).unwrap();
    symlink(elsewhere.join("other"), files.path("link")).unwrap();
    symlink("/nowhere", files.path("dangling")).unwrap();
    fs::create_dir(files.path("folder")).unwrap();
    // Opened, it would wait for a writer.
    let pipe = std::process::Command::new("mkfifo").arg(files.path("pipe")).status();
    assert!(pipe.unwrap().success());
    for sid in ["link", "dangling", "folder", "pipe"] {
        assert!(files.load(sid).await.is_err(), "{sid}");
        assert!(files.store.touch(&sid.into(), HOUR).await.is_err(), "{sid}");
    }
    assert!(files.store.load_many(&["nobody".into(), "link".into()]).await.is_err());
}

#[tokio::test]
async fn a_file_that_is_too_large_or_no_json_is_corrupt_and_unchanged() {
    let files = Files::new().await;
    let living = session(SystemTime::now() + HOUR);
    files.write("large", format!("{living}{}", " ".repeat(100 * 1024 * 1024)));
    files.write("torn", &living[..living.len() / 2]);
    files.write("empty", "");
    files.write("list", "[]");
    let read = async |sid: &str, limits: &RecordLimits| {
        let session = files.load(sid).await.unwrap().unwrap();
        assert!(session.payload().len() <= 4 * 1024 * 1024 + 2, "{sid} is not read whole");
        SessionRecord::parse(session.payload(), limits)
    };
    let limits = RecordLimits::default();
    assert!(matches!(read("large", &limits).await, Err(CorruptRecord::TooLarge { .. })));
    let no_limits = RecordLimits { max_bytes: usize::MAX, ..limits };
    assert!(read("large", &no_limits).await.is_err(), "its beginning is not taken for the whole");
    for sid in ["torn", "empty", "list"] {
        assert!(read(sid, &limits).await.is_err(), "{sid}");
    }
    for sid in ["large", "torn", "empty", "list"] {
        let size = fs::metadata(files.path(sid)).unwrap().len();
        assert!(files.store.touch(&sid.into(), HOUR).await.is_err(), "{sid}");
        assert_eq!(fs::metadata(files.path(sid)).unwrap().len(), size, "{sid}");
    }
}

#[tokio::test]
async fn a_touch_writes_the_last_access_and_nothing_else() {
    let files = Files::new().await;
    let text =
        r#"{"cookie":{"originalMaxAge":60000,"expires":"x"},"__lastAccess":1795401605979,"é":[1]}"#;
    let ms = millis(SystemTime::now() - Duration::from_secs(10)).to_string();
    files.write("sid", text.replace("1795401605979", &ms));
    let before = fs::metadata(files.path("sid")).unwrap();
    let touched = SystemTime::now();
    assert!(files.store.touch(&"sid".into(), HOUR).await.unwrap());
    let Life::Until(end) = files.life("sid").await else { panic!("it ends") };
    assert!(end.duration_since(touched + HOUR).unwrap_or_default() < Duration::from_secs(5));

    let after = fs::metadata(files.path("sid")).unwrap();
    assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
    let now: Value = serde_json::from_str(&fs::read_to_string(files.path("sid")).unwrap()).unwrap();
    let last_access = millis(end) - 60_001;
    assert_eq!(now["__lastAccess"], last_access);
    assert_eq!(
        fs::read_to_string(files.path("sid")).unwrap(),
        text.replace("1795401605979", &last_access.to_string()),
    );
}

#[tokio::test]
async fn a_touch_does_not_change_a_session_that_never_ends() {
    let files = Files::new().await;
    files.write("sid", r#"{"cookie":{}}"#);
    assert_eq!(files.life("sid").await, Life::Forever);
    assert!(files.store.touch(&"sid".into(), HOUR).await.unwrap());
    assert_eq!(fs::read_to_string(files.path("sid")).unwrap(), r#"{"cookie":{}}"#);
}

/// Node's logout, at whatever moment of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_touch_does_not_recreate_a_destroyed_session() {
    let files = Files::new().await;
    let living = session(SystemTime::now() + HOUR);
    for round in 0..200 {
        let sid = format!("sid-{round}");
        files.write(&sid, &living);
        let gone = AtomicBool::new(false);
        let path = files.path(&sid);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_micros(round * 7));
                fs::remove_file(&path).unwrap();
                gone.store(true, Ordering::SeqCst);
            });
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async {
                    while !gone.load(Ordering::SeqCst) {
                        files.store.touch(&sid.as_str().into(), HOUR).await.unwrap();
                    }
                });
            });
        });
        assert!(files.load(&sid).await.unwrap().is_none(), "round {round}");
    }
    assert!(files.names().is_empty());
}

#[tokio::test]
async fn opening_creates_nothing_and_refuses_a_wrong_url() {
    let dir = ScratchDir::new();
    let missing = dir.join("none");
    assert!(FileStore::open(&missing).await.is_err());
    assert!(!missing.exists());
    for (wrong, said) in [
        (format!("file:{}?ttl=soon", dir.display()), "seconds"),
        (format!("file:{}?fileExtension=/../x", dir.display()), "fileExtension"),
        (format!("file:{}?table=x", dir.display()), "file:DIR"),
        ("file:".to_owned(), "file:DIR"),
    ] {
        let error = FileStore::open_url(&wrong).await.unwrap_err().to_string();
        assert!(error.contains(said), "{wrong}: {error}");
    }
    assert!(FileStore::open_url(&format!("file://{}", dir.display())).await.is_ok());
}
