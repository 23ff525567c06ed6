//! MongoDB, as two packages of Node keep sessions there.
//!
//! | `?layout=` | package | `session` | valid |
//! |---|---|---|---|
//! | `connect-mongo` (default) | connect-mongo 3 to 6 (`src/lib/MongoStore.ts`) | JSON text; BSON with `stringify: false` | no `expires`, or `expires > now` |
//! | `connect-mongodb-session` | connect-mongodb-session 5 (`index.js`) | BSON | no `expires`, or `now < expires` |
//!
//! - A document's `_id` is the session id (connect-mongo's `transformId` and
//!   connect-mongodb-session's `idField` left alone).
//! - Both packages compare `expires` with the app's clock, and so do we with ours; that MongoDB's TTL
//!   index removes the document some time later is cleaning up.
//! - BSON becomes the JSON that Node would make of it: an ObjectId its hexadecimal digits, a Date its
//!   ISO text.
//! - A touch sets `expires` and leaves connect-mongo's `lastModified` (`touchAfter`) and `updatedAt`
//!   alone. connect-mongodb-session itself prolongs a session only when it saves it.
//! - connect-mongo's `crypto` is not read: such a session is corrupt.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ::mongodb::bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use ::mongodb::error::ErrorKind;
use ::mongodb::options::ClientOptions;
use ::mongodb::{Client, Collection, Database};
use async_trait::async_trait;

use self::layout::Layout;
use super::{DestroySession, SessionStore, StoreError, StoredSession, TouchSession, parameters};
use crate::{Clock, SessionId, SystemClock};

mod layout;
mod to_json;

/// Both packages' default.
const COLLECTION: &str = "sessions";
/// What Node's driver uses where the URL names no database.
const DATABASE: &str = "test";
/// A server that is there accepts within this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a call waits for a server that is away to come back.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// A backstop: who asks gives up earlier by itself (the authorizer's `store_timeout`), and says so
/// more exactly.
const BACKSTOP: Duration = Duration::from_secs(10);
const CONNECTIONS: u32 = 10;
/// Ids in one question: far below the 48 MB that a message may have.
const CHUNK: usize = 10_000;
/// MongoDB's code for "not authorized", to somebody who may read but not list.
const UNAUTHORIZED: i32 = 13;

/// Sessions that connect-mongo or connect-mongodb-session keeps.
///
/// At most 10 connections (`maxPoolSize` in the URL), which come back by themselves after an outage.
/// Cheap to clone.
///
/// ```no_run
/// # async fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// use express_session::store::mongodb::MongoStore;
///
/// let store = MongoStore::connect("mongodb://127.0.0.1/app?collection=sessions").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MongoStore {
    sessions: Collection<RawDocumentBuf>,
    layout: Layout,
    clock: Arc<dyn Clock>,
}

impl MongoStore {
    /// Connects to `mongodb://HOST/DATABASE`, or `mongodb+srv://`, with all that MongoDB's connection
    /// strings can say, and two parameters of ours: `layout` (`connect-mongo`, the default, or
    /// `connect-mongodb-session`) and `collection` (`sessions`). The database is `test` if the URL
    /// names none, as in Node.
    ///
    /// # Errors
    /// [`StoreError`] if the URL is none, the server can't be reached, the password is wrong, or there
    /// is no such collection: the app makes it when it first starts.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let mut url = parameters::read(url)?;
        let layout = Layout::named(url.take("layout")?.as_deref())?;
        let collection = url.take("collection")?.unwrap_or_else(|| COLLECTION.to_owned());
        check_name(&collection)?;
        let reading = async { options(&url.rest()).await };
        let options = in_time("reading the MongoDB URL", reading).await?;
        let client = Client::with_options(options)
            .map_err(|error| StoreError::new("reading the MongoDB URL", error))?;
        let database = client.default_database().unwrap_or_else(|| client.database(DATABASE));
        in_time("connecting to MongoDB", find(&database, &collection)).await?;
        let sessions = database.collection(&collection);
        Ok(Self { sessions, layout, clock: Arc::new(SystemClock) })
    }

    /// The document of a session that is alive.
    fn living(&self, sid: &SessionId, now: SystemTime) -> Document {
        let mut filter = doc! { "_id": sid.as_str() };
        filter.extend(self.layout.alive(now));
        filter
    }

    /// Changes one session that is alive, and tells whether there was one.
    async fn set(&self, living: Document, field: &str, value: Bson) -> Result<bool, StoreError> {
        let mut fields = Document::new();
        fields.insert(field, value);
        let update = self.sessions.update_one(living, doc! { "$set": fields });
        let updated = async { update.await.map_err(failed) };
        Ok(in_time("changing a session", updated).await?.matched_count > 0)
    }

    /// Adds what is found of `sids` to `found`.
    async fn find_many(
        &self,
        sids: &[SessionId],
        found: &mut HashMap<String, StoredSession>,
    ) -> Result<(), StoreError> {
        let ids: Vec<&str> = sids.iter().map(SessionId::as_str).collect();
        let batch = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        // All in the first answer, as far as it holds them.
        let find = self.sessions.find(doc! { "_id": { "$in": ids } }).batch_size(batch);
        let mut documents = find.await.map_err(failed)?;
        while documents.advance().await.map_err(failed)? {
            let document = documents.current();
            let Ok(sid) = document.get_str("_id") else { continue };
            if let Some(session) = self.layout.session(document) {
                found.insert(sid.to_owned(), session);
            }
        }
        Ok(())
    }
}

