//! The twelve checks of a decision.

use std::fmt;

/// One of the twelve checks, in their order.
///
/// ```
/// use passport_socketio::authorizer::Check;
///
/// assert_eq!(Check::Signature.number(), 4);
/// assert_eq!(Check::Signature.title(), "the signature is valid");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Check {
    /// 1. The origin is allowed.
    Origin = 1,
    /// 2. There is a session cookie.
    Cookie,
    /// 3. It is well formed, within limits.
    CookieForm,
    /// 4. One of the secrets signed it.
    Signature,
    /// 5. The store answers in time.
    Store,
    /// 6. The session exists.
    Session,
    /// 7. It is readable, within limits.
    Record,
    /// 8. It has not expired.
    Expiry,
    /// 9. A user is logged in.
    UserKey,
    /// 10. The deserializer answers.
    Deserializer,
    /// 11. It found a user.
    User,
    /// 12. `success` agrees.
    Success,
}

impl Check {
    /// Its number in the table of [`authorizer`](crate::authorizer).
    pub fn number(self) -> u8 {
        self as u8
    }

    /// What it checks, in words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Origin => "the origin is allowed",
            Self::Cookie => "there is a session cookie",
            Self::CookieForm => "the cookie is well formed",
            Self::Signature => "the signature is valid",
            Self::Store => "the store answers",
            Self::Session => "the session exists",
            Self::Record => "the record is readable",
            Self::Expiry => "it has not expired",
            Self::UserKey => "a user is logged in",
            Self::Deserializer => "the deserializer answers",
            Self::User => "the user exists",
            Self::Success => "`success` agrees",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}
