//! The decision: who is it, and may they in?
//!
//! Twelve checks, in this order. Nothing expensive happens before something cheap could have
//! refused, and a request that fails 1 to 4 never reaches the store.
//!
//! | # | check | code | kind | the client reads | guest? |
//! |---|---|---|---|---|---|
//! | 1 | the origin is allowed | `origin_not_allowed` | denied | `forbidden` | never |
//! | 1 | `origin_if` does not panic | `origin_panicked` | error | `try_again` | never |
//! | 2 | there is a session cookie | `no_session_cookie` | denied | `unauthorized` | yes |
//! | 3 | it is well formed, within limits | `malformed_cookie` | denied | `unauthorized` | yes |
//! | 4 | one of the secrets signed it | `bad_signature` | denied | `unauthorized` | yes |
//! | 4 | later: it shows the connection's session | `other_session` | denied | `forbidden` | never |
//! | 2 to 8 | the session source does not panic | `source_panicked` | error | `try_again` | never |
//! | 5 | the session is not asked for too often | `rate_limited` | denied | `try_again` | never |
//! | 5 | the store answers in time | `store_unavailable`, `store_timeout`, `store_panicked`, `overloaded`, `load_abandoned` | error | `try_again` | never |
//! | 5 | there is a store | `no_store` | error | `server_error` | never |
//! | 6 | the session exists | `session_not_found` | denied | `unauthorized` | yes |
//! | 6 | no operator revoked it | `revoked` | denied | `unauthorized` | yes |
//! | 6 | it stands still for long enough | `session_keeps_changing` | error | `try_again` | never |
//! | 6 | the answer is young when it is used | `answer_too_old` | error | `try_again` | never |
//! | 6 | the node would know of a revocation | `cut_off` | error | `try_again` | never |
//! | 7 | it is readable, within limits | `corrupt_session` | error | `server_error` | never |
//! | 8 | it has not expired | `session_expired` | denied | `unauthorized` | yes |
//! | 9 | a user is logged in | `not_logged_in` | denied | `unauthorized` | yes |
//! | 10 | the deserializer answers | `deserializer_failed`, `deserializer_timeout`, `deserializer_panicked` | error | `try_again` | never |
//! | 11 | it found a user | `user_not_found` | denied | `unauthorized` | yes |
//! | 11 | `user_id` gives their key | `user_id_panicked` | error | `try_again` | never |
//! | 12 | `success` agrees | `rejected` | denied | the app's own text | never |
//! | 12 | `success` answers | `success_timeout`, `success_panicked` | error | `try_again` | never |
//! | 12 | the user has connections to spare | `too_many_connections` | denied | `too_many_connections` | never |
//! | 12 | the login has not ended meanwhile | `login_ended` | denied | `unauthorized` | never |
//!
//! These are all codes there are ([`Reason`] is their list): the log, metrics, the audit hook, `fail`
//! and `doctor` name them. A reason never becomes another one: what panicked did not fail, what could
//! not be told was not denied.
//!
//! Checks 1 to 4 are made again for every later request of a connection, where a layer of ours sees it:
//! one that does not show the session it belongs to is denied as `other_session`, and the client reads
//! `forbidden`.
//!
//! "guest?" says what [`optional`](crate::Authorizer::optional) makes of it, or `fail` may: a
//! guest is who could have come as one by dropping the cookie. An error never makes a guest.
//!
//! This module does no input or output of its own and knows no socket: it is given the request, the
//! store, the deserializer and the clock.

mod answer_age;
mod decider;
mod limits;
mod loads;
mod no_login;
mod origin;
mod owner;
mod proxies;
mod readings;
mod request;
mod store_access;
mod trace;
mod user;

#[cfg(test)]
mod tests;

pub use crate::model::{Check, Reason};
pub use trace::{Explanation, Step};
pub use user::DeserializeUser;

pub(crate) use answer_age::{AnswerAge, fresh_for};
pub(crate) use decider::Decider;
pub(crate) use limits::Limits;
pub(crate) use loads::{LoadLimits, Loads};
pub(crate) use no_login::NoLogin;
pub(crate) use origin::{AllowedOrigins, Listed, NotListed, OriginPolicy, Provenance};
pub(crate) use owner::{NotOwner, Owner};
pub(crate) use proxies::{Sent, TrustedProxies};
pub(crate) use readings::Readings;
pub(crate) use request::CookieContext;
pub(crate) use store_access::StoreAccess;
pub(crate) use trace::{NoTrace, Trace, failed_step};
pub(crate) use user::{AsyncFnDeserializer, BoxError};
