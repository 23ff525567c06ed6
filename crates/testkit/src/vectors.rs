//! What the real npm packages make, and what they make of it.
//!
//! The files in `crates/testkit/vectors` were written by `interop/vectors/make.mjs`; each names the
//! packages and their versions. They are of two sorts: one function's answers ([`SignatureVector`],
//! [`KeygripVector`], [`CookieVector`]), and what a whole app made of a request ([`SessionVector`]).
//!
//! ```
//! use express_session::cookie::find;
//!
//! for vector in testkit::vectors::cookie() {
//!     let value = find(&vector.header, &vector.cookie);
//!     assert_eq!(value.as_deref(), vector.value.as_deref(), "{}", vector.name);
//! }
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A text that npm cookie-signature was asked to `unsign`.
#[derive(Clone, Debug, Deserialize)]
pub struct SignatureVector {
    /// What is special about it.
    pub name: String,
    /// The secret.
    pub secret: String,
    /// The signed text.
    pub signed: String,
    /// The value in it. `None` if this secret did not make the signature.
    pub value: Option<String>,
}

/// A signature that npm keygrip was asked to `verify`.
#[derive(Clone, Debug, Deserialize)]
pub struct KeygripVector {
    /// What is special about it.
    pub name: String,
    /// The keys, newest first.
    pub keys: Vec<String>,
    /// Keygrip's hash.
    pub hash: Hash,
    /// The signed text, `<cookie>=<value>`.
    pub data: String,
    /// The signature.
    pub signature: String,
    /// Whether one of the keys made it.
    pub verifies: bool,
}

/// A `Cookie` header that npm cookie or npm cookies was asked for one cookie of.
#[derive(Clone, Debug, Deserialize)]
pub struct CookieVector {
    /// What is special about it.
    pub name: String,
    /// The header.
    pub header: String,
    /// The cookie's name.
    pub cookie: String,
    /// Its value, if there is such a cookie.
    pub value: Option<String>,
}

/// A name for a cookie.
#[derive(Clone, Debug, Deserialize)]
pub struct CookieNameVector {
    /// The cookie's name.
    pub cookie: String,
    /// Whether npm cookie writes such a cookie, and reads it again.
    pub kept: bool,
}

/// A request, and the user that an app found for it.
#[derive(Clone, Debug, Deserialize)]
pub struct SessionVector {
    /// What is special about it.
    pub name: String,
    /// How the app configured its sessions.
    pub app: App,
    /// The `Cookie` header.
    pub cookies: Option<String>,
    /// What the app's store returns for any id. `None` if it has nothing, or there is none.
    pub stored: Option<String>,
    /// What the app's clock said.
    #[serde(deserialize_with = "milliseconds")]
    pub at: SystemTime,
    /// What the app answered.
    pub expected: Expected,
}

/// The options that an app gave its session middleware. `cookie` is the cookie's name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are the options, under their own names")]
pub enum App {
    /// express-session.
    Express { cookie: String, secrets: Vec<String> },
    /// cookie-session.
    CookieSession { cookie: String, keys: Vec<String>, hash: Hash },
    /// koa-session.
    Koa { cookie: String, keys: Vec<String>, hash: Hash, in_store: bool },
    /// koa-generic-session. The store's prefix, `koa:sess:`, is no part of [`Expected::asked`].
    KoaGeneric { cookie: String, keys: Vec<String>, hash: Hash },
    /// @fastify/session.
    Fastify { cookie: String, secrets: Vec<String>, cookie_prefix: String },
    /// @fastify/secure-session with keys, in base64. `expiry` is in seconds.
    SecureSession { cookie: String, keys: Vec<String>, expiry: Option<u64> },
    /// @fastify/secure-session with a secret, and with a salt if it is not the package's own.
    SecureSessionSecret { cookie: String, secret: String, salt: Option<String> },
}

/// The hash that keygrip signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they are their names")]
pub enum Hash {
    Sha1,
    Sha256,
}

/// What an app made of a request.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Expected {
    /// The session id that the store was asked for, if it was.
    pub asked: Option<String>,
    /// Whether there is a session.
    pub session: Outcome,
    /// The user key, as the session has it. `None` without a login.
    pub user: Option<Value>,
}

/// Whether a request has a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It has one.
    Found,
    /// It has none: the middleware began a new one.
    New,
    /// The middleware passed an error on.
    Error,
}

/// npm cookie-signature.
#[must_use]
pub fn cookie_signature() -> Vec<SignatureVector> {
    read(include_str!("../vectors/cookie-signature.json"))
}

/// npm keygrip.
#[must_use]
pub fn keygrip() -> Vec<KeygripVector> {
    read(include_str!("../vectors/keygrip.json"))
}

/// npm cookie, which Express and Fastify read with.
#[must_use]
pub fn cookie() -> Vec<CookieVector> {
    read(include_str!("../vectors/cookie.json"))
}

/// The names that npm cookie takes, in express-session 1.17 (0.4) and from 1.0.2 on.
#[must_use]
pub fn cookie_names() -> Vec<CookieNameVector> {
    read(include_str!("../vectors/cookie-names.json"))
}

/// npm cookies, which cookie-session and Koa read with.
#[must_use]
pub fn cookies() -> Vec<CookieVector> {
    read(include_str!("../vectors/cookies.json"))
}

/// Every kind of session, and every Passport from 0.2 to 0.7.
///
/// ```
/// use testkit::vectors::{App, Outcome, sessions};
///
/// let vectors = sessions();
/// let is_express = |app: &App| matches!(app, App::Express { .. });
/// let known = vectors.iter().find(|vector| is_express(&vector.app)).unwrap();
/// assert_eq!(known.expected.session, Outcome::Found);
/// assert_eq!(known.expected.user, Some(42.into()));
/// ```
#[must_use]
pub fn sessions() -> Vec<SessionVector> {
    [
        include_str!("../vectors/express-session.json"),
        include_str!("../vectors/passport.json"),
        include_str!("../vectors/cookie-session.json"),
        include_str!("../vectors/koa-session.json"),
        include_str!("../vectors/koa-generic-session.json"),
        include_str!("../vectors/fastify-session.json"),
        include_str!("../vectors/fastify-secure-session.json"),
    ]
    .into_iter()
    .flat_map(read)
    .collect()
}

/// A file, without the names of the packages that made it.
#[derive(Deserialize)]
struct File<T> {
    vectors: Vec<T>,
}

fn read<T: DeserializeOwned>(json: &str) -> Vec<T> {
    serde_json::from_str::<File<T>>(json).expect("a file of vectors").vectors
}

fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    u64::deserialize(deserializer).map(|ms| UNIX_EPOCH + Duration::from_millis(ms))
}
