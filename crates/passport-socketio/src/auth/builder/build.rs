//! From what was said to an [`Authorizer`]: all of it is checked, or nothing is built.

use std::sync::Arc;
use std::time::Duration;

use express_session::source::{ExpressSource, SessionSource};
use express_session::store::SessionStore;

use super::{AuthorizerBuilder, admission};
use crate::Authorizer;
use crate::admission::Admission;
use crate::authorizer::{
    AllowedOrigins, Decider, Listed, Loads, NotListed, OriginPolicy, Readings, StoreAccess,
    TrustedProxies,
};
use crate::handshake::normal_path;
use crate::live::LiveSessions;
use crate::lookup::SessionLookup;
use crate::model::{ConfigError, Scope};
use crate::observe::events;

/// How long a connection may last on a session that nobody can end from outside.
const CARRIED_AGE: Duration = Duration::from_secs(60 * 60);

impl<U: Send + Sync + 'static> AuthorizerBuilder<U> {
    /// Checks it all.
    ///
    /// # Errors
    /// [`ConfigError`] for what is missing or can't be.
    pub fn build(self) -> Result<Authorizer<U>, ConfigError> {
        let source = self.session_source()?;
        // The empty pointer is the whole session: every visitor with one would be a user.
        if !self.user_pointer.starts_with('/') {
            return Err(ConfigError::UserPointer(self.user_pointer));
        }
        let mut handshake = self.handshake;
        handshake.path = match normal_path(&self.path) {
            Some(path) => path.into(),
            None => return Err(ConfigError::Path(self.path)),
        };
        let scope = Scope::new(self.scope)?;
        if self.query {
            events::insecure_query();
        }
        if self.opaque_origins {
            events::insecure_null_origin();
        }
        let store = match self.store {
            None if source.needs_store() => return Err(ConfigError::MissingStore),
            // It would know nothing of sessions that the cookie carries, and every look end them.
            store => store.filter(|_| source.needs_store()),
        };
        let mut live = self.live;
        let can_touch = store.as_ref().is_some_and(|store| store.as_touch().is_some());
        if live.touch_every.is_some() && !can_touch {
            return Err(ConfigError::StoreCantTouch);
        }
        admission::check(&self.loads, &live)?;
        let admission = Admission::new(&self.admission).map_err(ConfigError::RateLimit)?;
        let mut watches = self.watches;
        watches.extend(store.as_ref().and_then(SessionStore::watch));
        if !source.needs_store() {
            live.max_connection_age.get_or_insert(CARRIED_AGE);
        }
        let access = StoreAccess::new(store, self.limits.store_timeout);
        let decider = Decider {
            readings: Readings::default(),
            origins: OriginPolicy {
                allowed: AllowedOrigins {
                    listed: listed(self.origins)?,
                    hook: self.origin_hook,
                    opaque: self.opaque_origins,
                },
                proxies: TrustedProxies::new(parse_all(
                    self.proxies,
                    parse_network,
                    ConfigError::Proxy,
                )?),
            },
            source,
            loads: Loads::new(access.clone(), self.loads),
            store: access,
            deserializer: self.deserializer.ok_or(ConfigError::MissingDeserializer)?,
            user_pointer: self.user_pointer.into(),
            user_id: self.user_id,
            success: self.success,
            fail: self.fail,
            limits: self.limits,
            clock: self.clock,
        };
        let decider = Arc::new(decider);
        let sessions = LiveSessions::new(&decider, live, watches, self.observer);
        let lookup = SessionLookup::new(decider, sessions, admission);
        Ok(Authorizer::new(lookup, handshake, scope))
    }

    fn session_source(&self) -> Result<Arc<dyn SessionSource>, ConfigError> {
        if let Some(source) = &self.source {
            let built_in = self.key.is_some() || !self.secrets.is_empty() || self.query;
            return if built_in { Err(ConfigError::SourceAndSecret) } else { Ok(source.clone()) };
        }
        let key = self.key.as_deref().unwrap_or("connect.sid");
        let source = ExpressSource::new(key, &self.secrets).map_err(|error| {
            error.fold(|_empty| ConfigError::MissingSecret, || ConfigError::CookieName(key.into()))
        })?;
        Ok(Arc::new(if self.query {
            source.with_insecure_query_param("session_id")
        } else {
            source
        }))
    }
}

fn listed(origins: Vec<String>) -> Result<Vec<Listed>, ConfigError> {
    let parse = |text: String| {
        Listed::parse(&text).map_err(|why| match why {
            NotListed::NoOrigin => ConfigError::Origin(text),
            NotListed::Pattern => ConfigError::OriginPattern(text),
            NotListed::PublicSuffix => ConfigError::OriginPublicSuffix(text),
            NotListed::Opaque => ConfigError::OriginOpaque(text),
        })
    };
    origins.into_iter().map(parse).collect()
}

fn parse_all<T>(
    texts: Vec<String>,
    parse: impl Fn(&str) -> Option<T>,
    error: impl Fn(String) -> ConfigError,
) -> Result<Vec<T>, ConfigError> {
    texts.into_iter().map(|text| parse(&text).ok_or_else(|| error(text))).collect()
}

fn parse_network(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(Into::into))
}
