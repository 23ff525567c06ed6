//! The layouts of connect-mongo and connect-mongodb-session.
//!
//! Unless `MONGO_WIRE_SERVER` names a real mongod, the server is `scripts/mongo-wire.py`, and these
//! stay unproven: passwords and TLS, that a replica set's new primary is found, and that the TTL index
//! removes what has expired (which no package waits for).

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::mongodb::bson::oid::ObjectId;
use ::mongodb::bson::{Bson, DateTime, Document, doc, serialize_to_bson};
use ::mongodb::{Client, Collection, IndexModel};
use async_trait::async_trait;
use express_session::store::mongodb::MongoStore;
use express_session::store::{
    DestroySession as _, Life, SessionStore as _, StoreError, StoredSession, TouchSession as _,
};
use testkit::conformance::{self, FaultySubject, Limits, Payload, Subject};
use testkit::{MongoServer, ServerProcess};

/// What a package writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Text,
    Bson,
}

#[derive(Debug)]
struct Mongo {
    store: MongoStore,
    raw: Collection<Document>,
    written: Written,
}

impl Mongo {
    async fn on(server: &MongoServer, layout: &str, written: Written) -> Self {
        let raw = collection(server, "sessions").await;
        let store =
            MongoStore::connect(&format!("{}?layout={layout}", server.url())).await.unwrap();
        Self { store, raw, written }
    }

    async fn insert(&self, document: Document) {
        self.raw.insert_one(document).await.unwrap();
    }

    async fn document(&self, sid: &str) -> Document {
        self.raw.find_one(doc! { "_id": sid }).await.unwrap().unwrap()
    }

    async fn load(&self, sid: &str) -> Option<StoredSession> {
        self.store.load(&sid.into()).await.unwrap()
    }
}

/// As the packages make it when the app starts.
async fn collection(server: &MongoServer, name: &str) -> Collection<Document> {
    let database = Client::with_uri_str(server.url()).await.unwrap().default_database().unwrap();
    let collection = database.collection(name);
    let index = IndexModel::builder().keys(doc! { "expires": 1 }).build();
    collection.create_index(index).await.unwrap();
    collection
}

fn in_an_hour() -> DateTime {
    DateTime::from_system_time(SystemTime::now() + Duration::from_secs(3600))
}

async fn put(
    sessions: &Collection<Document>,
    sid: &str,
    json: &[u8],
    expires: SystemTime,
    written: Written,
) {
    let session: Bson = match written {
        Written::Text => std::str::from_utf8(json).unwrap().into(),
        Written::Bson => {
            serialize_to_bson(&serde_json::from_slice::<serde_json::Value>(json).unwrap()).unwrap()
        }
    };
    let set =
        doc! { "$set": { "session": session, "expires": DateTime::from_system_time(expires) } };
    sessions.update_one(doc! { "_id": sid }, set).upsert(true).await.unwrap();
}

#[async_trait]
impl Subject for Mongo {
    type Store = MongoStore;

    fn store(&self) -> &MongoStore {
        &self.store
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        put(&self.raw, sid, json, expires, self.written).await;
    }

    fn limits(&self) -> Limits {
        let payload = match self.written {
            Written::Text => Payload::Bytes,
            Written::Bson => Payload::JsonValue,
        };
        Limits { payload, ..Limits::default() }
    }
}

#[tokio::test]
async fn the_connect_mongo_layout_passes_the_conformance_suite() {
    let Some(server) = MongoServer::start().await else {
        return;
    };
    conformance::run(&Mongo::on(&server, "connect-mongo", Written::Text).await).await;
}

#[tokio::test]
async fn connect_mongo_without_stringify_passes_the_conformance_suite() {
    let Some(server) = MongoServer::start().await else {
        return;
    };
    conformance::run(&Mongo::on(&server, "connect-mongo", Written::Bson).await).await;
}

#[tokio::test]
async fn the_connect_mongodb_session_layout_passes_the_conformance_suite() {
    let Some(server) = MongoServer::start().await else {
        return;
    };
    conformance::run(&Mongo::on(&server, "connect-mongodb-session", Written::Bson).await).await;
}

#[tokio::test]
async fn a_document_without_expiry_lives_for_ever() {
    let Some(server) = MongoServer::start().await else {
        return;
    };
    for layout in ["connect-mongo", "connect-mongodb-session"] {
        let mongo = Mongo::on(&server, layout, Written::Bson).await;
        mongo.insert(doc! { "_id": layout, "session": { "cookie": {} } }).await;
        assert_eq!(mongo.load(layout).await.unwrap().life(), Life::Forever, "{layout}");
        assert!(mongo.store.touch(&layout.into(), Duration::from_secs(60)).await.unwrap());
        assert!(matches!(mongo.load(layout).await.unwrap().life(), Life::Until(_)), "{layout}");
    }
}

