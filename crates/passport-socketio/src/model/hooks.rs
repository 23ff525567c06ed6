//! The app's own say: `success` and `fail`.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Failure, Identity, Session, UserKey};

pub(crate) type SuccessHook<U> =
    Arc<dyn Fn(Candidate<U>) -> BoxFuture<'static, Result<(), Reject>> + Send + Sync>;
pub(crate) type UserIdHook<U> = Arc<dyn Fn(&U) -> UserKey + Send + Sync>;
/// It is given an origin as browsers write it.
pub(crate) type OriginHook = Arc<dyn Fn(&str) -> bool + Send + Sync>;
pub(crate) type FailHook = Arc<dyn Fn(&Failure) -> Verdict + Send + Sync>;

pub(crate) fn success_hook<U, F, Fut>(hook: F) -> SuccessHook<U>
where
    F: FnOnce(Candidate<U>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Reject>> + Send + 'static,
{
    Arc::new(move |candidate| Box::pin(hook.clone()(candidate)))
}

/// A user who is about to be connected to a namespace. What the `success` hook is given.
pub struct Candidate<U> {
    identity: Identity<U>,
    namespace: Box<str>,
}

impl<U> Candidate<U> {
    pub(crate) fn new(identity: Identity<U>, namespace: &str) -> Self {
        Self { identity, namespace: namespace.into() }
    }

    /// Who it is.
    pub fn user(&self) -> &U {
        self.identity.user()
    }

    /// The session they are logged in to.
    pub fn session(&self) -> &Session {
        self.identity.session()
    }

    /// The namespace they asked for, such as `/`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl<U> fmt::Debug for Candidate<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("identity", &self.identity)
            .field("namespace", &self.namespace)
            .finish()
    }
}

/// The app says no, in its own words: `accept(new Error("optional reason"))`.
///
/// ```
/// use passport_socketio::Reject;
///
/// assert_eq!(Reject::new("optional reason").text(), "optional reason");
/// ```
///
/// # Security
/// The client reads this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject(Cow<'static, str>);

impl Reject {
    /// Rejects with this text.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }

    /// What the client reads.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the `fail` hook decides. Made by [`Failure::refuse`], [`Failure::refuse_with`] and
/// [`Failure::guest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict(pub(crate) Answer);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Refuse,
    RefuseWith(Cow<'static, str>),
    Guest,
}

impl Verdict {
    pub(crate) const fn refuse() -> Self {
        Self(Answer::Refuse)
    }

    /// Whether whoever failed so comes in as a guest.
    pub(crate) fn makes_guest(&self, failure: &Failure) -> bool {
        self.0 == Answer::Guest && failure.allows_guest()
    }
}

impl Failure {
    /// Refuses; the client reads [`client_message`](Self::client_message).
    pub fn refuse(&self) -> Verdict {
        Verdict::refuse()
    }

    /// Refuses; the client reads this text.
    pub fn refuse_with(&self, text: impl Into<Cow<'static, str>>) -> Verdict {
        Verdict(Answer::RefuseWith(text.into()))
    }

    /// Admits as a guest: the original's `accept()` in `fail`.
    ///
    /// Only where [`allows_guest`](Self::allows_guest) says so: otherwise this refuses, as
    /// [`refuse`](Self::refuse) does, so an outage can't turn anybody into a guest.
    pub fn guest(&self) -> Verdict {
        if self.allows_guest() { Verdict(Answer::Guest) } else { Verdict::refuse() }
    }
}
