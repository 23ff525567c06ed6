//! Every reason in one table: its code, its kind, what the client reads, and whether it may become a
//! guest.
//!
//! A reason that is added here has all of these, or it does not compile.

macro_rules! reasons {
    ($(#[$about:meta])* $($name:ident $code:literal $kind:ident $reads:ident $guest:ident;)*) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = concat!("`", $code, "`")] $name,)*
        }

        impl Reason {
            /// All of them, in the order of the checks.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$name => Row {
                        code: $code,
                        kind: Kind::$kind,
                        reads: Reads::$reads,
                        guest: Guest::$guest,
                    },)*
                }
            }
        }
    };
}

struct Row {
    code: &'static str,
    kind: Kind,
    reads: Reads,
    guest: Guest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Denied,
    Error,
}

/// What the client reads of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    Unauthorized,
    Forbidden,
    TryAgain,
    ServerError,
    /// The code itself: it tells nothing that the user does not know.
    ItsCode,
    /// What the app's `success` said.
    TheAppsText,
}

/// Whether a request that fails for a reason may come in as a guest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guest {
    /// The client could have reached the same by dropping its cookie.
    May,
    Never,
}

reasons! {
    /// Why a request is not granted, without its details: what [`Denial`](crate::Denial) and
    /// [`AuthorizeError`](crate::AuthorizeError) have in common.
    ///
    /// It is exhaustive on purpose: where your code treats reasons differently, a new one is an error of
    /// your compiler, and not an open door.
    ///
    /// ```
    /// use passport_socketio::authorizer::Reason;
    /// use passport_socketio::{Denial, Failure};
    ///
    /// let failure = Failure::from(Denial::BadSignature);
    /// assert_eq!(failure.reason(), Reason::BadSignature);
    /// assert_eq!(Reason::BadSignature.code(), "bad_signature");
    /// assert!(Reason::ALL.iter().filter(|reason| reason.is_error()).all(|error| !error.allows_guest()));
    /// ```
    // reason, code, kind, what the client reads, whether it may become a guest
    OriginNotAllowed     "origin_not_allowed"     Denied Forbidden    Never;
    OriginPanicked       "origin_panicked"        Error  TryAgain     Never;
    NoSessionCookie      "no_session_cookie"      Denied Unauthorized May;
    MalformedCookie      "malformed_cookie"       Denied Unauthorized May;
    BadSignature         "bad_signature"          Denied Unauthorized May;
    OtherSession         "other_session"          Denied Forbidden    Never;
    SourcePanicked       "source_panicked"        Error  TryAgain     Never;
    RateLimited          "rate_limited"           Denied TryAgain     Never;
    StoreUnavailable     "store_unavailable"      Error  TryAgain     Never;
    StoreTimeout         "store_timeout"          Error  TryAgain     Never;
    StorePanicked        "store_panicked"         Error  TryAgain     Never;
    Overloaded           "overloaded"             Error  TryAgain     Never;
    LoadAbandoned        "load_abandoned"         Error  TryAgain     Never;
    NoStore              "no_store"               Error  ServerError  Never;
    Revoked              "revoked"                Denied Unauthorized May;
    SessionNotFound      "session_not_found"      Denied Unauthorized May;
    SessionKeepsChanging "session_keeps_changing" Error  TryAgain     Never;
    AnswerTooOld         "answer_too_old"         Error  TryAgain     Never;
    CutOff               "cut_off"                Error  TryAgain     Never;
    CorruptSession       "corrupt_session"        Error  ServerError  Never;
    SessionExpired       "session_expired"        Denied Unauthorized May;
    NotLoggedIn          "not_logged_in"          Denied Unauthorized May;
    DeserializerFailed   "deserializer_failed"    Error  TryAgain     Never;
    DeserializerTimeout  "deserializer_timeout"   Error  TryAgain     Never;
    DeserializerPanicked "deserializer_panicked"  Error  TryAgain     Never;
    UserNotFound         "user_not_found"         Denied Unauthorized May;
    UserIdPanicked       "user_id_panicked"       Error  TryAgain     Never;
    Rejected             "rejected"               Denied TheAppsText  Never;
    SuccessTimeout       "success_timeout"        Error  TryAgain     Never;
    SuccessPanicked      "success_panicked"       Error  TryAgain     Never;
    TooManyConnections   "too_many_connections"   Denied ItsCode      Never;
    LoginEnded           "login_ended"            Denied Unauthorized Never;
}

impl Reason {
    /// The stable code, the same in logs, metrics, documents and `doctor`.
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// Whether it could not be told: an [`AuthorizeError`](crate::AuthorizeError), and no
    /// [`Denial`](crate::Denial).
    pub const fn is_error(self) -> bool {
        matches!(self.row().kind, Kind::Error)
    }

    /// What the client reads, unless the app says otherwise. `None` for the reason that the app puts
    /// into words itself ([`Reject`](crate::Reject)).
    pub const fn client_message(self) -> Option<&'static str> {
        match self.row().reads {
            Reads::Unauthorized => Some("unauthorized"),
            Reads::Forbidden => Some("forbidden"),
            Reads::TryAgain => Some("try_again"),
            Reads::ServerError => Some("server_error"),
            Reads::ItsCode => Some(self.code()),
            Reads::TheAppsText => None,
        }
    }

    /// Whether a request that fails for it may come in as a guest: a client that could have reached
    /// the same by dropping its cookie. Never for an error.
    ///
    /// # Security
    /// Where guests may be, this decides who is one.
    pub const fn allows_guest(self) -> bool {
        matches!(self.row().guest, Guest::May)
    }

    pub(crate) const fn reads(self) -> Reads {
        self.row().reads
    }
}
