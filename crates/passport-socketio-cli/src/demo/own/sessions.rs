//! Sessions as express-session makes them: with these options, by an app with Passport 0.7,
//! `session({ secret, resave: false, saveUninitialized: false, cookie: { maxAge: 86400000 } })`.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use express_session::cookie::Signer;
use express_session::source::{ExpressSource, SessionSource as _};
use express_session::store::sqlite::SqliteStore;
use express_session::store::{DestroySession as _, Life, MemoryStore, SessionStore, StoreError};
use express_session::{Clock as _, SessionId, SessionRequest, SystemClock};

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

impl Sessions {
    pub(super) async fn in_sqlite(
        path: &str,
        cookie_name: &str,
        secrets: &[String],
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            backend: Backend::Sqlite(SqliteStore::create(path).await?),
            source: ExpressSource::new(cookie_name, secrets)?,
        })
    }

    pub(super) fn in_memory(cookie_name: &str, secrets: &[String]) -> Result<Self, Box<dyn Error>> {
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

    /// Logs a user in: a new session, whatever session there was. Returns the `Set-Cookie`.
    pub(super) async fn log_in(&self, user: i64) -> Result<String, Box<dyn Error + Send + Sync>> {
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
        let cookie = self
            .signer()
            .cookie_pair(self.source.cookie_name(), sid.as_str());
        let expires = httpdate::fmt_http_date(expires);
        Ok(format!(
            "{cookie}; Path=/; Expires={expires}; HttpOnly; SameSite=Lax"
        ))
    }

    /// Logs out whoever this cookie header belongs to.
    pub(super) async fn log_out(&self, cookies: &str) -> Result<(), StoreError> {
        let Ok(sid) = self
            .source
            .locate(&SessionRequest::from_cookie_header(cookies))
        else {
            return Ok(());
        };
        match &self.backend {
            Backend::Sqlite(store) => store.destroy(&sid).await?,
            Backend::Memory(store) => store.destroy(&sid).await?,
        };
        Ok(())
    }

    fn signer(&self) -> &Signer {
        self.source.signer()
    }
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