#[tokio::test]
async fn an_expired_document_is_reported_with_its_end() {
    let Some(server) = MongoServer::start().await else {
        return;
    };
    let mongo = Mongo::on(&server, "connect-mongo", Written::Text).await;
    let end = UNIX_EPOCH + Duration::from_millis(1_695_405_207_709);
    mongo.put("over", b"{}", end).await;
    assert_eq!(mongo.load("over").await.unwrap().life(), Life::Until(end));
}

#[tokio::test]
async fn an_object_id_is_read_as_its_digits() {
    let Some(server) = MongoServer::start().await else {
        return;
    };
    let id = ObjectId::parse_str("64b7f8d2c3a1e5f609182736").unwrap();
    let session = doc! { "cookie": {}, "passport": { "user": id }, "views": 1 };
    for layout in ["connect-mongo", "connect-mongodb-session"] {
        let mongo = Mongo::on(&server, layout, Written::Bson).await;
        mongo.insert(doc! { "_id": layout, "session": &session, "expires": in_an_hour() }).await;
        let payload = mongo.load(layout).await.unwrap().payload().to_vec();
        let json = String::from_utf8(payload).unwrap();
        assert!(json.contains(r#""passport":{"user":"64b7f8d2c3a1e5f609182736"}"#), "{json}");
    }
}

#[tokio::test]
async fn a_touch_changes_the_expiry_and_nothing_else() {
    let Some(server) = MongoServer::start().await else {
        return;
    };
    let mongo = Mongo::on(&server, "connect-mongo", Written::Text).await;
    let modified = DateTime::from_millis(1_795_405_207_709);
    let document = doc! { "_id": "sid", "session": "{\"cookie\":{}}", "expires": in_an_hour(),
    "lastModified": modified };
    mongo.insert(document).await;
    assert!(mongo.store.touch(&"sid".into(), Duration::from_secs(7200)).await.unwrap());
    let document = mongo.document("sid").await;
    assert_eq!(document.get_str("session").unwrap(), "{\"cookie\":{}}");
    assert_eq!(document.get_datetime("lastModified").unwrap(), &modified);
    assert!(document.get_datetime("expires").unwrap() > &in_an_hour());
}

#[tokio::test]
async fn the_collection_is_found_by_name_and_a_missing_one_is_an_error() {
    let Some(server) = MongoServer::start().await else {
        return;
    };
    let url = |rest: &str| format!("{}?{rest}", server.url());
    let raw = collection(&server, "mysessions").await;
    put(&raw, "sid", b"{}", SystemTime::now() + Duration::from_secs(60), Written::Text).await;
    let store = MongoStore::connect(&url("collection=mysessions")).await.unwrap();
    assert!(store.load(&"sid".into()).await.unwrap().is_some());
    assert!(store.destroy(&"sid".into()).await.unwrap());

    for (wrong, said) in [
        ("", "no collection \"sessions\""),
        ("collection=myssessions", "no collection \"myssessions\""),
        ("collection=a$b", "a collection's name"),
        ("collection=", "a collection's name"),
        ("collection=system.users", "a collection's name"),
        ("layout=mongoose", "connect-mongo and connect-mongodb-session"),
    ] {
        let error = MongoStore::connect(&url(wrong)).await.unwrap_err().to_string();
        assert!(error.contains(said), "{wrong}: {error}");
    }
}

#[tokio::test]
async fn no_mongodb_error_contains_a_password() {
    for url in [
        "mongodb://ann:hunter2@127.0.0.1:1/app?serverSelectionTimeoutMS=100",
        "mongodb://ann:hunter2@127.0.0.1:port/app",
        "mongodb://ann:hunter2@hunter2@127.0.0.1/app",
        "mongodb://ann:hunter2@127.0.0.1/app?authMechanism=hunter2",
    ] {
        let error = MongoStore::connect(url).await.unwrap_err();
        let source = std::error::Error::source(&error).map(|source| format!("{source} {source:?}"));
        let told = format!("{error} {error:?} {source:?}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

/// The server itself, without a store on it.
#[derive(Debug)]
struct Faulty(MongoServer);

#[async_trait]
impl FaultySubject for Faulty {
    type Store = MongoStore;

    fn server(&self) -> &ServerProcess {
        self.0.process()
    }

    async fn connect(&self, by: SocketAddr, _: Option<&str>) -> Result<MongoStore, StoreError> {
        collection(&self.0, "sessions").await;
        MongoStore::connect(&format!("mongodb://{by}/app")).await
    }

    async fn put(&self, sid: &str, json: &[u8], expires: SystemTime) {
        put(&collection(&self.0, "sessions").await, sid, json, expires, Written::Text).await;
    }

    fn has_passwords(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn the_store_passes_the_fault_suite() {
    let Some(server) = MongoServer::start().await else {
        return;
    };
    conformance::run_faults(&Faulty(server)).await;
}
