//! The three answers, and every reason.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use express_session::CorruptRecord;
use express_session::store::StoreError;

use super::{Check, Identity, Reject, Session};

/// What was decided. The third answer, "could not tell", is an [`AuthorizeError`].
#[derive(Debug)]
pub enum Decision<U> {
    /// This is the user.
    Granted(Identity<U>),
    /// Nobody, for this reason.
    Denied(Denial),
}

/// Why a request is nobody's. In the order of the checks.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// 1. Another site's page asks.
    #[error("the origin {} is not allowed", origin.as_deref().unwrap_or("(unreadable, or several)"))]
    OriginNotAllowed {
        /// The `Origin` header, or the `Sec-Fetch-Site` that stood in for it. Shortened.
        origin: Option<Box<str>>,
    },
    /// 2. There is no session cookie.
    #[error("there is no session cookie{}", if *cross_origin { " (a cross-origin request: the client needs `withCredentials`, the cookie `SameSite=None; Secure`)" } else { "" })]
    NoSessionCookie {
        /// Whether an allowed, but different origin asked.
        cross_origin: bool,
    },
    /// 3. The cookie is no signed session id, or the header is too large.
    #[error("the session cookie is malformed: {0}")]
    MalformedCookie(&'static str),
    /// 4. None of the secrets made the signature.
    #[error("the session cookie's signature fits none of the secrets")]
    BadSignature,
    /// Before 5, where a limit was set: they asked too often. The store is not asked.
    #[error("too many {what} within a short time")]
    RateLimited {
        /// What was counted, in words.
        what: &'static str,
        /// How soon it is worth asking again.
        retry_after: Duration,
    },
    /// 6. The store knows no such session.
    #[error("no session found")]
    SessionNotFound,
    /// 8. The store would not return it any more.
    #[error("the session has expired")]
    SessionExpired {
        /// The first moment at which it was over.
        at: SystemTime,
        /// When that was found.
        now: SystemTime,
    },
    /// 9. A session, but nobody is logged in.
    #[error("nobody is logged in to the session")]
    NotLoggedIn {
        /// The anonymous session.
        session: Session,
    },
    /// 11. The deserializer found no such user.
    #[error("the session's user does not exist")]
    UserNotFound,
    /// 12. The app's `success` hook said no.
    #[error("rejected by the app: {0}")]
    Rejected(Reject),
    /// With 4, for the later requests of a connection: it was opened with another session.
    #[error("the connection belongs to another session")]
    OtherSession,
    /// With 12, where `.max_connections_per_user` was set: the user has as many as allowed.
    #[error("the user has as many connections as allowed")]
    TooManyConnections,
}

