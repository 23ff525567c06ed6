//! The three answers, and every reason.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use express_session::CorruptRecord;
use express_session::store::StoreError;

use super::{Check, Identity, Reason, Reject, Session};

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
    #[error(
        "the origin {} is not allowed; the server's own is {}",
        origin.as_deref().unwrap_or("(unreadable, or several)"),
        own.as_deref().unwrap_or("unknown"),
    )]
    OriginNotAllowed {
        /// The `Origin` header, or the `Sec-Fetch-Site` that stood in for it. Shortened.
        origin: Option<Box<str>>,
        /// What the server takes for its own origin, from `Host` and what trusted proxies say. `None` where
        /// those can't be read, or contradict each other. Shortened.
        own: Option<Box<str>>,
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
    /// Before 5, or with 12: an operator revoked the session, or all that the user was connected with.
    #[error("an operator revoked the login")]
    Revoked,
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
    /// After 12: the login ended in the moment in which its socket was connected.
    #[error("the login ended while its socket was connected: {end}")]
    LoginEnded {
        /// The code of the end ([`EndReason::code`](crate::live::EndReason::code)).
        end: &'static str,
    },
}

/// Could not tell. Lets nobody in, not even as a guest.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// 1. The app's function for origins (`origin_if`) panicked.
    #[error("`origin_if` panicked")]
    OriginPanicked,
    /// 2 to 8. The session source panicked.
    #[error("the session source panicked")]
    SourcePanicked {
        /// The check that it was asked for.
        check: Check,
    },
    /// 5. The store gave an error.
    #[error("the session could not be loaded")]
    StoreUnavailable(#[source] StoreError),
    /// 5. The store gave no answer.
    #[error("the session store did not answer within {after:?}")]
    StoreTimeout {
        /// How long it was given.
        after: Duration,
    },
    /// 5. The store panicked.
    #[error("the session store panicked")]
    StorePanicked,
    /// 5. Too many sessions are asked for at once: no place in the queue, or none in time.
    #[error("too many sessions are waiting for the store")]
    Overloaded,
    /// 5. The runtime that asked the store ended before the store answered.
    #[error("the session's load ended without an answer")]
    LoadAbandoned,
    /// 5. The session source found a session that is in a store, and the authorizer has none.
    #[error("the session is in a store, and none is configured")]
    NoStore,
    /// 6. The session or its user changed whenever it had been loaded.
    #[error("the session changed whenever it was loaded")]
    SessionKeepsChanging,
    /// 6. The store's answer was too old whenever it was to be used.
    ///
    /// The store is too slow for `max_stale`, or the session changed each time while the
    /// deserializer and `success` took long.
    #[error("what the store answered was too old whenever it was to be used")]
    AnswerTooOld,
    /// 6. This node is cut off from the others of its cluster.
    ///
    /// For so long that it would not know of a revocation, and that the others wait for it no more.
    #[error("the node is cut off from the others, and would not know of a revocation")]
    CutOff,
    /// 7. The record can't be read.
    #[error("the session record is corrupt")]
    CorruptSession(#[source] CorruptRecord),
    /// 10. The deserializer gave an error, or was not made for such a user key.
    #[error("the user could not be deserialized")]
    DeserializerFailed(#[source] Arc<dyn StdError + Send + Sync>),
    /// 10. The deserializer gave no answer.
    #[error("the user was not deserialized within {after:?}")]
    DeserializerTimeout {
        /// How long it was given.
        after: Duration,
    },
    /// 10. The deserializer panicked.
    #[error("the deserializer panicked")]
    DeserializerPanicked,
    /// 11. The app's `user_id` panicked.
    #[error("`user_id` panicked")]
    UserIdPanicked,
    /// 12. The app's `success` hook gave no answer.
    #[error("`success` did not answer within {after:?}")]
    SuccessTimeout {
        /// How long it was given.
        after: Duration,
    },
    /// 12. The app's `success` hook panicked.
    #[error("`success` panicked")]
    SuccessPanicked,
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
    /// Which reason it is, without its details.
    pub fn reason(&self) -> Reason {
        match self {
            Self::OriginNotAllowed { .. } => Reason::OriginNotAllowed,
            Self::NoSessionCookie { .. } => Reason::NoSessionCookie,
            Self::MalformedCookie(_) => Reason::MalformedCookie,
            Self::BadSignature => Reason::BadSignature,
            Self::RateLimited { .. } => Reason::RateLimited,
            Self::Revoked => Reason::Revoked,
            Self::SessionNotFound => Reason::SessionNotFound,
            Self::SessionExpired { .. } => Reason::SessionExpired,
            Self::NotLoggedIn { .. } => Reason::NotLoggedIn,
            Self::UserNotFound => Reason::UserNotFound,
            Self::Rejected(_) => Reason::Rejected,
            Self::OtherSession => Reason::OtherSession,
            Self::TooManyConnections => Reason::TooManyConnections,
            Self::LoginEnded { .. } => Reason::LoginEnded,
        }
    }

    /// The stable code, the same in logs, metrics, documents and `doctor`.
    pub fn code(&self) -> &'static str {
        self.reason().code()
    }

    /// The check that failed.
    pub fn check(&self) -> Check {
        match self {
            Self::OriginNotAllowed { .. } => Check::Origin,
            Self::NoSessionCookie { .. } => Check::Cookie,
            Self::MalformedCookie(_) => Check::CookieForm,
            Self::BadSignature | Self::OtherSession => Check::Signature,
            Self::RateLimited { .. } => Check::Store,
            Self::Revoked | Self::SessionNotFound => Check::Session,
            Self::SessionExpired { .. } => Check::Expiry,
            Self::NotLoggedIn { .. } => Check::UserKey,
            Self::UserNotFound => Check::User,
            Self::Rejected(_) | Self::TooManyConnections | Self::LoginEnded { .. } => {
                Check::Success
            }
        }
    }

    /// Exactly what the client reads, in `connect_error.message`. Never a detail.
    pub fn client_message(&self) -> Cow<'static, str> {
        match (self.reason().client_message(), self) {
            (Some(word), _) => word.into(),
            (None, Self::Rejected(reject)) => reject.text().to_owned().into(),
            (None, _) => "unauthorized".into(),
        }
    }

    /// Whether who is denied for this may come in as a guest: a client that could have reached the
    /// same by dropping its cookie.
    pub fn allows_guest(&self) -> bool {
        self.reason().allows_guest()
    }
}

