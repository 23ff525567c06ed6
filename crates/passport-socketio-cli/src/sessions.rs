//! What sessions your app writes: the options that demo and doctor share.

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use express_session::cookie::KeygripHash::Sha1;
use express_session::cookie::decode_base64;
use express_session::source::{
    CookieSessionSource, ExpressSource, FastifySource, KoaGenericSource, KoaSource,
    SecureSessionSource, SessionSource, SourceError,
};
use passport_socketio::{Authorizer, AuthorizerBuilder};

#[derive(Args)]
pub(crate) struct SessionArgs {
    /// What your app gives its session middleware as `secret` or `keys`. Repeat it for several,
    /// newest first
    #[arg(long = "secret", value_name = "SECRET", env = "SESSION_SECRET", hide_env_values = true)]
    pub(crate) secrets: Vec<String>,

    /// What kind of sessions your app writes
    #[arg(long, value_enum, default_value_t)]
    pub(crate) kind: Kind,

    /// The session cookie's name, where it is not the usual one of its kind
    /// [default: connect.sid for express]
    #[arg(long, value_name = "NAME")]
    cookie_name: Option<String>,

    /// Where the user's key is in the session, as a JSON pointer
    /// [default: /passport/user, or /passport for Fastify's]
    #[arg(long, value_name = "POINTER")]
    user_pointer: Option<String>,

    /// What your app gives @fastify/secure-session as `salt` beside its `secret`: 16 characters, or
    /// 16 bytes in base64 [default: the package's own]
    #[arg(long, value_parser = salt)]
    salt: Option<[u8; 16]>,

    /// What your app gives @fastify/secure-session as `expiry`, in seconds
    /// [default: 86401, as there]
    #[arg(long, value_name = "SECONDS")]
    expiry: Option<u32>,
}

/// Who wrote the sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// express-session: a signed id in the cookie, the session in a store
    #[default]
    Express,
    /// cookie-session: the session in the cookie `session`
    CookieSession,
    /// koa-session: in the cookie `koa.sess`, or with --store in a store
    Koa,
    /// koa-generic-session: the cookie `koa.sid`, the session in a store
    KoaGeneric,
    /// @fastify/session: the cookie `sessionId`, the session in a store
    Fastify,
    /// @fastify/secure-session: the session encrypted in the cookie `session`. A --secret is the
    /// app's `key` (32 bytes in base64), or else its `secret`
    FastifySecure,
}

impl Kind {
    fn cookie_name(self) -> &'static str {
        match self {
            Self::Express => "connect.sid",
            Self::CookieSession | Self::FastifySecure => "session",
            Self::Koa => "koa.sess",
            Self::KoaGeneric => "koa.sid",
            Self::Fastify => "sessionId",
        }
    }

    /// What stands before the session's id in Redis.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::KoaGeneric => "koa:sess:",
            Self::Koa => "",
            _ => "sess:",
        }
    }

    /// Whether there is a store to be named.
    pub(crate) fn may_be_without_store(self) -> bool {
        matches!(self, Self::CookieSession | Self::Koa | Self::FastifySecure)
    }
}

impl SessionArgs {
    pub(crate) fn cookie_name(&self) -> &str {
        self.cookie_name.as_deref().unwrap_or(self.kind.cookie_name())
    }

    pub(crate) fn user_pointer(&self) -> &str {
        let usual = match self.kind {
            Kind::Fastify | Kind::FastifySecure => "/passport",
            _ => "/passport/user",
        };
        self.user_pointer.as_deref().unwrap_or(usual)
    }

    /// Such sessions, with these secrets.
    pub(crate) fn source(
        &self,
        secrets: &[String],
        in_store: bool,
    ) -> Result<Arc<dyn SessionSource>, SourceError> {
        let name = self.cookie_name();
        Ok(match self.kind {
            Kind::Express => Arc::new(ExpressSource::new(name, secrets)?),
            Kind::CookieSession => Arc::new(CookieSessionSource::new(name, secrets, Sha1)?),
            Kind::Koa if in_store => Arc::new(KoaSource::in_store(name, secrets, Sha1)?),
            Kind::Koa => Arc::new(KoaSource::in_cookie(name, secrets, Sha1)?),
            Kind::KoaGeneric => Arc::new(KoaGenericSource::new(name, secrets, Sha1)?),
            Kind::Fastify => Arc::new(FastifySource::new(name, secrets)?),
            Kind::FastifySecure => Arc::new(self.secure_session(secrets)?),
        })
    }

    /// An authorizer for them.
    pub(crate) fn authorizer<U: Send + Sync + 'static>(
        &self,
        secrets: &[String],
        in_store: bool,
    ) -> Result<AuthorizerBuilder<U>, SourceError> {
        let builder = Authorizer::builder().user_pointer(self.user_pointer());
        Ok(match self.kind {
            Kind::Express => builder.key(self.cookie_name()).secrets(secrets),
            _ => builder.source(self.source(secrets, in_store)?),
        })
    }

    /// Under keys if all the secrets are ones, else under what the one secret is stretched to.
    fn secure_session(&self, secrets: &[String]) -> Result<SecureSessionSource, SourceError> {
        let name = self.cookie_name();
        let keys: Option<Vec<[u8; 32]>> =
            secrets.iter().map(|secret| decode_base64(secret).try_into().ok()).collect();
        let source = match (keys, secrets) {
            (Some(keys), [_, ..]) => SecureSessionSource::with_keys(name, keys),
            (_, [secret]) => SecureSessionSource::with_secret(name, secret, self.salt),
            _ => SecureSessionSource::with_keys(name, []),
        }?;
        Ok(match self.expiry {
            Some(seconds) => source.with_expiry(Duration::from_secs(seconds.into())),
            None => source,
        })
    }
}

fn salt(text: &str) -> Result<[u8; 16], String> {
    let bytes = Some(text.as_bytes().to_vec()).filter(|bytes| bytes.len() == 16);
    let bytes = bytes.unwrap_or_else(|| decode_base64(text));
    bytes.try_into().map_err(|_| "a salt has 16 characters, or 16 bytes in base64".into())
}