/// Could not tell. Lets nobody in, not even as a guest.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// 5. The store gave an error.
    #[error("the session could not be loaded")]
    StoreUnavailable(#[source] StoreError),
    /// 5. The store gave no answer.
    #[error("the session store did not answer within {after:?}")]
    StoreTimeout {
        /// How long it was given.
        after: Duration,
    },
    /// 5. Too many sessions are asked for at once: no place in the queue, or none in time.
    #[error("too many sessions are waiting for the store")]
    Overloaded,
    /// 7. The record can't be read.
    #[error("the session record is corrupt")]
    CorruptSession(#[source] CorruptRecord),
    /// 10. The deserializer gave an error, panicked, or was not made for such a user key.
    #[error("the user could not be deserialized")]
    DeserializerFailed(#[source] Arc<dyn StdError + Send + Sync>),
    /// 10. The deserializer gave no answer.
    #[error("the user was not deserialized within {after:?}")]
    DeserializerTimeout {
        /// How long it was given.
        after: Duration,
    },
}

/// A request that is not granted: denied, or an error. What the `fail` hook is given.
///
/// ```
/// use passport_socketio::{Denial, Failure};
///
/// let failure = Failure::from(Denial::BadSignature);
/// assert_eq!(failure.code(), "bad_signature");
/// assert_eq!(failure.client_message(), "unauthorized");
/// assert!(!failure.is_error());
/// ```
#[derive(Clone, Debug)]
pub enum Failure {
    /// No, for this reason.
    Denied(Denial),
    /// Could not tell.
    Error(AuthorizeError),
}

impl Denial {
    /// The stable code, the same in logs, metrics, documents and `doctor`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OriginNotAllowed { .. } => "origin_not_allowed",
            Self::NoSessionCookie { .. } => "no_session_cookie",
            Self::MalformedCookie(_) => "malformed_cookie",
            Self::BadSignature => "bad_signature",
            Self::RateLimited { .. } => "rate_limited",
            Self::SessionNotFound => "session_not_found",
            Self::SessionExpired { .. } => "session_expired",
            Self::NotLoggedIn { .. } => "not_logged_in",
            Self::UserNotFound => "user_not_found",
            Self::Rejected(_) => "rejected",
            Self::OtherSession => "other_session",
            Self::TooManyConnections => "too_many_connections",
        }
    }

    /// The check that failed.
    pub fn check(&self) -> Check {
        match self {
            Self::OriginNotAllowed { .. } => Check::Origin,
            Self::NoSessionCookie { .. } => Check::Cookie,
            Self::MalformedCookie(_) => Check::CookieForm,
            Self::BadSignature | Self::OtherSession => Check::Signature,
            Self::RateLimited { .. } => Check::Store,
            Self::SessionNotFound => Check::Session,
            Self::SessionExpired { .. } => Check::Expiry,
            Self::NotLoggedIn { .. } => Check::UserKey,
            Self::UserNotFound => Check::User,
            Self::Rejected(_) | Self::TooManyConnections => Check::Success,
        }
    }

    /// Exactly what the client reads, in `connect_error.message`. Never a detail.
    pub fn client_message(&self) -> Cow<'static, str> {
        match self {
            Self::OriginNotAllowed { .. } | Self::OtherSession => "forbidden".into(),
            Self::RateLimited { .. } => "try_again".into(),
            Self::Rejected(reject) => reject.text().to_owned().into(),
            Self::TooManyConnections => self.code().into(),
            _ => "unauthorized".into(),
        }
    }

    /// Whether who is denied for this may come in as a guest: a client that could have reached the
    /// same by dropping its cookie.
    pub fn allows_guest(&self) -> bool {
        !matches!(
            self,
            Self::OriginNotAllowed { .. }
                | Self::OtherSession
                | Self::RateLimited { .. }
                | Self::Rejected(_)
                | Self::TooManyConnections
        )
    }
}

impl AuthorizeError {
    /// The stable code, the same in logs, metrics, documents and `doctor`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::StoreUnavailable(_) => "store_unavailable",
            Self::StoreTimeout { .. } => "store_timeout",
            Self::Overloaded => "overloaded",
            Self::CorruptSession(_) => "corrupt_session",
            Self::DeserializerFailed(_) => "deserializer_failed",
            Self::DeserializerTimeout { .. } => "deserializer_timeout",
        }
    }

    /// The check that could not be made.
    pub fn check(&self) -> Check {
        match self {
            Self::StoreUnavailable(_) | Self::StoreTimeout { .. } | Self::Overloaded => {
                Check::Store
            }
            Self::CorruptSession(_) => Check::Record,
            Self::DeserializerFailed(_) | Self::DeserializerTimeout { .. } => Check::Deserializer,
        }
    }

    /// Whether it may be told in a moment.
    pub(crate) fn is_transient(&self) -> bool {
        !matches!(self, Self::CorruptSession(_))
    }

    /// Exactly what the client reads, in `connect_error.message`. Never a detail.
    pub fn client_message(&self) -> &'static str {
        if self.is_transient() { "try_again" } else { "server_error" }
    }
}

impl Failure {
    /// The stable code, the same in logs, metrics, documents and `doctor`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied(denial) => denial.code(),
            Self::Error(error) => error.code(),
        }
    }

    /// The check that it failed at.
    pub fn check(&self) -> Check {
        match self {
            Self::Denied(denial) => denial.check(),
            Self::Error(error) => error.check(),
        }
    }

    /// The reason in words, for logs. It holds no detail of the session, the cookie or the store.
    pub fn message(&self) -> String {
        self.to_string()
    }

    /// Whether it could not be told: the original's `error` argument.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// Exactly what the client reads if nobody says otherwise.
    pub fn client_message(&self) -> Cow<'static, str> {
        match self {
            Self::Denied(denial) => denial.client_message(),
            Self::Error(error) => error.client_message().into(),
        }
    }

    /// Whether this may become a guest at all; see [`Denial::allows_guest`]. Never for an error.
    pub fn allows_guest(&self) -> bool {
        matches!(self, Self::Denied(denial) if denial.allows_guest())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denial) => denial.fmt(f),
            Self::Error(error) => error.fmt(f),
        }
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Denied(_) => None,
            Self::Error(error) => error.source(),
        }
    }
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<AuthorizeError> for Failure {
    fn from(error: AuthorizeError) -> Self {
        Self::Error(error)
    }
}