impl AuthorizeError {
    /// Which reason it is, without its details.
    pub fn reason(&self) -> Reason {
        match self {
            Self::OriginPanicked => Reason::OriginPanicked,
            Self::SourcePanicked { .. } => Reason::SourcePanicked,
            Self::StoreUnavailable(_) => Reason::StoreUnavailable,
            Self::StoreTimeout { .. } => Reason::StoreTimeout,
            Self::StorePanicked => Reason::StorePanicked,
            Self::Overloaded => Reason::Overloaded,
            Self::LoadAbandoned => Reason::LoadAbandoned,
            Self::NoStore => Reason::NoStore,
            Self::SessionKeepsChanging => Reason::SessionKeepsChanging,
            Self::AnswerTooOld => Reason::AnswerTooOld,
            Self::CutOff => Reason::CutOff,
            Self::CorruptSession(_) => Reason::CorruptSession,
            Self::DeserializerFailed(_) => Reason::DeserializerFailed,
            Self::DeserializerTimeout { .. } => Reason::DeserializerTimeout,
            Self::DeserializerPanicked => Reason::DeserializerPanicked,
            Self::UserIdPanicked => Reason::UserIdPanicked,
            Self::SuccessTimeout { .. } => Reason::SuccessTimeout,
            Self::SuccessPanicked => Reason::SuccessPanicked,
        }
    }

    /// The stable code, the same in logs, metrics, documents and `doctor`.
    pub fn code(&self) -> &'static str {
        self.reason().code()
    }

    /// The check that could not be made.
    pub fn check(&self) -> Check {
        match self {
            Self::OriginPanicked => Check::Origin,
            Self::SourcePanicked { check } => *check,
            Self::StoreUnavailable(_)
            | Self::StoreTimeout { .. }
            | Self::StorePanicked
            | Self::Overloaded
            | Self::LoadAbandoned
            | Self::NoStore => Check::Store,
            Self::SessionKeepsChanging | Self::AnswerTooOld | Self::CutOff => Check::Session,
            Self::CorruptSession(_) => Check::Record,
            Self::DeserializerFailed(_)
            | Self::DeserializerTimeout { .. }
            | Self::DeserializerPanicked => Check::Deserializer,
            Self::UserIdPanicked => Check::User,
            Self::SuccessTimeout { .. } | Self::SuccessPanicked => Check::Success,
        }
    }

    /// Exactly what the client reads, in `connect_error.message`. Never a detail.
    pub fn client_message(&self) -> &'static str {
        self.reason().client_message().unwrap_or("server_error")
    }
}

impl Failure {
    /// Which reason it is, without its details.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Denied(denial) => denial.reason(),
            Self::Error(error) => error.reason(),
        }
    }

    /// The stable code, the same in logs, metrics, documents and `doctor`.
    pub fn code(&self) -> &'static str {
        self.reason().code()
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
        self.reason().allows_guest()
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
