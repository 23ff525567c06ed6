//! Sessions as express-session makes them: with these options, by an app with Passport 0.7,
//! `session({ secret, resave: false, saveUninitialized: false, cookie: { maxAge: 86400000 } })`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use express_session::cookie::Signer;
use express_session::source::{ExpressSource, SessionSource as _};
use express_session::store::sqlite::SqliteStore;
use express_session::store::{
    DestroySession as _, Life, MemoryStore, SessionStore, StoreError, StoredSession,
};
use express_session::{
    Clock as _, RecordLimits, SessionId, SessionRecord, SessionRequest, SystemClock,
};
use serde_json::Value;

use crate::Failed;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The demo's own sessions. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sessions {
    backend: Backend,
    source: ExpressSource,
}

#[derive(Clone)]
enum Backend {
    Sqlite(SqliteStore),
    Memory(Arc<MemoryStore>),
}

impl Backend {
    async fn all(&self) -> Result<Vec<(SessionId, StoredSession)>, StoreError> {
        match self {
            Self::Sqlite(store) => store.all().await,
            Self::Memory(store) => Ok(store.all()),
        }
    }
}

impl Sessions {
    pub(super) async fn in_sqlite(
        path: &str,
        cookie_name: &str,
        secrets: &[String],
    ) -> Result<Self, Failed> {
        Ok(Self {
            backend: Backend::Sqlite(SqliteStore::create(path).await?),
            source: ExpressSource::new(cookie_name, secrets)?,
        })
    }

    pub(super) fn in_memory(cookie_name: &str, secrets: &[String]) -> Result<Self, Failed> {
        Ok(Self {
            backend: Backend::Memory(Arc::new(MemoryStore::new())),
            source: ExpressSource::new(cookie_name, secrets)?,
        })
    }

    pub(super) fn store(&self) -> Arc<dyn SessionStore> {
        match &self.backend {
            Backend::Sqlite(store) => Arc::new(store.clone()),
            Backend::Memory(store) => store.clone(),
        }
    }

    /// Who is logged in with this cookie header.
    pub(super) async fn user(&self, cookies: &str) -> Result<Option<i64>, Failed> {
        let Some(sid) = self.locate(cookies) else {
            return Ok(None);
        };
        let session = self.store().load(&sid).await?;
        Ok(session.and_then(|session| user_of(&session)).and_then(|key| key.as_i64()))
    }

    /// Logs a user in: a new session, whatever session there was. Returns the `Set-Cookie`.
    pub(super) async fn log_in(&self, user: i64) -> Result<String, Failed> {
        let sid = SessionId::new(random_text()?);
        let expires = SystemClock.now() + DAY;
        let json = format!(
            r#"{{"cookie":{{"originalMaxAge":{},"expires":"{}","httpOnly":true,"path":"/","sameSite":"lax"}},"passport":{{"user":{user}}}}}"#,
            DAY.as_millis(),
            humantime::format_rfc3339_millis(expires),
        );
        match &self.backend {
            Backend::Sqlite(store) => store.set(&sid, &json, expires).await?,
            Backend::Memory(store) => store.set(sid.clone(), json, Life::Until(expires)),
        }
        let cookie = self.signer().cookie_pair(self.source.cookie_name(), sid.as_str());
        let expires = httpdate::fmt_http_date(expires);
        Ok(format!("{cookie}; Path=/; Expires={expires}; HttpOnly; SameSite=Lax"))
    }

    /// Logs out the session of this cookie header. Returns it, if there was one.
    pub(super) async fn log_out(&self, cookies: &str) -> Result<Vec<SessionId>, Failed> {
        let Some(sid) = self.locate(cookies) else {
            return Ok(Vec::new());
        };
        self.destroy(&sid).await?;
        Ok(vec![sid])
    }

    /// Logs out every session of the user of this cookie header. Returns them.
    pub(super) async fn log_out_everywhere(&self, cookies: &str) -> Result<Vec<SessionId>, Failed> {
        let all = self.backend.all().await?;
        let mine = self.locate(cookies);
        let user = all
            .iter()
            .find(|(sid, _)| Some(sid) == mine.as_ref())
            .and_then(|(_, session)| user_of(session));
        let Some(user) = user else {
            return Ok(Vec::new());
        };
        let mut ended = Vec::new();
        for (sid, session) in &all {
            if user_of(session).as_ref() == Some(&user) {
                self.destroy(sid).await?;
                ended.push(sid.clone());
            }
        }
        Ok(ended)
    }

    async fn destroy(&self, sid: &SessionId) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(store) => store.destroy(sid).await?,
            Backend::Memory(store) => store.destroy(sid).await?,
        };
        Ok(())
    }

    fn locate(&self, cookies: &str) -> Option<SessionId> {
        let located = self.source.locate(&SessionRequest::from_cookie_header(cookies)).ok()?;
        Some(located.id().clone())
    }

    fn signer(&self) -> &Signer {
        self.source.signer()
    }
}

fn user_of(session: &StoredSession) -> Option<Value> {
    let record = SessionRecord::parse(session.payload(), &RecordLimits::default()).ok()??;
    record.pointer("/passport/user").ok()?
}

/// 24 random bytes: as much as express-session's own ids have.
pub(super) fn random_text() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