async fn options(url: &str) -> Result<ClientOptions, StoreError> {
    let mut options = ClientOptions::parse(url).await.map_err(|error| {
        // It may quote the URL.
        let is_away = matches!(*error.kind, ErrorKind::DnsResolve { .. });
        let failed = if url.contains('@') {
            StoreError::message("this is no URL of MongoDB (it has a password: why is not told)")
        } else {
            StoreError::new("reading the MongoDB URL", error)
        };
        failed.server_away_if(is_away)
    })?;
    options.app_name.get_or_insert_with(|| "express-session".to_owned());
    options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
    options.server_selection_timeout.get_or_insert(SELECTION_TIMEOUT);
    options.max_pool_size.get_or_insert(CONNECTIONS);
    Ok(options)
}

/// Makes sure that the collection is there.
async fn find(database: &Database, collection: &str) -> Result<(), StoreError> {
    let named = doc! { "name": collection };
    let listing = database.list_collection_names().authorized_collections(true).filter(named);
    match listing.await {
        Ok(known) if known.iter().any(|name| name == collection) => Ok(()),
        Ok(_) => Err(StoreError::message(format!(
            "the database {:?} has no collection {collection:?}",
            database.name(),
        ))
        .not_there_yet("its app creates the collection, most often when it starts")),
        Err(error) => match &*error.kind {
            ErrorKind::Command(refused) if refused.code == UNAUTHORIZED => Ok(()),
            _ => Err(told("connecting to MongoDB", error)),
        },
    }
}

fn check_name(collection: &str) -> Result<(), StoreError> {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_good = (1..=120).contains(&collection.len()) && collection.chars().all(good);
    if is_good && !collection.starts_with("system.") {
        return Ok(());
    }
    Err(StoreError::message("a collection's name is letters, digits, `_`, `-` and `.`"))
}

fn failed(error: ::mongodb::error::Error) -> StoreError {
    told("asking MongoDB", error)
}

/// The driver's errors show the server's whole answer, which can hold a session's id or its data.
fn told(operation: &'static str, error: ::mongodb::error::Error) -> StoreError {
    match &*error.kind {
        ErrorKind::Command(refused) => {
            let said = format!("MongoDB refused it: {} ({})", refused.code_name, refused.code);
            StoreError::new(operation, said)
        }
        ErrorKind::Write(_) | ErrorKind::InsertMany(_) | ErrorKind::BulkWrite(_) => {
            StoreError::new(operation, "MongoDB refused to write it")
        }
        ErrorKind::BsonDeserialization(_) | ErrorKind::InvalidResponse { .. } => {
            StoreError::new(operation, "what was answered is no answer of MongoDB")
        }
        ErrorKind::ServerSelection { .. }
        | ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. } => {
            StoreError::new(operation, error).server_away()
        }
        _ => StoreError::new(operation, error),
    }
}

/// The driver has no limit of its own for an answer.
async fn in_time<T>(
    operation: &'static str,
    asking: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(BACKSTOP, asking).await;
    answer.unwrap_or_else(|late| Err(StoreError::new(operation, late).server_away()))
}

/// Without the address: its URL can hold a password.
impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore")
            .field("layout", &self.layout)
            .field("collection", &self.sessions.name())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for MongoStore {
    async fn load(&self, sid: &SessionId) -> Result<Option<StoredSession>, StoreError> {
        let find = self.sessions.find_one(doc! { "_id": sid.as_str() });
        let found = in_time("loading a session", async { find.await.map_err(failed) }).await?;
        Ok(found.and_then(|document| self.layout.session(&document)))
    }

    async fn load_many(
        &self,
        sids: &[SessionId],
    ) -> Result<Vec<Option<StoredSession>>, StoreError> {
        let mut found = HashMap::new();
        for chunk in sids.chunks(CHUNK) {
            in_time("loading sessions", self.find_many(chunk, &mut found)).await?;
        }
        Ok(sids.iter().map(|sid| found.get(sid.as_str()).cloned()).collect())
    }

    fn as_touch(&self) -> Option<&dyn TouchSession> {
        Some(self)
    }

    fn as_destroy(&self) -> Option<&dyn DestroySession> {
        Some(self)
    }
}

#[async_trait]
impl TouchSession for MongoStore {
    async fn touch(&self, sid: &SessionId, life: Duration) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let end = now.checked_add(life).map_or(DateTime::MAX, DateTime::from_system_time);
        self.set(self.living(sid, now), "expires", end.into()).await
    }
}

#[async_trait]
impl DestroySession for MongoStore {
    async fn destroy(&self, sid: &SessionId) -> Result<bool, StoreError> {
        let delete = self.sessions.delete_one(doc! { "_id": sid.as_str() });
        let deleted = async { delete.await.map_err(failed) };
        Ok(in_time("destroying a session", deleted).await?.deleted_count > 0)
    }
}
